#include "translate/destinations.h"

#include <absl/strings/match.h>
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "api/annotations.h"
#include "base/suggest.h"
#include "translate/endpoint_access.h"

namespace gw::internal {
namespace {

// "InferencePool default/qwen"
std::string NameOf(const api::BackendRef& ref) {
  return fmt::format("{} {}/{}", ref.kind, ref.ns, ref.name);
}

bool IsInferenceGroup(const std::string& group) {
  return group == api::kInferenceGroup || group == api::kInferenceXGroup;
}

ResolvedRef Fails(ResolvedRef result, std::string reason, std::string message) {
  result.reason = std::move(reason);
  result.message = std::move(message);
  return result;
}

ResolvedRef Leads(ResolvedRef result, uint32_t index) {
  result.destination.kind = Destination::Kind::kPool;
  result.destination.pool = index;
  return result;
}

ResolvedRef ResolvePool(const Context& context, PoolSet& pools, const api::BackendRef& ref,
                        ResolvedRef result) {
  const api::InferencePool* pool = context.resources.FindPool(ref.group, ref.ns, ref.name);
  if (pool == nullptr) {
    std::string message = fmt::format("{} of group {} {}", NameOf(ref), ref.group,
                                      context.WhyMissing(ref.group, ref.kind, ref.ns, ref.name));
    const char* other =
        ref.group == api::kInferenceGroup ? api::kInferenceXGroup : api::kInferenceGroup;
    if (context.resources.FindPool(other, ref.ns, ref.name) != nullptr) {
      message += fmt::format("; one of group {} does", other);
    }
    return Fails(std::move(result), "BackendNotFound", message);
  }
  result.pool = pool;
  if (pool->app_protocol == api::InferencePool::AppProtocol::kH2c) {
    return Fails(
        std::move(result), "UnsupportedProtocol",
        fmt::format("{}: appProtocol kubernetes.io/h2c is not supported yet", NameOf(ref)));
  }
  // The reference's port is not looked at: a pool knows its own.
  return Leads(std::move(result), pools.IndexOf(*pool));
}

ResolvedRef ResolveBackend(const Context& context, PoolSet& pools, const api::BackendRef& ref,
                           ResolvedRef result) {
  const auto found = context.resources.backends.find({ref.ns, ref.name});
  if (found == context.resources.backends.end()) {
    return Fails(std::move(result), "BackendNotFound",
                 fmt::format("{} {}", NameOf(ref),
                             context.WhyMissing(ref.group, ref.kind, ref.ns, ref.name)));
  }
  // Like a pool, it knows its own port.
  return Leads(std::move(result), pools.IndexOf(found->second));
}

// HTTP/1.1 goes to these; the others name HTTP/2 or an upgrade. Of "https" (no name that the API
// knows, but what people write) something must say whom to ask for and what to believe.
bool IsServedProtocol(const Context& context, const api::Service& service,
                      const api::ServicePort& port) {
  if (port.protocol != "TCP") return false;
  if (port.app_protocol.empty() || port.app_protocol == "http" ||
      port.app_protocol == "kubernetes.io/http") {
    return true;
  }
  return absl::EqualsIgnoreCase(port.app_protocol, "https") &&
         HasTlsPolicy(context, {"", "Service", service.meta.ns, service.meta.name, port.name});
}

std::optional<api::ServicePort> FindPort(const api::Service& service, int number) {
  for (const api::ServicePort& port : service.ports) {
    if (port.port == number) return port;
  }
  // A name needs no list of ports.
  if (service.type != "ExternalName" || !service.ports.empty()) return std::nullopt;
  api::ServicePort port;
  port.port = number;
  return port;
}

ResolvedRef ResolveService(const Context& context, PoolSet& pools, const api::BackendRef& ref,
                           ResolvedRef result) {
  const api::Service* service = context.resources.FindService(ref.ns, ref.name);
  if (service == nullptr) {
    return Fails(
        std::move(result), "BackendNotFound",
        fmt::format("{} {}", NameOf(ref), context.WhyMissing("", "Service", ref.ns, ref.name)));
  }
  const bool external = service->type == "ExternalName";
  if (external && !context.options.allow_external_name) {
    return Fails(std::move(result), "BackendNotFound",
                 fmt::format("{} is of type ExternalName, which is served with "
                             "--allow-external-name only: whoever may write Services would reach "
                             "whatever the gateway does (CVE-2021-25740)",
                             NameOf(ref)));
  }
  if (external && service->external_name.empty()) {
    return Fails(
        std::move(result), "BackendNotFound",
        fmt::format("{} is of type ExternalName and has no spec.externalName", NameOf(ref)));
  }
  const int number = ref.port.value_or(0);  // the schema asks for it
  const std::optional<api::ServicePort> port = FindPort(*service, number);
  if (!port) {
    return Fails(std::move(result), "BackendNotFound",
                 fmt::format("{} has no port {}", NameOf(ref), number));
  }
  if (!IsServedProtocol(context, *service, *port)) {
    const std::string& protocol = port->app_protocol.empty() ? port->protocol : port->app_protocol;
    return Fails(std::move(result), "UnsupportedProtocol",
                 fmt::format("{} port {}: protocol {} is not supported yet, only http is",
                             NameOf(ref), port->port, protocol));
  }
  const std::optional<uint32_t> index = pools.IndexOf(context, *service, *port);
  if (!index) {
    return Fails(
        std::move(result), "BackendNotFound",
        fmt::format("{} port {}: nothing says which number targetPort \"{}\" has; give an "
                    "EndpointSlice, a number, or annotation {} on the Pods",
                    NameOf(ref), port->port, port->target_port_name, api::kTargetPortAnnotation));
  }
  result.service = service;
  return Leads(std::move(result), *index);
}

}  // namespace

ResolvedRef Resolve(const Context& context, PoolSet& pools, const api::HttpRoute& route,
                    const api::BackendRef& ref) {
  ResolvedRef result;
  result.destination.weight = static_cast<uint32_t>(ref.weight);
  const bool is_service = ref.group.empty() && ref.kind == "Service";
  const bool is_pool = IsInferenceGroup(ref.group) && ref.kind == "InferencePool";
  const bool is_backend = ref.group == api::kPenstockGroup && ref.kind == "Backend";
  if (!is_service && !is_pool && !is_backend) {
    std::string message = fmt::format(
        "backendRef {}: must be a Service, an InferencePool or a Backend of group {}, "
        "got {}{}{}",
        ref.name, api::kPenstockGroup, ref.group, ref.group.empty() ? "" : "/", ref.kind);
    if (ref.kind == "InferencePool") {
      message = fmt::format("backendRef {}: group: {} for an InferencePool, wanted {} or {}",
                            ref.name, ref.group.empty() ? "is missing" : "is not right",
                            api::kInferenceGroup, api::kInferenceXGroup);
    } else if (ref.kind == "Service") {
      message = fmt::format("backendRef {}: group: must not be given for a Service, got {}",
                            ref.name, ref.group);
    } else {
      constexpr std::string_view kKinds[] = {"Service", "InferencePool", "Backend"};
      message += DidYouMean(ref.kind, kKinds);
    }
    return Fails(std::move(result), "InvalidKind", std::move(message));
  }
  // Before the object is looked for: who may not refer to it need not learn whether it exists.
  if (ref.ns != route.meta.ns &&
      !context.resources.Granted(api::kGatewayGroup, "HTTPRoute", route.meta.ns, ref.group,
                                 ref.kind, ref.ns, ref.name)) {
    return Fails(
        std::move(result), "RefNotPermitted",
        fmt::format("{}: no ReferenceGrant in namespace {} permits it", NameOf(ref), ref.ns));
  }
  if (is_backend) return ResolveBackend(context, pools, ref, std::move(result));
  return is_pool ? ResolvePool(context, pools, ref, std::move(result))
                 : ResolveService(context, pools, ref, std::move(result));
}

}  // namespace gw::internal
