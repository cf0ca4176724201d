// PromptMessages: a request's prompt as OpenTelemetry's conventions for generative AI write it, for
// traces that carry prompts: JSON, whole even where it is cut.
//
//   messages  [{"role":"user","parts":[{"type":"text","content":"Hello"}]}]  gen_ai.input.messages
//   system    [{"type":"text","content":"Be brief."}]                  gen_ai.system_instructions
//
// Calls of tools and what they gave are parts, too. What is not text (an image, a file, token ids)
// is a part of its type, without its content.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gw {

struct PromptMessages {
  std::string messages;    // empty: there are none, or no room for one
  std::string system;      // what a dialect keeps apart from the messages; mostly empty
  uint64_t cut_bytes = 0;  // of texts, as they stand in the body, that found no room

  size_t bytes() const { return messages.size() + system.size(); }
};

}  // namespace gw
