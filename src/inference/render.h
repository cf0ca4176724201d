// The prompt as one text, so that equal beginnings of text mean equal beginnings of prompt.
//
// This is not the model's chat template, which only the model server has: it need only change
// wherever the real prompt changes, and not where it does not. So ids and cache markers stay out,
// and what is not text (an image, a file) is represented by a hash of it.
//
// Text is rendered in its canonical form (json_document.h): escapes such as \n stay, so that of
// most prompts the bytes of the body are what is copied, and equal texts are equal all the same.
//
// Includes simdjson's heavy header; only parser.cc, render.cc and message_writer.cc
// include this one.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "inference/json_document.h"
#include "inference/prompt_text.h"
#include "inference/request.h"

namespace gw::internal {

// The members of a request that make up its prompt. One that is absent or null has no value.
struct PromptFields {
  using Field = std::optional<JsonValue>;
  Field messages, prompt, input, instructions, system, previous_response_id;
  std::string_view tools_json;  // raw bytes of the array; empty if absent or an empty array
};

class PromptRenderer {
 public:
  // Adds to `text` until it holds `chars_max` bytes, and counts the characters of all. What it adds
  // outlives neither the document nor its text.
  PromptRenderer(PromptText* text, size_t chars_max) : text_(text), chars_max_(chars_max) {}

  // Fills the request's prompts, prompt_chars and prompt_tokens_estimate. Returns the name of a
  // field of an impossible type, or empty.
  std::string_view Render(const PromptFields& fields, InferenceRequest* request);

 private:
  using Field = PromptFields::Field;

  std::string_view RenderChat(const PromptFields& fields);
  std::string_view RenderMessage(const JsonValue& message);
  std::string_view RenderResponses(const PromptFields& fields);
  std::string_view RenderResponsesItem(const JsonValue& item);
  std::string_view RenderSystem(const PromptFields& fields);
  std::string_view RenderPrompts(const Field& field, std::string_view name);
  bool AppendPrompt(const JsonValue& prompt);

  void BeginMessage(std::string_view role);
  void EndMessage();
  bool AppendContent(const JsonValue& content);
  void AppendPart(const JsonValue& part);
  void AppendCall(const Field& name, const Field& arguments);
  void AppendHashOf(const JsonValue& value);
  void AppendString(const JsonValue& value);
  void AppendIfString(const Field& value);
  void Append(std::string_view text) { Add(text, text.size()); }  // text that lasts
  void AppendCopy(std::string_view text);
  void Add(std::string_view text, size_t chars);
  std::string_view Fitting(std::string_view text) const;

  PromptText* text_;
  size_t chars_max_;
  uint64_t chars_ = 0;
  uint32_t prompts_ = 1;
};

}  // namespace gw::internal
