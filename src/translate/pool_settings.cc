#include "translate/pool_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "absl/strings/numbers.h"
#include "api/annotations.h"
#include "api/names.h"
#include "base/check.h"
#include "base/suggest.h"
#include "scheduling/strategy.h"
#include "translate/annotation_values.h"
#include "translate/queue_settings.h"

namespace gw::internal {
namespace {

// Shorter blocks than a few tokens say little and cost an index entry each; longer ones than a long
// prompt are never full.
constexpr size_t kBlockCharsMin = 16;
constexpr size_t kBlockCharsMax = 65536;
// More than the largest body has of the shortest blocks is a slip.
constexpr size_t kBlocksMaxMax = 4'194'304;

constexpr size_t kSaturationMax = 1'000'000;

constexpr std::string_view kOwnPrefix = "penstock.dev/";
constexpr std::string_view kStrategies[] = {"DEFAULT", "PREFIX_CACHE"};
// Annotations of the inference extension's group that are read; one that is nearly one of them is a
// slip, another is for other implementations.
constexpr std::string_view kExtensionAnnotations[] = {api::kRuntimeAnnotation,
                                                      api::kStrategyAnnotation};

// As the annotation of Alibaba Cloud's product spells them, and as the inference extension's label
// does: both are taken in both places.
struct RuntimeName {
  std::string_view name;
  Runtime runtime;
};
constexpr RuntimeName kRuntimeNames[] = {
    {"vllm", Runtime::kVllm},      {"sglang", Runtime::kSglang},
    {"trt-llm", Runtime::kTrtLlm}, {"trtllm-serve", Runtime::kTrtLlm},
    {"trtllm", Runtime::kTrtLlm},  {"triton-tensorrt-llm", Runtime::kTriton},
    {"triton", Runtime::kTriton}};

// These return what is wrong with the value, "" if nothing is.

// How endpoints are spoken to; nullopt: it is not about that.
std::optional<std::string> ReadAccess(const std::string& key, const std::string& value,
                                      PoolSettings* settings) {
  if (key == api::kEndpointSchemeAnnotation) {
    settings->https = value == "https";
    if (value == "https" || value == "http") return "";
    return fmt::format("must be http or https, got \"{}\"", value);
  }
  if (key == api::kEndpointTlsVerifyAnnotation) {
    const std::string error = ReadBool(value, &settings->verifies_endpoints);
    if (!error.empty()) settings->verifies_endpoints = true;
    return error;
  }
  if (key == api::kEndpointTlsServerNameAnnotation) {
    settings->endpoint_server_name = value;
    if (api::IsDnsSubdomain(value) || api::IsIpAddress(value)) return "";
    return fmt::format("must be a DNS name or an IP address, got \"{}\"", value);
  }
  if (key == api::kEndpointCredentialsAnnotation) {
    settings->endpoint_credentials = value;
    if (api::IsDnsSubdomain(value)) return "";
    return fmt::format("must be the name of a Secret in the pool's namespace, got \"{}\"", value);
  }
  return std::nullopt;
}

// What each endpoint has when it is saturated; nullopt: it is not about that.
std::optional<std::string> ReadSaturation(const std::string& key, const std::string& value,
                                          SaturationLimits* limits) {
  size_t most = 0;
  if (key == api::kSaturationWaitingAnnotation) {
    std::string error = ReadNumber(value, 0, kSaturationMax, &most);
    if (error.empty()) limits->waiting_requests_max = static_cast<float>(most);
    return error;
  }
  if (key == api::kSaturationRequestsAnnotation) {
    std::string error = ReadNumber(value, 1, kSaturationMax, &most);
    if (error.empty()) limits->requests_max = static_cast<int64_t>(most);
    return error;
  }
  if (key == api::kSaturationKvCacheAnnotation) {
    float ratio = 0;
    if (absl::SimpleAtof(value, &ratio) && ratio > 0 && ratio <= 1) {
      limits->kv_cache_utilization_ratio_max = ratio;
      return "";
    }
    return fmt::format("must be a ratio above 0 and at most 1, such as 0.8, got \"{}\"", value);
  }
  return std::nullopt;
}

// It goes before the product's annotation, which is read before it, in the order of their names.
std::string ReadRoutingStrategy(const std::string& value, PoolSettings* settings) {
  const auto profile = ReadStrategy(value);
  if (!profile.ok()) return std::string(profile.status().message());
  settings->strategy = value;
  return "";
}

std::string ReadOwn(const std::string& key, const std::string& value, PoolSettings* settings) {
  if (std::string why = api::WhyUnknown("InferencePool", key); !why.empty()) return why;
  if (key == api::kRoutingStrategyAnnotation) return ReadRoutingStrategy(value, settings);
  if (key == api::kPrefixBlockCharsAnnotation) {
    return ReadNumber(value, kBlockCharsMin, kBlockCharsMax, &settings->prefix.block_chars);
  }
  if (key == api::kPrefixBlocksMaxAnnotation) {
    return ReadNumber(value, 1, kBlocksMaxMax, &settings->prefix.blocks_max);
  }
  if (key == api::kStreamUsageAnnotation) {
    return ReadBool(value, &settings->asks_stream_usage);
  }
  if (key == api::kStreamKeepaliveAnnotation) {
    settings->stream_keepalive = api::ParseStreamKeepalive(value);
    if (settings->stream_keepalive) return "";
    return fmt::format("{}, got \"{}\"", api::kStreamKeepaliveWanted, value);
  }
  if (key == api::kMaxRequestsAnnotation) {
    size_t most = 0;
    std::string error = ReadNumber(value, 1, api::kMaxRequestsMax, &most);
    if (error.empty()) settings->breaker.requests_max = static_cast<int64_t>(most);
    return error;
  }
  if (key == api::kFallbackAnnotation) {
    settings->fallback = value;
    if (api::IsDnsSubdomain(value)) return "";
    return fmt::format("must be the name of a Backend, got \"{}\"", value);
  }
  if (auto error = ReadSaturation(key, value, &settings->saturation)) return *std::move(error);
  if (const auto error = ReadAccess(key, value, settings)) {
    settings->access_is_wrong |= !error->empty();
    return *error;
  }
  CHECK(key == api::kPickerAnnotation);
  settings->builtin_picker = value == api::kBuiltInPicker;
  return settings->builtin_picker ? "" : fmt::format("must be built-in, got \"{}\"", value);
}

std::string ReadAnnotation(const std::string& key, const std::string& value,
                           PoolSettings* settings) {
  if (key == api::kRuntimeAnnotation) {
    return ReadRuntime(value, &settings->runtime) ? "" : RuntimeWanted(value);
  }
  if (key == api::kStrategyAnnotation) {
    for (const std::string_view name : kStrategies) {
      if (value != name) continue;
      settings->strategy = name;
      return "";
    }
    return fmt::format("must be DEFAULT or PREFIX_CACHE, got \"{}\"{}", value,
                       DidYouMean(value, kStrategies));
  }
  if (key.starts_with(kOwnPrefix)) return ReadOwn(key, value, settings);
  const std::string meant = DidYouMean(key, kExtensionAnnotations);
  return meant.empty() ? "" : "unknown" + meant;
}

}  // namespace

bool ReadRuntime(std::string_view name, Runtime* runtime) {
  for (const RuntimeName& known : kRuntimeNames) {
    if (name != known.name) continue;
    *runtime = known.runtime;
    return true;
  }
  return false;
}

std::string RuntimeWanted(std::string_view got) {
  std::vector<std::string_view> names;
  for (const RuntimeName& known : kRuntimeNames) names.push_back(known.name);
  return fmt::format(
      "must be vllm, sglang, trt-llm (or trtllm-serve) or triton-tensorrt-llm, got "
      "\"{}\"{}",
      got, DidYouMean(got, names));
}

PoolSettings ReadPoolSettings(const api::InferencePool& pool) {
  PoolSettings settings;
  const auto refuse = [&](const std::string& key, const std::string& error) {
    settings.errors.push_back(
        fmt::format("annotation {}: {}{}", key, error, pool.meta.WhereAnnotation(key)));
  };
  QueueSettings queue = ReadQueueSettings(pool);
  for (const auto& [key, error] : queue.errors) refuse(key, error);
  settings.queueing = std::move(queue.options);
  settings.breaker.waiting_max = queue.waiting_max;
  for (const auto& [key, value] : pool.meta.annotations) {
    if (IsQueueAnnotation(key)) continue;
    const std::string error = ReadAnnotation(key, value, &settings);
    if (!error.empty()) refuse(key, error);
  }
  if (settings.https || settings.access_is_wrong) return settings;
  // Somebody believes that there is TLS.
  for (const char* key :
       {api::kEndpointTlsServerNameAnnotation, api::kEndpointTlsVerifyAnnotation}) {
    if (!pool.meta.annotations.contains(key)) continue;
    settings.access_is_wrong = true;
    refuse(key,
           fmt::format("says something only beside {}: https", api::kEndpointSchemeAnnotation));
  }
  return settings;
}

}  // namespace gw::internal
