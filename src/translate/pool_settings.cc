#include "translate/pool_settings.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "api/names.h"

namespace gw::internal {
namespace {

// Shorter blocks than a few tokens say little and cost an index entry each; longer ones than a long
// prompt are never full.
constexpr size_t kBlockCharsMin = 16;
constexpr size_t kBlockCharsMax = 65536;
constexpr size_t kBlocksMaxMax = 16384;

constexpr std::string_view kOwnPrefix = "penstock.dev/";

void ReadNumber(const std::string& key, const std::string& value, size_t min, size_t max,
                size_t* target, std::vector<std::string>* errors) {
  size_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stopped, error] = std::from_chars(value.data(), end, number);
  if (error == std::errc() && stopped == end && number >= min && number <= max) {
    *target = number;
  } else {
    errors->push_back(
        fmt::format("annotation {}: must be {}..{}, got \"{}\"", key, min, max, value));
  }
}

void ReadOwn(const std::string& key, const std::string& value, PoolSettings* settings) {
  if (key == kPrefixBlockCharsAnnotation) {
    ReadNumber(key, value, kBlockCharsMin, kBlockCharsMax, &settings->prefix.block_chars,
               &settings->errors);
  } else if (key == kPrefixBlocksMaxAnnotation) {
    ReadNumber(key, value, 1, kBlocksMaxMax, &settings->prefix.blocks_max, &settings->errors);
  } else if (key == api::kStreamKeepaliveAnnotation) {
    settings->stream_keepalive = api::ParseStreamKeepalive(value);
    if (!settings->stream_keepalive) {
      settings->errors.push_back(
          fmt::format("annotation {}: {}, got \"{}\"", key, api::kStreamKeepaliveWanted, value));
    }
  } else {
    settings->errors.push_back(fmt::format("annotation {}: unknown; known are {}, {} and {}", key,
                                           kPrefixBlockCharsAnnotation, kPrefixBlocksMaxAnnotation,
                                           api::kStreamKeepaliveAnnotation));
  }
}

}  // namespace

bool ReadRuntime(std::string_view name, Runtime* runtime) {
  for (const Runtime known : {Runtime::kVllm, Runtime::kSglang, Runtime::kTrtLlm}) {
    if (name != NameOf(known)) continue;
    *runtime = known;
    return true;
  }
  return false;
}

PoolSettings ReadPoolSettings(const api::InferencePool& pool) {
  PoolSettings settings;
  for (const auto& [key, value] : pool.meta.annotations) {
    if (key == api::kRuntimeAnnotation) {
      if (!ReadRuntime(value, &settings.runtime)) {
        settings.errors.push_back(
            fmt::format("annotation {}: must be vllm, sglang or trt-llm, got \"{}\"", key, value));
      }
    } else if (key == api::kStrategyAnnotation) {
      if (value == "PREFIX_CACHE") {
        settings.strategy = RoutingStrategy::kPrefixCache;
      } else if (value != "DEFAULT") {
        settings.errors.push_back(
            fmt::format("annotation {}: must be DEFAULT or PREFIX_CACHE, got \"{}\"", key, value));
      }
    } else if (key.starts_with(kOwnPrefix)) {
      ReadOwn(key, value, &settings);
    }
  }
  return settings;
}

}  // namespace gw::internal
