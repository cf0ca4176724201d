// Gateways in front of model servers, in virtual time: the production translation, exchange,
// queue, scheduler, prefix index and pace of scraping of each, and the engine model of the
// simulated model servers. Whatever happens, happens at a time that is asked for (timeline) or that
// follows from what has happened; a seed is a run.
//
//   VirtualFleet fleet(options, [&](const FleetAnswer& answer) { ... });
//   fleet.Load(PoolObjects(8, annotations));
//   fleet.timeline().After(seconds(1), [&] { fleet.Send(0, 0, request); });
//   fleet.RunWhile([&] { return answered < sent; });
//
// A gateway knows of the others' requests what the metrics pages say, as on the wire, and what they
// tell each other, if they do. Nothing takes time but the model servers, their pages, and what a
// request or an option says.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/resources.h"
#include "base/random.h"
#include "bench/virtual/gateway.h"
#include "bench/virtual/peers.h"
#include "bench/virtual/timeline.h"
#include "sim/engine/server_spec.h"

namespace gw::bench {

struct FleetOptions {
  std::vector<sim::ServerSpec> replicas;  // one of each
  int gateways = 1;
  std::optional<PeerOptions> peers;  // how they tell each other what they know; they do not
  int workers = 1;                   // of each gateway
  ScrapeOptions scrape = {};         // but for the number of gateways
  Duration page_time = std::chrono::milliseconds(2);
  Duration post_time_max{};
  bool checks_room = false;
  // Gateways hear at once which blocks replicas evict, and believe nothing else of what they
  // forget.
  bool follows_evictions = false;
  uint64_t seed = 1;
};

// "10.0.0.1:8000" for the first one.
std::string ReplicaAddress(size_t replica);

// A Gateway with a route for every path to the InferencePool "pool" with these annotations, of so
// many Pods "0", "1" and on, at the addresses of replicas. Three InferenceModels of it, "critical",
// "standard" and "sheddable", if `classes`; without, it takes any model.
api::ResourceSet PoolObjects(int replicas, const api::StringMap& annotations, bool classes = false);
// Of those Pods only.
api::ResourceSet PoolObjects(std::span<const size_t> replicas, const api::StringMap& annotations);

// The first `prefill` of the Pods compute prompts, the others answer with what they are handed.
void SplitPool(size_t prefill, api::ResourceSet* set);

// Of a completion that is streamed, of that prompt.
std::string CompletionBody(std::string_view model, std::string_view prompt);

class VirtualFleet {
 public:
  // REQUIRES: at least one of each
  VirtualFleet(const FleetOptions& options, VirtualGateway::OnEnd on_end);

  Timeline& timeline() { return timeline_; }
  // For all gateways, now. The objects may have other Pods than the fleet's, but none elsewhere.
  void Load(const api::ResourceSet& resources);
  // Now, by that gateway and worker; `on_end` is told once, maybe before this returns.
  uint64_t Send(size_t gateway, size_t worker, FleetRequest request);
  uint64_t next_id() const { return sent_ + 1; }  // that Send will give
  // False: it has ended.
  bool Leave(uint64_t id);
  // A worker of a gateway shuts down: its requests are ended.
  void Abort(size_t gateway, size_t worker);

  VirtualReplica& replica(size_t i) { return *by_number_[i]; }
  const VirtualGateway& gateway(size_t i) const { return *gateways_[i]; }
  size_t size() const { return replicas_.size(); }

  // Until that is false. It is asked between two things that happen.
  void RunWhile(const std::function<bool()>& condition);
  void RunFor(Duration time);

  // Of all gateways.
  std::vector<std::string> Held() const;
  std::vector<std::string> Faults() const;
  uint64_t pages() const;

 private:
  Timeline timeline_;
  Random random_;
  Replicas replicas_;
  std::vector<VirtualReplica*> by_number_;
  std::vector<std::unique_ptr<VirtualGateway>> gateways_;
  std::unique_ptr<VirtualPeers> peers_;
  uint64_t sent_ = 0;
};

}  // namespace gw::bench
