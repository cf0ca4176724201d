#include "translate/disaggregation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "api/annotations.h"
#include "api/names.h"
#include "scheduling/registry.h"
#include "scheduling/strategy.h"

namespace gw::internal {
namespace {

constexpr uint64_t kUncachedTokensMinMax = 1'000'000'000;

// The policy's own settings.
struct Settings {
  std::optional<Duration> bootstrap_timeout;
  std::optional<uint64_t> uncached_tokens_min;
  std::vector<std::string> errors;
};

// What is wrong with the value, "" if nothing is.
std::string ReadAnnotation(const std::string& key, const std::string& value, Settings* settings) {
  if (std::string why = api::WhyUnknown("InferenceTrafficPolicy", key); !why.empty()) return why;
  if (key == api::kBootstrapTimeoutAnnotation) {
    settings->bootstrap_timeout = api::ParseDuration(value);
    if (settings->bootstrap_timeout && *settings->bootstrap_timeout > Duration(0)) return "";
    return fmt::format("must be a duration above 0 like 30s, got \"{}\"", value);
  }
  if (key == api::kUncachedTokensMinAnnotation) {
    uint64_t number = 0;
    const char* end = value.data() + value.size();
    const auto [stopped, error] = std::from_chars(value.data(), end, number);
    settings->uncached_tokens_min = number;
    if (error == std::errc() && stopped == end && number <= kUncachedTokensMinMax) return "";
    return fmt::format("must be 0..{}, got \"{}\"", kUncachedTokensMinMax, value);
  }
  return "";  // another's
}

Settings ReadSettings(const api::InferenceTrafficPolicy& policy) {
  Settings settings;
  for (const auto& [key, value] : policy.meta.annotations) {
    const std::string error = ReadAnnotation(key, value, &settings);
    if (error.empty()) continue;
    settings.errors.push_back(
        fmt::format("annotation {}: {}{}", key, error, policy.meta.WhereAnnotation(key)));
  }
  return settings;
}

bool CanTransfer(Runtime runtime) {
  return runtime == Runtime::kVllm || runtime == Runtime::kSglang;
}

Pool EmptyLike(const Pool& pool) {
  Pool empty = pool;
  empty.endpoints.clear();
  return empty;
}

void SetPrefill(const Pool& pool, Disaggregation* made) {
  for (const Runtime runtime : {Runtime::kVllm, Runtime::kSglang}) {
    Pool prefill = EmptyLike(pool);
    for (const Endpoint& endpoint : pool.endpoints) {
      if (endpoint.role == Role::kDecode || endpoint.runtime != runtime) continue;
      prefill.endpoints.push_back(endpoint);
    }
    if (!prefill.endpoints.empty()) made->prefill.emplace_back(runtime, std::move(prefill));
  }
}

void SetDecode(const Pool& pool, Disaggregation* made, std::vector<std::string>* notes) {
  made->decode = EmptyLike(pool);
  made->whole = EmptyLike(pool);
  for (const Endpoint& endpoint : pool.endpoints) {
    if (!CanTransfer(endpoint.runtime)) {
      notes->push_back(fmt::format("Pod {}: {} cannot be disaggregated: not used", endpoint.name,
                                   NameOf(endpoint.runtime)));
      continue;
    }
    if (endpoint.role == Role::kPrefill) continue;
    if (made->PrefillOf(endpoint.runtime) == nullptr && !ServesAlone(endpoint)) {
      notes->push_back(fmt::format("Pod {}: no ready prefill endpoint runs {}: not used",
                                   endpoint.name, NameOf(endpoint.runtime)));
      continue;
    }
    made->decode.endpoints.push_back(endpoint);
    if (ServesAlone(endpoint)) made->whole.endpoints.push_back(endpoint);
  }
}

}  // namespace

std::vector<std::string> DisaggregationErrors(const api::InferenceTrafficPolicy& policy) {
  std::vector<std::string> errors = ReadSettings(policy).errors;
  if (!policy.pd) return errors;
  if (policy.runtime == "trt-llm") {
    errors.push_back(
        "spec.modelServerRuntime: trt-llm cannot be disaggregated; wanted sglang or vllm" +
        policy.meta.Where("spec.modelServerRuntime"));
  }
  if (policy.runtime == "sglang" && !policy.pd->bootstrap_port) {
    errors.push_back("spec.profile.pd.kvTransfer.bootstrapPort: is required for sglang" +
                     policy.meta.Where("spec.profile.pd.kvTransfer"));
  }
  return errors;
}

std::shared_ptr<const Disaggregation> MakeDisaggregation(const api::InferenceTrafficPolicy& policy,
                                                         const Pool& pool,
                                                         std::vector<std::string>* notes) {
  auto made = std::make_shared<Disaggregation>();
  const api::Disaggregation& pd = *policy.pd;
  const Settings settings = ReadSettings(policy);
  SetPrefill(pool, made.get());
  SetDecode(pool, made.get(), notes);
  made->prefill_uses_prefix = !pd.prefill_policy_ref.empty();
  made->decode_uses_prefix = !pd.decode_policy_ref.empty();
  const auto profile = [](bool prefix) {
    return ProfileFor(prefix ? RoutingStrategy::kPrefixCache : RoutingStrategy::kDefault);
  };
  made->prefill_profile = profile(made->prefill_uses_prefix);
  made->decode_profile = profile(made->decode_uses_prefix);
  // A rule of the pool's is that of both halves.
  if (const auto own = ReadStrategy(pool.strategy); own.ok() && (*own)->rule() != nullptr) {
    made->prefill_profile = made->decode_profile = *own;
    made->prefill_uses_prefix = made->decode_uses_prefix = (*own)->reads_prefix();
  }
  if (pd.bootstrap_port) made->bootstrap_port = static_cast<uint16_t>(*pd.bootstrap_port);
  if (settings.bootstrap_timeout) made->bootstrap_timeout = *settings.bootstrap_timeout;
  const bool any_both = std::any_of(pool.endpoints.begin(), pool.endpoints.end(),
                                    [](const Endpoint& e) { return e.role == Role::kBoth; });
  made->uncached_tokens_min = settings.uncached_tokens_min.value_or(
      any_both ? Disaggregation::kUncachedTokensMinDefault : 0);
  return made;
}

}  // namespace gw::internal
