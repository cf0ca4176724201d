// InferenceRequest: what routing needs to know of a request body, and where it stands in the bytes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw {

// The API a path belongs to, by its longest known suffix ("/v1/chat/completions", with any prefix).
// The path is read as model servers read it, with every percent-encoded character decoded, also
// "%2F": what they take for a completion must not pass as something else here.
// kOther is forwarded by load alone and its body is not looked at.
enum class ApiKind : uint8_t {
  kOther,
  kChatCompletions,
  kCompletions,
  kEmbeddings,
  kResponses,
  kMessages,  // Anthropic
  kModels,    // GET or HEAD, /v1/models or /v1/models/NAME
};
ApiKind ClassifyApi(std::string_view method, std::string_view path);
// NAME of a path that is kModels, decoded; empty for the whole list.
std::string ModelOfPath(std::string_view path);
// ID of a path /v1/responses/ID, or one below that; empty if it is another. As it stands there: the
// ids that model servers make need no encoding.
std::string_view ResponseOfPath(std::string_view path);
std::string_view NameOf(ApiKind api);

// A range of the body's bytes.
struct ByteRange {
  size_t offset = 0;
  size_t length = 0;
};

// How a body says the model's name: decides what another name looks like in its place.
enum class ModelPlace : uint8_t { kJson, kUrlEncodedForm, kMultipartForm };

struct InferenceRequest {
  ApiKind api = ApiKind::kOther;
  std::string requested_model;  // decoded; empty if the body names none, or was not looked at
  std::string target_model;     // after rewrite; equal to requested_model without one
  ByteRange model_value;        // of JSON the string token, quotes included; empty without a name
  ModelPlace model_place = ModelPlace::kJson;
  bool stream = false;
  uint32_t prompts = 1;       // above 1 for a batch of completions or embeddings
  uint32_t samples = 1;       // "n": sequences generated for each prompt
  uint64_t prompt_chars = 0;  // bytes of the whole rendered prompt text, all prompts of a batch
  uint64_t prompt_tokens_estimate = 0;  // prompt_chars / 4, or exact when token ids were sent
  std::string previous_response_id;     // of the Responses API; empty: it begins by itself
  std::string cache_salt;               // requests with different salts share no cached blocks
  // Chained hashes of the prompt's leading blocks (prefix/block_hash.h). Filled by exchange.
  std::vector<uint64_t> prefix_blocks;
};

}  // namespace gw
