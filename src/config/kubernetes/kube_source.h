// The ConfigSource of a cluster: what an API server holds (cluster_reader.h), on a thread of its
// own.
//
// Load waits until every kind was read, or is known not to be installed: with half of them routes
// would point at backends that are only not known yet. A kind that RBAC does not let us read is
// waited for as well, in case it is granted meanwhile, and then Load fails with what is missing:
// there is no admin port yet to ask, and whoever starts the gateway again writes the reason where
// people look. What cannot be read later on stays as it was read last, and Remarks::errors says so.
//
// What SetOutcome says is written into the objects, if this gateway is the one of several that
// does (cluster_writer.h). Stop leaves that to another.

#pragma once

#include <memory>
#include <string>

#include "config/config_source.h"
#include "config/kubernetes/cluster_reader.h"
#include "config/kubernetes/cluster_writer.h"
#include "kube/access_options.h"

namespace gw::config {

struct KubeSourceOptions {
  kube::AccessOptions access;
  std::string access_name;  // for messages: `context "a" (/root/.kube/config)`
  Duration load_timeout = std::chrono::seconds(60);
  ClusterReaderOptions reader;
  ClusterWriterOptions writer;
};

// `judge` is that of ServedObjects.
absl::StatusOr<std::unique_ptr<ConfigSource>> NewKubeSource(const KubeSourceOptions& options,
                                                            Judge judge);

}  // namespace gw::config
