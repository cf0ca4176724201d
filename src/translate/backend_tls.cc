#include "translate/backend_tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "translate/tls_memory.h"
#include "translate/tls_refs.h"

namespace gw::internal {
namespace {

bool IsService(const api::BackendTlsPolicy::Target& target) {
  return target.group.empty() && target.kind == "Service";
}

bool IsPool(const api::BackendTlsPolicy::Target& target) {
  return target.kind == "InferencePool" &&
         (target.group == api::kInferenceGroup || target.group == api::kInferenceXGroup);
}

// "Service default/web, port https"
std::string NameOf(const api::BackendTlsPolicy& policy,
                   const api::BackendTlsPolicy::Target& target) {
  return fmt::format("{} {}/{}{}{}", target.kind, policy.meta.ns, target.name,
                     target.section.empty() ? "" : ", port ", target.section);
}

std::string KeyOf(const api::ObjectMeta& meta) {
  return fmt::format("BackendTLSPolicy {}/{}", meta.ns, meta.name);
}

// Keeps the first reason; the message has them all.
void Refuse(const char* reason, const std::string& message, Verdict* verdict) {
  if (verdict->ok()) {
    *verdict = Refused(reason, message);
  } else {
    verdict->message += "; " + message;
  }
}

ClientTls::Options NamesOf(const api::BackendTlsPolicy& policy) {
  using Type = api::BackendTlsPolicy::AltName::Type;
  ClientTls::Options options;
  options.server_name = policy.hostname;
  for (const api::BackendTlsPolicy::AltName& name : policy.alt_names) {
    options.alt_names.push_back({name.type == Type::kUri ? ClientTls::AltName::Type::kUri
                                                         : ClientTls::AltName::Type::kHostname,
                                 name.value});
  }
  return options;
}

// What endpoints' certificates must lead to; nullptr, and refused, if nothing is left of it.
std::shared_ptr<const Trust> TrustOf(Context& context, const api::BackendTlsPolicy& policy,
                                     Verdict* accepted, Verdict* resolved) {
  constexpr char kPath[] = "spec.validation.caCertificateRefs";
  if (policy.system_cas) {
    auto system = context.tls_memory.SystemTrust(context.options);
    if (system.ok()) return *std::move(system);
    const std::string path = "spec.validation.wellKnownCACertificates";
    Refuse("Invalid",
           fmt::format("{}: {}{}", path, std::string(system.status().message()),
                       policy.meta.Where(path)),
           accepted);
    return nullptr;
  }
  std::string pem;
  std::vector<std::string> sources;
  const Referrer referrer{api::kGatewayGroup, "BackendTLSPolicy", policy.meta.ns};
  for (size_t i = 0; i < policy.ca_refs.size(); ++i) {
    // The Gateway API wants a policy without a valid authority to fail its traffic.
    const AuthoritiesRef read = ReadAuthoritiesRef(context, referrer, policy.ca_refs[i],
                                                   "InvalidKind", /*keep_last_good=*/false);
    if (read.fault) {
      const std::string path = fmt::format("{}[{}]", kPath, i);
      Refuse(read.fault.reason.c_str(),
             fmt::format("{}: {}{}", path, read.fault.message, policy.meta.Where(path)), resolved);
    }
    if (read.pem.empty()) continue;
    pem += read.pem;
    sources.push_back(read.source);
  }
  if (!pem.empty()) {
    if (resolved->ok()) resolved->message = Join(sources);
    return context.tls_memory.TrustOf(pem);
  }
  Refuse(
      "NoValidCACertificate",
      fmt::format("{}: there is no authority to check endpoints by: {}", kPath, resolved->message),
      accepted);
  return nullptr;
}

}  // namespace

BackendTlsPolicies::Place BackendTlsPolicies::PlaceOf(const AccessTarget& target,
                                                      const std::string& port) {
  return {target.group, target.kind, target.ns, target.name, port};
}

BackendTlsPolicies::BackendTlsPolicies(Context& context) {
  std::vector<const api::BackendTlsPolicy*> sorted;
  for (const auto& [key, policy] : context.resources.backend_tls_policies) {
    sorted.push_back(&policy);
  }
  // In the order of their names so far.
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->meta.creation_unix_s < b->meta.creation_unix_s;
  });
  for (const auto* policy : sorted) Add(context, *policy);
  for (const api::InvalidObject& object : context.resources.invalid) {
    if (object.ref.kind == "BackendTLSPolicy") AddInvalid(object);
  }
}

void BackendTlsPolicies::Add(Context& context, const api::BackendTlsPolicy& policy) {
  Judged judged{.policy = &policy,
                .tls = {.key = KeyOf(policy.meta), .options = NamesOf(policy)},
                .accepted = Holds("Accepted"),
                .resolved = Holds("ResolvedRefs")};
  const std::string unsupported = UnsupportedText(policy.unsupported);
  if (!unsupported.empty()) Refuse("Invalid", unsupported, &judged.accepted);
  judged.tls.options.trust = TrustOf(context, policy, &judged.accepted, &judged.resolved);
  if (!judged.accepted.ok()) {
    judged.tls.error = fmt::format("{}: {}", judged.tls.key, judged.accepted.message);
    judged.accepted.message += "; requests to its targets are answered 500";
  }
  for (size_t i = 0; i < policy.targets.size(); ++i) AddTarget(context, &judged, i);
  judged_.push_back(std::move(judged));
}

