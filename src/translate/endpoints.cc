#include "translate/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "api/names.h"
#include "base/check.h"
#include "translate/pool_settings.h"

namespace gw::internal {
namespace {

// In the order of preference; values as the inference extension's picker knows them.
constexpr const char* kEngineLabels[] = {"llm-d.ai/engine-type",
                                         "inference.networking.k8s.io/engine-type"};

// What the Pod's labels say it runs, else what its pool runs.
Runtime RuntimeOf(const api::Pod& pod, Runtime of_pool, std::vector<std::string>* notes) {
  for (const char* label : kEngineLabels) {
    const auto it = pod.meta.labels.find(label);
    if (it == pod.meta.labels.end()) continue;
    Runtime runtime = of_pool;
    if (ReadRuntime(it->second, &runtime)) return runtime;
    notes->push_back(fmt::format("Pod {}: label {}: {}: taken as {}", pod.meta.name, label,
                                 RuntimeWanted(it->second), NameOf(of_pool)));
    return of_pool;
  }
  return of_pool;
}

// Values as RoleBasedGroup and llm-d write them; without a value a Pod's part is not known.
std::optional<Role> RoleOf(const api::Pod& pod, const std::string& label,
                           std::vector<std::string>* notes) {
  const auto it = pod.meta.labels.find(label);
  const std::string value = it == pod.meta.labels.end() ? "" : it->second;
  if (value == "prefill" || value == "encode-prefill") return Role::kPrefill;
  if (value == "decode") return Role::kDecode;
  for (const char* both : {"prefill-decode", "both", "encode-prefill-decode"}) {
    if (value == both) return Role::kBoth;
  }
  notes->push_back(fmt::format(
      "Pod {}: label {}: must be prefill, decode or prefill-decode, got \"{}\": not used",
      pod.meta.name, label, value));
  return std::nullopt;
}

bool HasEnded(const api::Pod& pod) {
  return pod.meta.terminating || pod.phase == "Succeeded" || pod.phase == "Failed";
}

// Whether requests may be sent to the Pod. On a cluster a Pod without an address gets one when it
// is started; in files nobody else will give it one.
bool MayReceive(const Context& context, const api::Pod& pod, std::vector<std::string>* notes) {
  if (HasEnded(pod)) return false;
  if (pod.ip.empty() && context.options.only_controller) {
    notes->push_back(fmt::format("Pod {}: status.podIP is not given: not used", pod.meta.name));
  }
  return pod.ready && !pod.ip.empty();
}

// Collects endpoints, each address once: two Pods on the host's network cannot share a port, so a
// second one of an address is a left-over.
class Collector {
 public:
  explicit Collector(EndpointTable& table) : table_(table) {}

  void Add(Endpoint endpoint) {
    const bool is_v6 = endpoint.ip.find(':') != std::string::npos;
    endpoint.address = is_v6 ? fmt::format("[{}]:{}", endpoint.ip, endpoint.port)
                             : fmt::format("{}:{}", endpoint.ip, endpoint.port);
    endpoint.state = table_.Get(endpoint.address);
    if (!seen_.insert(endpoint.state.get()).second) {
      ++shadowed_;
      return;
    }
    endpoints_.push_back(std::move(endpoint));
  }
  size_t shadowed() const { return shadowed_; }
  std::vector<Endpoint> Take() { return std::move(endpoints_); }

 private:
  EndpointTable& table_;
  absl::flat_hash_set<const EndpointState*> seen_;
  std::vector<Endpoint> endpoints_;
  size_t shadowed_ = 0;
};

void AddPod(const Context& context, const PodSelection& selection, const api::Pod& pod,
            std::vector<std::string>* notes, Collector* collector) {
  if (!MayReceive(context, pod, notes)) return;
  std::vector<int> ports = selection.ports;
  if (pod.target_port) ports = {*pod.target_port};
  if (ports.empty()) return;
  Endpoint endpoint;
  endpoint.ns = pod.meta.ns;
  endpoint.name = pod.meta.name;
  endpoint.ip = pod.ip;
  endpoint.runtime = RuntimeOf(pod, selection.runtime, notes);
  if (selection.role_label != nullptr) {
    const std::optional<Role> role = RoleOf(pod, *selection.role_label, notes);
    if (!role) return;
    endpoint.role = *role;
  }
  for (const int port : ports) {
    endpoint.port = static_cast<uint16_t>(port);
    collector->Add(endpoint);
  }
}

// Looks Pods up in the order of their names. Of a pool that selects most of them the next one is
// near the one before: a few steps cost less than a search.
class PodFinder {
 public:
  explicit PodFinder(const std::map<api::ObjectKey, api::Pod>& pods)
      : pods_(pods), at_(pods.begin()) {}

