// The JSON bodies of what a load generator asks, in the shapes of three APIs: OpenAI's chat
// completions and completions, and Anthropic's messages.

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "inference/request.h"

namespace gw::bench {

enum class Role : uint8_t { kSystem, kUser, kAssistant };

struct Message {
  Role role = Role::kUser;
  std::string text = {};  // bytes that are not UTF-8 become U+FFFD
};

// What all requests of a run have in common.
struct RequestForm {
  ApiKind api = ApiKind::kChatCompletions;  // --api; or kCompletions, kMessages
  std::string model = {};                   // --model
  // Generate up to the limit whatever the model says; a field of model servers, not of the APIs.
  bool ignore_eos = false;  // --ignore-eos
};

// Names the flag and what was wanted.
absl::Status CheckForm(const RequestForm& form);
// "/v1/chat/completions". REQUIRES: CheckForm
std::string_view PathOf(ApiKind api);

// A stream at temperature 0 of at most `output_tokens` is asked for; of OpenAI's APIs with its
// usage, which Anthropic's says unasked. A completion's prompt is the texts, one after the other
// with nothing between them. Anthropic's system texts stand outside of the messages, and
// `ignore_eos` is left out there, as its servers refuse fields that they do not know.
// REQUIRES: CheckForm
std::string RequestBody(const RequestForm& form, std::span<const Message> messages,
                        uint32_t output_tokens);

}  // namespace gw::bench
