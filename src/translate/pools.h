// The pools of a Snapshot: every InferencePool, and every Service port that a route sends to.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "snapshot/snapshot.h"
#include "translate/context.h"
#include "translate/models.h"
#include "translate/policies.h"

namespace gw::internal {

// Which Gateways routes lead to a pool from; true if such a route is accepted there.
struct PoolLink {
  std::string controller_name;
  bool accepted = false;
};
using PoolLinks = std::map<api::GroupKey, std::map<api::ObjectKey, PoolLink>>;

class PoolSet {
 public:
  // Makes an entry of every InferencePool.
  PoolSet(Context& context, const PoolPolicies& policies, ModelBindings models);

  // The index of a pool in Snapshot::pools. REQUIRES: it is one of the context's.
  uint32_t IndexOf(const api::InferencePool& pool) const;
  // The same for a port of a Service, which gets its entry at its first use. nullopt if nothing
  // says what port number the Service's Pods listen on.
  std::optional<uint32_t> IndexOf(const api::Service& service, const api::ServicePort& port);

  // Writes the conditions of the InferencePools.
  void WriteStatus(Context& context, const PoolLinks& links) const;

  const std::vector<std::shared_ptr<const PoolEntry>>& entries() const { return entries_; }

 private:
  struct State {
    const api::InferencePool* pool = nullptr;
    uint32_t index = 0;
    Verdict accepted;
    Verdict resolved;
  };

  void Add(const api::InferencePool& pool, const PoolPolicy& policy,
           std::vector<ModelBinding> models);

  Context& context_;
  std::vector<std::shared_ptr<const PoolEntry>> entries_;
  std::map<api::GroupKey, State> pools_;
  std::map<std::tuple<std::string, std::string, int>, std::optional<uint32_t>> services_;
};

}  // namespace gw::internal
