#include "translate/api_keys.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "api/annotations.h"
#include "translate/secret_token.h"

namespace gw::internal {
namespace {

RateLimits LimitsOf(const api::RateLimits& own, const api::RateLimits& defaults) {
  return {own.requests_per_minute ? own.requests_per_minute : defaults.requests_per_minute,
          own.tokens_per_minute ? own.tokens_per_minute : defaults.tokens_per_minute};
}

// What a Secret grants its owners they have once, wherever their keys are good; what is the default
// of a Gateway or route, once there.
std::shared_ptr<const KeyOwner> OwnerOf(Context& context, const api::Secret& secret,
                                        const api::KeyAccess& access, const std::string& scope,
                                        const std::string& name) {
  auto owner = std::make_shared<KeyOwner>();
  owner->name = name;
  owner->queue_terms = {secret.queue_terms.weight, secret.queue_terms.requests_max,
                        secret.queue_terms.tokens_max};
  const RateLimits limits = LimitsOf(secret.limits, access.limits);
  if (!limits.requests_per_minute && !limits.tokens_per_minute) return owner;
  const std::string where = secret.limits.any() ? secret.meta.ns : scope;
  owner->meter = context.rate_meters->Get(where + "/" + name, limits);
  return owner;
}

}  // namespace

std::shared_ptr<const ApiKeys> MakeApiKeys(Context& context, const api::KeyAccess& access,
                                           const std::string& ns, const std::string& scope) {
  auto keys = std::make_shared<ApiKeys>(access.forward);
  bool selected = false;
  for (const auto& [key, secret] : context.resources.secrets) {
    if (secret.meta.ns != ns || !api::LabelsMatch(access.labels, secret.meta.labels)) continue;
    selected = true;
    const auto warn = [&](const std::string& owner, std::string_view fault) {
      context.warnings.push_back(fmt::format("Secret {}/{}: data.{}: {}{}", secret.meta.ns,
                                             secret.meta.name, owner, fault,
                                             secret.meta.Where("data")));
    };
    for (const auto& [name, value] : secret.data) {
      const std::string_view text = WithoutLineEnd(value);
      if (!IsApiKey(text)) {
        warn(name, fmt::format("must be an API key of 1 to 512 visible ASCII characters, got {} "
                               "bytes: nobody can ask with it",
                               value.size()));
      } else if (!keys->Add(text, OwnerOf(context, secret, access, scope, name))) {
        warn(name, "is the key of another owner, too, whose it stays");
      }
    }
  }
  if (!selected) {
    context.warnings.push_back(fmt::format(
        "{}: annotation {}: no Secret in namespace {} has these labels: every request is answered "
        "401",
        scope, api::kApiKeysAnnotation, ns));
  }
  return keys;
}

}  // namespace gw::internal
