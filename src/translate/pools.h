// The pools of a Snapshot: every Backend and every InferencePool, and every Service port that a
// route sends to.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "snapshot/snapshot.h"
#include "translate/context.h"
#include "translate/endpoint_access.h"
#include "translate/models.h"
#include "translate/policies.h"

namespace gw::internal {

// Which Gateways routes lead to a pool or Service from; true if such a route is accepted there.
struct PoolLink {
  std::string controller_name;
  bool accepted = false;

  bool operator==(const PoolLink&) const = default;
};
using PoolLinks = std::map<api::GroupKey, std::map<api::ObjectKey, PoolLink>>;

// What one pool is made of, but for the Pods and EndpointSlices there are. Values: it can be made
// again of others.
struct PoolRecipe {
  PoolEntry base = {};  // without endpoints
  AccessTarget target = {};
  bool tls_by_policy = false;  // and not by the annotations that ask for it
  bool repeats = false;        // another one's, for Gateways with another certificate
  api::StringMap selector = {};
  std::vector<int> ports = {};  // of each Pod
  // Of an InferencePool.
  std::optional<api::InferencePool> pool = {};
  std::optional<api::InferenceTrafficPolicy> split = {};  // by which it is served in two halves
  Verdict accepted = {};
  Verdict resolved = {};
  // Of a Service.
  std::optional<api::ServicePort> service_port = {};
  // Of a Backend, with `resolved`.
  std::optional<api::Backend> backend = {};
  // Of a Backend and of a Service of type ExternalName: where, in place of Pods.
  std::string host = {};
  int host_port = 0;
};

// What a recipe came to.
struct MadePool {
  std::shared_ptr<const PoolEntry>
      entry;               // null: nothing says what port a Service's Pods listen on
  std::string notes = {};  // what the user should hear of it
  // Its endpoints are those of Pods, each by itself: of none anything is noted, and none stands in
  // the place of another.
  bool plain = false;
};

class PoolSet {
 public:
  // Makes an entry of every Backend and every InferencePool.
  PoolSet(const Context& context, const PoolPolicies& policies, ModelBindings models);

  // The index of a pool in Snapshot::pools. REQUIRES: it is one of the context's.
  uint32_t IndexOf(const api::InferencePool& pool) const;
  uint32_t IndexOf(const api::Backend& backend) const;
  // The same for a port of a Service, which gets its entry at its first use. nullopt if nothing
  // says what port number the Service's Pods listen on.
  std::optional<uint32_t> IndexOf(const Context& context, const api::Service& service,
                                  const api::ServicePort& port);

  // The pool of that index as a Gateway reaches it that shows this certificate to endpoints. The
  // first of such Gateways has the pool itself; those that show another one have entries of their
  // own, as one entry's endpoints are spoken to in one way.
  uint32_t For(const Context& context, uint32_t index, const ClientIdentity& identity);

  // Makes those pools anew that these changes are about, and adds their indices to `made`. The
  // context has the objects as they are now. False if more than the pools would be another: then
  // all is to be translated anew. REQUIRES: the changes are of Pods and EndpointSlices
  bool Follow(const Context& context, std::span<const api::ObjectChange> changes,
              std::set<uint32_t>* made);
  // The same for those whose host is one of these.
  void FollowHosts(const Context& context, const std::set<std::string>& hosts,
                   std::set<uint32_t>* made);
  // The names that pools are found under.
  std::set<std::string> Hosts() const;

  std::vector<std::shared_ptr<const PoolEntry>> entries() const;
  const std::shared_ptr<const PoolEntry>& entry(uint32_t index) const { return made_[index].entry; }
  // What is to be said of a pool; those of InferencePools only.
  const PoolRecipe& recipe(uint32_t index) const { return recipes_[index]; }
  std::vector<api::ParentStatus> ParentsOf(const Context& context, const PoolLinks& links,
                                           uint32_t index) const;
  // Writes the conditions of the InferencePools and Backends.
  void WriteStatus(Context& context, const PoolLinks& links) const;
  // What is probably not meant, in the order of the pools.
  std::vector<std::string> Warnings(const Context& context) const;

 private:
  void Add(const Context& context, const api::InferencePool& pool, const PoolPolicy& policy,
           std::vector<ModelBinding> models);
  void Add(const Context& context, const api::Backend& backend);
  void AddFallback(const Context& context, const std::string& name, PoolRecipe* recipe) const;

  // Of each pool, by its index.
  std::vector<PoolRecipe> recipes_;
  std::vector<MadePool> made_;
  std::vector<PoolRecipe> portless_;  // of Services, that came to no entry
  std::map<api::GroupKey, uint32_t> pools_;
  std::map<api::ObjectKey, uint32_t> backends_;
  std::map<std::tuple<std::string, std::string, int>, std::optional<uint32_t>> services_;
  struct Reached {
    ClientIdentity identity;
    uint32_t index;
  };
  std::map<uint32_t, std::vector<Reached>> reached_;  // by the pool itself; those of TLS
};

}  // namespace gw::internal
