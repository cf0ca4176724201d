#include "translate/judge.h"

#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/policies.h"
#include "translate/pool_settings.h"
#include "translate/route_rules.h"

namespace gw {
namespace internal {
namespace {

std::string Judge(const api::GatewayClass& object) { return UnservableText(object); }
std::string Judge(const api::Gateway& object) { return UnservableText(object); }
std::string Judge(const api::HttpRoute& object) { return UnservableText(object); }
std::string Judge(const api::InferenceTrafficPolicy& object) { return RefusedText(object); }
std::string Judge(const api::BackendTlsPolicy& object) {
  return UnsupportedText(object.unsupported);
}
std::string Judge(const api::InferencePool& object) {
  std::vector<std::string> errors = ReadPoolSettings(object).errors;
  const std::string unsupported = UnsupportedText(object.unsupported);
  if (!unsupported.empty()) errors.push_back(unsupported);
  return Join(errors);
}
std::string Judge(const auto&) { return ""; }

}  // namespace
}  // namespace internal

std::string RefusedAlone(const api::Object& object) {
  return std::visit([](const auto& of_kind) { return internal::Judge(of_kind); }, object);
}

}  // namespace gw
