#include "bench/virtual/fleet.h"

#include <fmt/format.h>

#include <iterator>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/check.h"

namespace gw::bench {
namespace {

constexpr uint16_t kReplicaPort = 8000;
constexpr size_t kLastByteMax = 250;
constexpr char kPool[] = "pool";
constexpr char kNamespace[] = "default";
constexpr char kRoleLabel[] = "role";

std::string ReplicaIp(size_t replica) {
  return fmt::format("10.0.{}.{}", replica / kLastByteMax, replica % kLastByteMax + 1);
}

void AddWayIn(api::ResourceSet* set) {
  api::GatewayClass& of = set->gateway_classes["class"];
  of.meta.ns.clear();
  of.meta.name = "class";
  of.controller_name = "penstock.dev/gateway-controller";
  api::Gateway& gateway = set->gateways[{kNamespace, "gateway"}];
  gateway.meta.name = "gateway";
  gateway.gateway_class_name = "class";
  api::Listener& listener = gateway.listeners.emplace_back();
  listener.name = "http";
  listener.port = VirtualGateway::kPort;
  listener.protocol = "HTTP";
  api::HttpRoute& route = set->http_routes[{kNamespace, "route"}];
  route.meta.name = "route";
  api::ParentRef& parent = route.parent_refs.emplace_back();
  parent.ns = kNamespace;
  parent.name = "gateway";
  api::RouteRule& rule = route.rules.emplace_back();
  rule.matches.emplace_back().path = "/";
  api::BackendRef& backend = rule.backend_refs.emplace_back();
  backend.group = api::kInferenceGroup;
  backend.kind = "InferencePool";
  backend.ns = kNamespace;
  backend.name = kPool;
}

void AddModels(api::ResourceSet* set) {
  using Criticality = api::InferenceModel::Criticality;
  constexpr std::pair<const char*, Criticality> kClasses[] = {
      {"critical", Criticality::kCritical},
      {"standard", Criticality::kStandard},
      {"sheddable", Criticality::kSheddable}};
  for (const auto& [name, criticality] : kClasses) {
    api::InferenceModel& model = set->inference_models[{kNamespace, name}];
    model.meta.name = model.model_name = name;
    model.criticality = criticality;
    model.pool_ref.group = api::kInferenceGroup;
    model.pool_ref.name = kPool;
  }
}

void Append(std::vector<std::string> lines, std::vector<std::string>* all) {
  all->insert(all->end(), std::move_iterator(lines.begin()), std::move_iterator(lines.end()));
}

}  // namespace

std::string ReplicaAddress(size_t replica) {
  return fmt::format("{}:{}", ReplicaIp(replica), kReplicaPort);
}

api::ResourceSet PoolObjects(std::span<const size_t> replicas, const api::StringMap& annotations) {
  api::ResourceSet set;
  AddWayIn(&set);
  api::InferencePool& pool = set.inference_pools[{api::kInferenceGroup, kNamespace, kPool}];
  pool.meta.name = kPool;
  pool.meta.annotations = annotations;
  pool.selector = {{"app", kPool}};
  pool.target_ports = {kReplicaPort};
  for (const size_t i : replicas) {
    const std::string name = std::to_string(i);
    api::Pod& pod = set.pods[{kNamespace, name}];
    pod.meta.name = name;
    pod.meta.labels = {{"app", kPool}};
    pod.ip = ReplicaIp(i);
  }
  return set;
}

api::ResourceSet PoolObjects(int replicas, const api::StringMap& annotations, bool classes) {
  std::vector<size_t> all(static_cast<size_t>(replicas));
  std::iota(all.begin(), all.end(), size_t{0});
  api::ResourceSet set = PoolObjects(all, annotations);
  if (classes) AddModels(&set);
  return set;
}

void SplitPool(size_t prefill, api::ResourceSet* set) {
  api::InferenceTrafficPolicy& policy = set->traffic_policies[{kNamespace, "policy"}];
  policy.meta.name = "policy";
  policy.pool_name = kPool;
  policy.pd = {.prefix_cache_mode = "estimate",
               .prefill_policy_ref = "prefixCache",
               .decode_policy_ref = "prefixCache",
               .role_label = kRoleLabel,
               .bootstrap_port = std::nullopt};
  for (auto& [key, pod] : set->pods) {
    size_t number = 0;
    CHECK(absl::SimpleAtoi(pod.meta.name, &number));
    pod.meta.labels[kRoleLabel] = number < prefill ? "prefill" : "decode";
  }
}

std::string CompletionBody(std::string_view model, std::string_view prompt) {
  return fmt::format(R"({{"model":"{}","stream":true,"prompt":"{}"}})", model, prompt);
}

VirtualFleet::VirtualFleet(const FleetOptions& options, VirtualGateway::OnEnd on_end)
    : random_(options.seed) {
  CHECK(!options.replicas.empty() && options.gateways >= 1 && options.workers >= 1);
  for (size_t i = 0; i < options.replicas.size(); ++i) {
    auto replica = std::make_unique<VirtualReplica>(timeline_, options.replicas[i]);
    by_number_.push_back(replica.get());
    if (options.follows_evictions) {
      replica->FollowEvictions(
          [this, address = ReplicaAddress(i)](std::span<const uint64_t> names) {
            for (const auto& gateway : gateways_) gateway->OnEvicted(address, names);
          });
    }
    replicas_.emplace(ReplicaAddress(i), std::move(replica));
  }
  VirtualGateway::Options each{.workers = options.workers,
                               .scrape = options.scrape,
                               .page_time = options.page_time,
                               .post_time_max = options.post_time_max,
                               .checks_room = options.checks_room,
                               .follows_evictions = options.follows_evictions,
                               .shares = options.peers.has_value()};
  each.scrape.gateways = options.gateways;
  for (int i = 0; i < options.gateways; ++i) {
    gateways_.push_back(
        std::make_unique<VirtualGateway>(timeline_, each, replicas_, random_, on_end));
  }
  if (options.peers) {
    peers_ = std::make_unique<VirtualPeers>(timeline_, random_, *options.peers, gateways_);
  }
}

void VirtualFleet::Load(const api::ResourceSet& resources) {
  for (const auto& gateway : gateways_) gateway->Load(resources);
  if (peers_ != nullptr) peers_->OnLoad();
}

uint64_t VirtualFleet::Send(size_t gateway, size_t worker, FleetRequest request) {
  const uint64_t id = ++sent_;
  gateways_[gateway]->Send(worker, id, std::move(request));
  return id;
}

bool VirtualFleet::Leave(uint64_t id) {
  for (const auto& gateway : gateways_) {
    VirtualRequest* const request = gateway->Find(id);
    if (request == nullptr) continue;
    request->Leave();
    return true;
  }
  return false;
}

void VirtualFleet::Abort(size_t gateway, size_t worker) {
  VirtualGateway& of = *gateways_[gateway];
  for (const uint64_t id : of.live(worker)) {
    // The end of one may have ended the next.
    if (VirtualRequest* const request = of.Find(id); request != nullptr) request->Abort();
  }
}

void VirtualFleet::RunWhile(const std::function<bool()>& condition) {
  while (condition()) timeline_.Step();
}

void VirtualFleet::RunFor(Duration time) {
  bool over = false;
  timeline_.After(time, [&over] { over = true; });
  RunWhile([&over] { return !over; });
}

std::vector<std::string> VirtualFleet::Held() const {
  std::vector<std::string> all;
  for (const auto& gateway : gateways_) Append(gateway->Held(), &all);
  for (const auto& [address, replica] : replicas_) {
    if (!replica->up()) continue;
    const uint32_t requests = replica->engine().running() + replica->engine().waiting();
    if (requests > 0) all.push_back(fmt::format("requests at {}: {}", address, requests));
  }
  return all;
}

std::vector<std::string> VirtualFleet::Faults() const {
  std::vector<std::string> all;
  for (const auto& gateway : gateways_) Append(gateway->faults(), &all);
  return all;
}

uint64_t VirtualFleet::pages() const {
  uint64_t sum = 0;
  for (const auto& gateway : gateways_) sum += gateway->pages();
  return sum;
}

}  // namespace gw::bench
