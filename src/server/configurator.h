// Configurator: turns what was loaded into what is served. Holds the last good configuration, the
// conditions of its objects, and what is wrong with a newer one.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/conditions.h"
#include "api/resources.h"
#include "pool/endpoint.h"
#include "prefix/index.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"
#include "translate/translate.h"

namespace gw {

class Configurator {
 public:
  Configurator(SnapshotStore& store, PrefixIndex& index, MetricRegistry& metrics,
               TranslateOptions options);

  // Translates and publishes; the next generation. One caller at a time.
  void Apply(const api::ResourceSet& resources);
  // A newer configuration could not be loaded: the published one goes on serving.
  void Reject(std::string error);
  // Listeners that a worker could not open; replaces what was said of the generation before.
  void SetListenErrors(ListenErrors errors);

  // Any thread. With what the listeners' ports say.
  api::StatusSet status() const;
  uint64_t generation() const;
  // What the published configuration was made of.
  std::shared_ptr<const api::ResourceSet> resources() const;
  size_t refused() const;          // objects that are not served as they were written
  std::string load_error() const;  // empty if the newest configuration is the one served
  ListenErrors listen_errors() const;

 private:
  SnapshotStore& store_;
  PrefixIndex& index_;
  const TranslateOptions options_;
  EndpointTable endpoints_;
  mutable std::mutex mutex_;
  uint64_t generation_ = 0;
  api::StatusSet status_;
  std::shared_ptr<const api::ResourceSet> resources_ = std::make_shared<api::ResourceSet>();
  size_t refused_ = 0;
  std::string load_error_;
  ListenErrors listen_errors_;
  Counter& reloads_ok_;
  Counter& reloads_failed_;
  Gauge& generation_gauge_;
  Gauge& failed_gauge_;
};

}  // namespace gw
