#include "translate/extension_ref.h"

#include <fmt/format.h>

#include <set>
#include <string>

#include "api/annotations.h"

namespace gw::internal {
namespace {

// Whether the flags say that our picker stands in for that Service.
bool IsBuiltIn(const Context& context, const std::string& ns, const std::string& service) {
  const std::set<std::string>& names = context.options.builtin_pickers;
  return names.contains("*") || names.contains(service) || names.contains(ns + "/" + service);
}

// Whether the Service says so itself.
bool IsOurs(const api::Service& service) {
  const auto label = service.meta.labels.find(api::kPickerLabel);
  return label != service.meta.labels.end() && label->second == api::kBuiltInPicker;
}

bool IsPickedForWithoutService(const Context& context, const api::InferencePool& pool) {
  return context.options.missing_picker == MissingPicker::kBuiltIn || pool.v1alpha2();
}

}  // namespace

Verdict ExtensionVerdict(const Context& context, const api::InferencePool& pool, bool builtin) {
  if (!pool.extension_ref) return Holds("ResolvedRefs", "the built-in endpoint picker");
  const api::ExtensionRef& ref = *pool.extension_ref;
  if (builtin) {
    return Holds("ResolvedRefs", fmt::format("the built-in endpoint picker, in place of {} {}/{}",
                                             ref.kind, pool.meta.ns, ref.name));
  }
  const auto invalid = [&](const std::string& why) {
    return Refused("InvalidExtensionRef", fmt::format("{}: {}{}", pool.extension_field(), why,
                                                      pool.meta.Where(pool.extension_field())));
  };
  if (!ref.group.empty() || ref.kind != "Service") {
    return invalid(fmt::format("must be a Service, got {}{}{}", ref.group,
                               ref.group.empty() ? "" : "/", ref.kind));
  }
  if (IsBuiltIn(context, pool.meta.ns, ref.name)) {
    return Holds("ResolvedRefs", fmt::format("the built-in endpoint picker, in place of Service "
                                             "{}/{} (--picker-names)",
                                             pool.meta.ns, ref.name));
  }
  const api::Service* service = context.resources.FindService(pool.meta.ns, ref.name);
  if (service != nullptr && service->type == "ExternalName") {
    return invalid(
        fmt::format("Service {}/{} must not be of type ExternalName", pool.meta.ns, ref.name));
  }
  if (service != nullptr && IsOurs(*service)) {
    return Holds("ResolvedRefs",
                 fmt::format("the built-in endpoint picker, as Service {}/{} is "
                             "labelled {}: {}",
                             pool.meta.ns, ref.name, api::kPickerLabel, api::kBuiltInPicker));
  }
  if (service != nullptr) {
    return invalid(
        fmt::format("Service {}/{} is an external endpoint picker, which is not supported yet; "
                    "annotation {}: built-in, or --picker-names {}, lets the built-in one pick",
                    pool.meta.ns, ref.name, api::kPickerAnnotation, ref.name));
  }
  if (context.IsInvalid("", "Service", pool.meta.ns, ref.name)) {
    return invalid(fmt::format("Service {}/{} is invalid", pool.meta.ns, ref.name));
  }
  if (!IsPickedForWithoutService(context, pool)) {
    return invalid(fmt::format("Service {}/{} does not exist", pool.meta.ns, ref.name));
  }
  return Holds("ResolvedRefs",
               fmt::format("the built-in endpoint picker, there is no Service {}/{}", pool.meta.ns,
                           ref.name));
}

}  // namespace gw::internal
