// Routed: where a request goes. A rule of its listener's routes is found at its head, and by the
// rule a pool; where one of them depends on the model, both wait for the body. A front end that has
// no listener begins at a pool.
//
// What it knows belongs to one Snapshot, which it pins. A request that waits gives the pin up, so
// that endpoints which go meanwhile are not kept, and goes on with the newest version of its pool.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "exchange/asked.h"
#include "exchange/model_list.h"
#include "exchange/step.h"
#include "routing/session.h"
#include "snapshot/snapshot.h"

namespace gw {

class Routed {
 public:
  // `snapshot` may be null, and need not have the listener or the pool.
  void Begin(std::shared_ptr<const Snapshot> snapshot, const ListenerKey& listener);
  void BeginAtPool(std::shared_ptr<const Snapshot> snapshot, std::string_view pool_id);
  void End();

  // What decides between the destinations of a rule.
  struct PoolQuestion {
    const std::string& model;  // that the body names, or ""
    bool understood = false;   // the body is read as that of an inference API
    // Of the rule, which stays with its destination.
    const std::optional<SessionToken>& session;
    // That has what is asked for; nullptr: it does not matter.
    const EndpointState* home = nullptr;
    // Of the client, which stays with its version; nullopt: chance chooses.
    const std::optional<uint64_t>& sticky;
  };

  // The steps, in this order; a refusal is where the request ends.
  Refusal FindListener(const Asked& asked);
  Refusal FindRule(const Asked& asked, const RouteModel& model);
  Refusal FindPool(const PoolQuestion& question, Random& random);
  // Begun at a pool. The rest is left out.
  Refusal FindGivenPool();
  // The rule is one whose model lists are answered here: then they are model_rules().
  bool ListsModels(std::string_view path);
  // Those for which `keeps(rule)` is true stay model_rules(), in their order.
  template <typename Keeps>
  void KeepModelRules(Keeps&& keeps) {
    std::erase_if(model_rules_, [&](const RouteRule* rule) { return !keeps(*rule); });
  }

  // What serves when the pool cannot; nullptr if nothing does, or that could not either.
  const PoolEntry* Fallback() const;
  // It is pool() from now on. REQUIRES: Fallback() != nullptr
  void TakeFallback() { pool_ = Fallback(); }

  // Gives up what is pinned, but for the rule. REQUIRES: pool() != nullptr
  void Unpin();
  // Pins the newest version of the pool.
  Refusal PinAgain(std::shared_ptr<const Snapshot> newest);

  // nullptr: what is pinned has no such pool.
  const PoolEntry* FindById(std::string_view id) const;
  bool begins_at_pool() const { return routes_ == nullptr && !pool_id_.empty(); }
  bool rule_depends_on_model() const { return routes_->matches_model_name(); }
  bool pool_depends_on_model() const;
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  const RouteRule* rule() const { return rule_; }  // nullptr: not found yet, or there is none
  const PoolEntry* pool() const { return pool_; }  // nullptr: not found yet, or given up
  std::string_view pool_id() const { return pool_ != nullptr ? pool_->pool.id : pool_id_; }
  // Indexes the rule's. REQUIRES: FindPool has found one
  size_t destination() const { return destination_; }
  bool chosen_by_value() const { return chosen_by_value_; }  // of the client, and not by chance
  const ModelListRules& model_rules() const { return model_rules_; }
  // The backendRef's are of the destination that was found. Also while nothing is pinned.
  FilterChain filters() const {
    return {rule_ != nullptr ? rule_->filters.get() : nullptr, destination_filters_};
  }
  uint16_t listener_port() const { return listener_.port; }
  std::string_view scheme() const { return secure_ ? "https" : "http"; }  // of the listener
  // Of event streams that have no byte yet. Also while nothing is pinned.
  std::optional<Duration> stream_keepalive() const;
  // Of a body that is read before its pool is known, as much of the prompt as any pool looks at.
  size_t PromptCharsMax() const;
  // " Served here: `a`, `b` and 3 more.", or nothing if no destination declares names.
  std::string TextOfModels() const;

 private:
  const ModelTable* DeclaredModels(const Destination& destination) const;
  const Destination* ChooseDestination(const PoolQuestion& question, Random& random);
  using Fits = std::function<bool(const Destination&)>;
  const Destination* Choose(const std::optional<uint64_t>& sticky, Random& random,
                            const Fits& fits = nullptr);
  const Destination* DestinationOf(const SessionToken& session, const std::string& model) const;
  const Destination* DestinationOf(const EndpointState& home) const;
  Refusal Take(const PoolEntry& pool);

  std::shared_ptr<const Snapshot> snapshot_;
  ListenerKey listener_;
  bool secure_ = false;
  const RouteTable* routes_ = nullptr;
  std::shared_ptr<const RouteTable> held_routes_;  // while nothing else is pinned
  const RouteRule* rule_ = nullptr;
  const RouteFilters* destination_filters_ = nullptr;  // the rule's destination's
  size_t destination_ = 0;
  bool chosen_by_value_ = false;
  ModelListRules model_rules_;
  const PoolEntry* pool_ = nullptr;
  std::string pool_id_;                     // given, or given up
  std::optional<Duration> pool_keepalive_;  // of the pool that was given up
};

}  // namespace gw
