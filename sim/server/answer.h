// Writes what a model server says, in the shapes that vLLM 0.32 was recorded with: whole bodies,
// and the events of a stream.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "sim/server/metrics_page.h"
#include "sim/server/request_body.h"

namespace gw::sim {

enum class FinishReason : uint8_t { kNone, kStop, kLength, kAbort };

// One answer, as far as it goes.
struct Answer {
  Dialect dialect = Dialect::kChat;
  bool include_usage = false;
  std::string id;     // of the request: "chatcmpl-" and the like are put before it
  std::string model;  // as requested
  int64_t created_s = 0;
  uint32_t prompt_tokens = 0;
  uint32_t cached_tokens = 0;
  uint32_t output_tokens = 0;  // of each choice
  uint32_t inputs = 1;         // of embeddings
  uint32_t choices = 1;        // of chat and completions: they all say the same
  uint64_t seed = 0;           // of embeddings
  std::string text;            // of all tokens that there will be
  std::string kv_transfer_params = "null";
};

// Events of a stream; each goes out as a piece of its own.
class EventSink {
 public:
  virtual void Event(std::string_view event) = 0;

 protected:
  ~EventSink() = default;
};

// The stream of one answer.
//
// REQUIRES: dialect is not kEmbedding
class StreamWriter {
 public:
  // What comes before the first token.
  void Begin(const Answer& answer, EventSink* sink);
  bool begun() const { return begun_; }
  // Token answer.output_tokens - 1. `reason` is kNone for all but the last.
  void Token(const Answer& answer, FinishReason reason, EventSink* sink);
  // Instead of a last token.
  void Stop(const Answer& answer, FinishReason reason, EventSink* sink);
  // What comes after the last token.
  void End(const Answer& answer, FinishReason reason, EventSink* sink);

 private:
  // The same event for each choice but for its index; `parts` come after that.
  void ForEachChoice(const Answer& answer, EventSink* sink,
                     std::initializer_list<std::string_view> parts);
  void NextEvent(std::string_view type, EventSink* sink, std::string_view members);

  std::string head_;  // of every event with a token: the same bytes each time
  std::string event_;
  bool begun_ = false;
  uint32_t sequence_ = 0;  // Responses numbers its events
};

// The whole answer.
void AppendAnswerBody(const Answer& answer, FinishReason reason, std::string* out);

// {"error":{...}}, with SGLang its members alone, or for Messages Anthropic's shape.
void AppendErrorBody(Runtime runtime, Dialect dialect, const Refusal& refusal, std::string* out);
// The event that ends a stream which has begun already.
void AppendErrorEvent(Runtime runtime, const Refusal& refusal, std::string* out);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

}  // namespace gw::sim