void BackendTlsPolicies::AddTarget(const Context& context, Judged* judged, size_t index) {
  const api::BackendTlsPolicy& policy = *judged->policy;
  const api::BackendTlsPolicy::Target& target = policy.targets[index];
  const std::string path = fmt::format("spec.targetRefs[{}]", index);
  const auto refuse = [&](const char* reason, const std::string& message) {
    Refuse(reason, path + ": " + message + policy.meta.Where(path), &judged->accepted);
  };
  if (!IsService(target) && !IsPool(target)) {
    refuse("Invalid", fmt::format("must be a Service or an InferencePool, got {}{}",
                                  target.group.empty() ? "" : target.group + "/", target.kind));
    return;
  }
  const AccessTarget named{target.group, target.kind, policy.meta.ns, target.name};
  if (IsPool(target) && !target.section.empty()) {
    refuse("Invalid",
           fmt::format("an InferencePool has no sections, got sectionName {}", target.section));
    unusable_.try_emplace(
        PlaceOf(named, ""),
        EndpointTls{.key = judged->tls.key,
                    .error = fmt::format("{}: {}.sectionName: an InferencePool has no sections",
                                         judged->tls.key, path)});
    return;
  }
  const api::Service* service =
      IsService(target) ? context.resources.FindService(policy.meta.ns, target.name) : nullptr;
  if (service == nullptr &&
      (IsService(target) ||
       context.resources.FindPool(target.group, policy.meta.ns, target.name) == nullptr)) {
    refuse("TargetNotFound",
           fmt::format("{} {}/{} {}", target.kind, policy.meta.ns, target.name,
                       context.WhyMissing(target.group, target.kind, policy.meta.ns, target.name)));
    return;
  }
  if (!target.section.empty() &&
      std::none_of(service->ports.begin(), service->ports.end(),
                   [&](const api::ServicePort& port) { return port.name == target.section; })) {
    refuse("TargetNotFound", fmt::format("Service {}/{} has no port named {}", policy.meta.ns,
                                         target.name, target.section));
    return;
  }
  // This one is the next of judged_.
  const auto [first, is_first] =
      in_force_.try_emplace(PlaceOf(named, target.section), judged_.size());
  if (is_first) return;
  const api::ObjectMeta& other = judged_[first->second].policy->meta;
  refuse("Conflicted",
         fmt::format("{} already has BackendTLSPolicy {}, {}", NameOf(policy, target), other.name,
                     WhyFirst(other.creation_unix_s, policy.meta.creation_unix_s, false)));
}

void BackendTlsPolicies::AddInvalid(const api::InvalidObject& object) {
  for (const api::ForeignObject::Target& target : object.targets) {
    unusable_.try_emplace(
        PlaceOf({target.group, target.kind, target.ns, target.name}, target.section),
        EndpointTls{.key = object.ref.ToString(),
                    .error = object.ref.ToString() + ": " + Join(object.errors)});
  }
}

const EndpointTls* BackendTlsPolicies::FindAt(const Place& place) const {
  const auto found = in_force_.find(place);
  if (found != in_force_.end()) return &judged_[found->second].tls;
  const auto unusable = unusable_.find(place);
  return unusable == unusable_.end() ? nullptr : &unusable->second;
}

const EndpointTls* BackendTlsPolicies::Find(const AccessTarget& target) const {
  if (!target.port.empty()) {
    const EndpointTls* of_port = FindAt(PlaceOf(target, target.port));
    if (of_port != nullptr) return of_port;
  }
  return FindAt(PlaceOf(target, ""));
}

void BackendTlsPolicies::WriteStatus(Context& context, const PoolLinks& links) const {
  for (const Judged& judged : judged_) {
    const api::BackendTlsPolicy& policy = *judged.policy;
    const int64_t generation = policy.meta.generation;
    std::map<api::ObjectKey, std::string> ancestors;  // Gateways, with their controllers
    for (const api::BackendTlsPolicy::Target& target : policy.targets) {
      const auto of_target = links.find({target.group, policy.meta.ns, target.name});
      if (of_target == links.end()) continue;
      for (const auto& [gateway, link] : of_target->second) {
        if (link.accepted) ancestors.emplace(gateway, link.controller_name);
      }
    }
    api::ObjectStatus& status = context.StatusOf(RefOf(policy), policy.meta.source);
    for (const auto& [gateway, controller] : ancestors) {
      api::ParentStatus& ancestor = status.parents.emplace_back();
      ancestor.parent_ref = GatewayRef(gateway);
      ancestor.controller_name = controller;
      SetVerdict(&ancestor.conditions, "Accepted", judged.accepted, generation);
      SetVerdict(&ancestor.conditions, "ResolvedRefs", judged.resolved, generation);
    }
    if (!ancestors.empty() || !context.options.only_controller) continue;
    // On a cluster a policy that no Gateway leads to has no entry of ours; a user of files hears
    // what is wrong with it all the same.
    SetVerdict(
        &status.conditions, "Accepted",
        judged.accepted.ok() ? Pending("no HTTPRoute leads to its targets") : judged.accepted,
        generation);
    SetVerdict(&status.conditions, "ResolvedRefs", judged.resolved, generation);
  }
}

}  // namespace gw::internal
