// Parses request bodies of the dialects we schedule: OpenAI chat completions, completions,
// embeddings and Responses, Anthropic Messages. Reads only; the bytes that are sent on are the
// client's own.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "inference/prompt_messages.h"
#include "inference/prompt_text.h"
#include "inference/request.h"

namespace gw {

enum class ParseOutcome : uint8_t {
  kOk,
  kMalformedJson,  // not JSON as Python reads it, not UTF-8, or half a surrogate pair
  kTooDeep,        // more than depth_max() containers inside each other
  kNotAnObject,
  kBadModel,      // not a string
  kModelTooLong,  // longer than model_name_bytes_max
  kDuplicateKey,  // `model` or `stream` twice: two parsers could read two requests
  kBadField,      // a field that routing reads has the wrong type; detail() names it
  kUnclearForm,   // two parsers of forms could read two models
};
// The sentence for the client, e.g. "the request body is not a JSON object".
std::string_view MessageOf(ParseOutcome outcome);

// One per worker: reuses its buffers. Not thread-safe.
class InferenceParser {
 public:
  // Bytes that must be readable (not initialised) past the end of a body given to Parse.
  static constexpr size_t kPadding = 64;
  // The name goes into the log, the history and the labels of metrics, all of which keep it. An
  // InferenceModel's has at most 256 characters, a path on a model server is hardly longer.
  static constexpr size_t model_name_bytes_max = 1024;

  // `depth_max`: containers inside each other, the body itself included and those that hold nothing
  // left out. Rendering a prompt recurses by them.
  explicit InferenceParser(size_t depth_max = 128);
  ~InferenceParser();

  // Fills `request` (api must be set); a body may name no model. `prompt()` then holds the rendered
  // text, cut at `prompt_chars_max` bytes; prompt_chars counts the characters of all of it. Of a
  // batch the first prompt is rendered. A prompt field that is missing is left to the model server,
  // which knows what it accepts. After an outcome other than kOk the request is not to be used.
  // `messages`: the prompt as traces carry it, cut at `message_bytes_max`; nullptr: nobody wants
  // it. REQUIRES: kPadding readable bytes after body.end()
  ParseOutcome Parse(std::string_view body, size_t prompt_chars_max, InferenceRequest* request,
                     PromptMessages* messages = nullptr, size_t message_bytes_max = 0);

  // Of a body of any API, JSON or a form, only the model; nothing is named by what is neither.
  // Fills the members of `request` that speak of it; they are empty after an outcome other than
  // kOk. REQUIRES: kPadding readable bytes after body.end()
  ParseOutcome FindModel(std::string_view content_type, std::string_view body,
                         InferenceRequest* request);

  // True if `text` is one JSON object, by the same rules.
  // REQUIRES: kPadding readable bytes after text.end()
  bool IsObject(std::string_view text);

  // The prompt as text, rendered the way the inference extension's estimator does
  // (inference/render.h): chat: for each message "<|im_start|>" role "\n" content "<|im_end|>\n";
  // tools first if any. Short escapes stay as they are in JSON (\n, \"), all others are decoded, so
  // that equal texts are equal here however they were written. Its pieces are in part those of the
  // body. Valid as long as the body, until DropPrompt or the next Parse.
  const PromptText& prompt() const;
  // It has been read: what a long one took is given back.
  void DropPrompt();
  // The field that kBadField speaks of.
  std::string_view detail() const;
  size_t depth_max() const;

 private:
  void GiveBack();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The bytes that name `model` in that place.
std::string ModelText(ModelPlace place, std::string_view model);

// `text` as a JSON string token, quotes included; bytes that are not UTF-8 become U+FFFD.
std::string QuoteJson(std::string_view text);

}  // namespace gw
