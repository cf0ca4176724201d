// What a simulated model server reads out of a request's body: OpenAI chat completions,
// completions, embeddings and Responses, Anthropic Messages. Written apart from the gateway's own
// parser, so that neither hides the other's mistakes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sim/server/prompt_tokens.h"
#include "sim/server/transfer_fields.h"

namespace gw::sim {

enum class Dialect : uint8_t { kChat, kCompletion, kEmbedding, kResponses, kMessages };

struct RequestBody {
  std::string model;  // empty: not given, which vLLM accepts
  bool stream = false;
  bool include_usage = false;  // stream_options.include_usage
  bool ignore_eos = false;
  std::optional<uint32_t> output_tokens_max;
  uint32_t inputs = 1;   // prompts, or texts to embed
  uint32_t samples = 1;  // `n`: answers to each prompt
  std::string cache_salt;
  PromptTokens prompt;
  NixlParams nixl;
  BootstrapFields bootstrap;

  uint32_t sequences() const { return inputs * samples; }
};

// An answer that says no, in vLLM's words.
struct Refusal {
  int status = 400;
  std::string_view type = "BadRequestError";
  std::string param;  // empty: null
  std::string message;
  int retry_after_s = 0;  // 0: not to be told
};

// One per thread: reuses its buffers.
class RequestBodyReader {
 public:
  // Bytes that must be readable past the end of a body.
  static constexpr size_t kPadding = 64;

  RequestBodyReader();
  ~RequestBodyReader();

  // False: `refusal` says why.
  // REQUIRES: kPadding readable bytes after body.end()
  bool Read(Dialect dialect, std::string_view body, RequestBody* request, Refusal* refusal);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gw::sim