  // REQUIRES: there is such a Pod
  const api::Pod& Find(const std::string& ns, const std::string& name) {
    constexpr int kSteps = 4;
    for (int i = 0; i < kSteps && at_ != pods_.end(); ++i, ++at_) {
      if (at_->first.name == name && at_->first.ns == ns) return (at_++)->second;
    }
    at_ = pods_.find({ns, name});
    CHECK(at_ != pods_.end());
    return (at_++)->second;
  }

 private:
  const std::map<api::ObjectKey, api::Pod>& pods_;
  std::map<api::ObjectKey, api::Pod>::const_iterator at_;
};

// The slice's port that belongs to the Service's: they share their name.
std::optional<int> PortOf(const api::EndpointSlice& slice, const api::ServicePort& port) {
  for (const api::SlicePort& candidate : slice.ports) {
    if (candidate.name == port.name && candidate.protocol == port.protocol) return candidate.port;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Endpoint> EndpointsOfPods(const Context& context, const PodSelection& selection,
                                      std::vector<std::string>* notes, size_t* shadowed) {
  Collector collector(context.endpoints);
  PodFinder pods(context.resources.pods);
  for (const std::string& name : context.index.PodsOf(selection.ns, selection.selector)) {
    AddPod(context, selection, pods.Find(selection.ns, name), notes, &collector);
  }
  *shadowed = collector.shadowed();
  return collector.Take();
}

std::optional<std::vector<Endpoint>> ChangedEndpoints(const Context& context,
                                                      const PodSelection& selection,
                                                      std::span<const Endpoint> before,
                                                      const std::set<std::string>& changed) {
  Collector collector(context.endpoints);
  std::vector<std::string> notes;
  const ObjectIndex::Names& selected = context.index.PodsOf(selection.ns, selection.selector);
  for (const std::string& name : changed) {
    if (!selected.contains(name)) continue;
    AddPod(context, selection, context.resources.pods.at({selection.ns, name}), &notes, &collector);
  }
  std::vector<Endpoint> added = collector.Take();
  const auto is_shadow = [&](const Endpoint& kept) {
    return std::any_of(added.begin(), added.end(),
                       [&](const Endpoint& each) { return each.state == kept.state; });
  };
  std::vector<Endpoint> result;
  result.reserve(before.size() + added.size());
  auto next = added.begin();
  for (const Endpoint& kept : before) {
    if (changed.contains(kept.name)) continue;
    while (next != added.end() && next->name < kept.name) result.push_back(*next++);
    if (is_shadow(kept)) return std::nullopt;
    result.push_back(kept);
  }
  result.insert(result.end(), next, added.end());
  if (!notes.empty() || collector.shadowed() > 0) return std::nullopt;
  return result;
}

std::vector<Endpoint> EndpointsOfSlices(const Context& context, const std::string& ns,
                                        const std::string& service, const api::ServicePort& port) {
  Collector collector(context.endpoints);
  std::vector<std::string> notes;  // a Service has no conditions to put them in
  for (const std::string& name : context.index.SlicesOf(ns, service)) {
    const api::EndpointSlice& slice = context.resources.endpoint_slices.at({ns, name});
    const std::optional<int> number = PortOf(slice, port);
    if (!number || slice.address_type == "FQDN") continue;
    for (const api::SliceEndpoint& member : slice.endpoints) {
      if (!member.ready || member.terminating || member.addresses.empty()) continue;
      Endpoint endpoint;
      endpoint.ns = ns;
      // The addresses of one endpoint are interchangeable; consumers use the first.
      endpoint.ip = member.addresses.front();
      endpoint.name = member.pod_name.empty() ? endpoint.ip : member.pod_name;
      endpoint.port = static_cast<uint16_t>(*number);
      const auto pod = context.resources.pods.find({ns, member.pod_name});
      if (pod != context.resources.pods.end()) {
        endpoint.runtime = RuntimeOf(pod->second, Runtime::kVllm, &notes);
      }
      collector.Add(std::move(endpoint));
    }
  }
  return collector.Take();
}

std::vector<Endpoint> EndpointsOfHost(const Context& context, const std::string& ns,
                                      const std::string& host, int port) {
  std::vector<std::string> ips;
  if (api::IsIpAddress(host)) {
    ips.push_back(host);
  } else {
    const auto known = context.options.names->find(host);
    if (known != context.options.names->end()) ips = known->second.ips;
  }
  Collector collector(context.endpoints);
  for (std::string& ip : ips) {
    Endpoint endpoint;
    endpoint.ns = ns;
    endpoint.name = host;
    endpoint.ip = std::move(ip);
    endpoint.port = static_cast<uint16_t>(port);
    collector.Add(std::move(endpoint));
  }
  return collector.Take();
}

}  // namespace gw::internal
