// What an InferencePool's annotations say about how it is served.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/inference.h"
#include "flowcontrol/admission.h"
#include "flowcontrol/breaker.h"
#include "flowcontrol/request_queue.h"
#include "pool/pool.h"
#include "prefix/block_hash.h"

namespace gw::internal {

struct PoolSettings {
  Runtime runtime = Runtime::kVllm;
  std::string strategy = "DEFAULT";  // that scheduling's ReadStrategy takes
  PrefixOptions prefix;
  bool asks_stream_usage = false;
  std::optional<Duration> stream_keepalive;
  std::string fallback;  // a Backend's name; empty: none
  SaturationLimits saturation;
  std::optional<QueueOptions> queueing;
  BreakerLimits breaker;
  bool builtin_picker = false;  // asked for
  bool https = false;           // how endpoints are spoken to
  bool verifies_endpoints = true;
  std::string endpoint_server_name;  // empty: their certificates must have their addresses
  std::string endpoint_credentials;  // name of a Secret; empty: none are sent
  bool access_is_wrong = false;      // of these annotations one is
  // What is wrong, by annotation. A pool with errors is refused: the user asked for something, and
  // to serve the default in its place would look as if it were had.
  std::vector<std::string> errors;
};

// Sets *runtime to the one of that name ("vllm", "trt-llm", ...), as labels or annotations spell
// it. False if there is none.
bool ReadRuntime(std::string_view name, Runtime* runtime);
// "must be vllm, ..., got "x"": for a name that ReadRuntime does not know.
std::string RuntimeWanted(std::string_view got);

PoolSettings ReadPoolSettings(const api::InferencePool& pool);

}  // namespace gw::internal
