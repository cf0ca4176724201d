// What an InferencePool's annotations say about how it is served.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/inference.h"
#include "pool/pool.h"
#include "prefix/block_hash.h"

namespace gw::internal {

// Prefix hashing of one pool; both are positive numbers.
inline constexpr char kPrefixBlockCharsAnnotation[] = "penstock.dev/prefix-block-chars";
inline constexpr char kPrefixBlocksMaxAnnotation[] = "penstock.dev/prefix-blocks-max";

struct PoolSettings {
  Runtime runtime = Runtime::kVllm;
  RoutingStrategy strategy = RoutingStrategy::kDefault;
  PrefixOptions prefix;
  std::optional<Duration> stream_keepalive;
  // What is wrong, by annotation. A pool with errors is refused: the user asked for something, and
  // to serve the default in its place would look as if it were had.
  std::vector<std::string> errors;
};

// Sets *runtime to the one of that name ("vllm", "sglang", "trt-llm"). False if there is none.
bool ReadRuntime(std::string_view name, Runtime* runtime);

PoolSettings ReadPoolSettings(const api::InferencePool& pool);

}  // namespace gw::internal
