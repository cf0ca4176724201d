// `penstock get` and `penstock describe`, as the admin port answers them: names, columns and
// messages are kubectl's where it has them.
//
//   /get?kind=pools[&name=N...][&namespace=NS][&output=wide|json|yaml|describe][&watch=true]
//
// Without a kind, or with "all", and for "describe": every object with its conditions.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin_server.h"
#include "api/conditions.h"
#include "api/resources.h"
#include "base/clock.h"
#include "peers/mesh.h"
#include "server/releases.h"
#include "snapshot/snapshot.h"

namespace gw {

// What is asked of. All of one moment, more or less.
struct GetSources {
  const Snapshot& snapshot;
  const api::ResourceSet& resources;  // as the Snapshot was translated from
  const api::StatusSet& status;
  const std::vector<ReleaseView>& releases;
  TimePoint now;
  std::vector<peers::PeerRow> peers = {};  // other gateways
};

// 200 with a table, a document or nothing (there are no such objects); 404 with kubectl's message
// for a kind or a name that there is not; 400 for an output that there is not.
AdminResponse AnswerGet(const GetSources& sources, std::string_view query);

}  // namespace gw
