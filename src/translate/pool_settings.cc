#include "translate/pool_settings.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "api/names.h"
#include "base/suggest.h"

namespace gw::internal {
namespace {

// Shorter blocks than a few tokens say little and cost an index entry each; longer ones than a long
// prompt are never full.
constexpr size_t kBlockCharsMin = 16;
constexpr size_t kBlockCharsMax = 65536;
constexpr size_t kBlocksMaxMax = 16384;

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
  } else if (key == kStreamUsageAnnotation) {
    settings->asks_stream_usage = value == "true";
    if (value != "true" && value != "false") {
      settings->errors.push_back(
          fmt::format("annotation {}: must be \"true\" or \"false\", got \"{}\"", key, value));
    }
  } else if (key == api::kStreamKeepaliveAnnotation) {
    settings->stream_keepalive = api::ParseStreamKeepalive(value);
    if (settings->stream_keepalive) return;
    settings->errors.push_back(
        fmt::format("annotation {}: {}, got \"{}\"", key, api::kStreamKeepaliveWanted, value));
  } else if (key == kPickerAnnotation) {
    settings->builtin_picker = value == "built-in";
    if (settings->builtin_picker) return;
    settings->errors.push_back(
        fmt::format("annotation {}: must be built-in, got \"{}\"", key, value));
  } else {
    settings->errors.push_back(
        fmt::format("annotation {}: unknown; known are {}, {}, {}, {} and {}", key,
                    kPickerAnnotation, kPrefixBlockCharsAnnotation, kPrefixBlocksMaxAnnotation,
                    api::kStreamKeepaliveAnnotation, kStreamUsageAnnotation));
  }
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
  for (const auto& [key, value] : pool.meta.annotations) {
    if (key == api::kRuntimeAnnotation) {
      if (!ReadRuntime(value, &settings.runtime)) {
        settings.errors.push_back(fmt::format("annotation {}: {}", key, RuntimeWanted(value)));
      }
    } else if (key == api::kStrategyAnnotation) {
      if (value == "PREFIX_CACHE") {
        settings.strategy = RoutingStrategy::kPrefixCache;
      } else if (value != "DEFAULT") {
        settings.errors.push_back(
            fmt::format("annotation {}: must be DEFAULT or PREFIX_CACHE, got \"{}\"{}", key, value,
                        DidYouMean(value, kStrategies)));
      }
    } else if (key.starts_with(kOwnPrefix)) {
      ReadOwn(key, value, &settings);
    } else if (const std::string meant = DidYouMean(key, kExtensionAnnotations); !meant.empty()) {
      settings.errors.push_back(fmt::format("annotation {}: unknown{}", key, meant));
    }
  }
  return settings;
}

}  // namespace gw::internal
