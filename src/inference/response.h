// Reads a model server's response as it passes by: token usage, first output, how it ended.
// Looks at decoded body bytes only, keeps a bounded amount of them, changes nothing.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "inference/request.h"

namespace gw {

struct Usage {
  int64_t prompt_tokens = -1;  // -1: not reported
  int64_t completion_tokens = -1;
  int64_t cached_tokens = -1;
};

// How an answer says that it ended, in the worst case of its choices. Tool calls are a stop;
// abnormal is whatever a model does not end with by itself: a filter, a refusal, an abort.
enum class FinishReason : uint8_t { kUnknown, kStop, kLength, kAbnormal };

class ResponseReader {
 public:
  ResponseReader();
  ~ResponseReader();

  // `event_stream`: the response's content type is text/event-stream. Dialects are told apart by
  // what the bytes say, since a server answers an error in a dialect of its own.
  void Reset(ApiKind api, bool event_stream);
  void Feed(std::string_view body_bytes);
  void Finish();

  const Usage& usage() const;
  uint32_t output_events() const;  // events that carried output (streams)
  bool saw_done() const;           // data: [DONE], message_stop, response.completed
  bool saw_abort() const;          // finish_reason "abort"
  bool saw_error_event() const;    // an error object inside the stream
  FinishReason finish_reason() const;
  // Of the Responses API, once it was seen: what its endpoint keeps the response under. "" if it is
  // longer than any known server's.
  std::string_view response_id() const;
  bool at_event_boundary() const;  // streams: nothing of an unfinished event was passed on

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The gateway's own errors, in the shape the client's SDK expects of that API:
// OpenAI {"error":{"message","type","param","code"}}, Anthropic {"type":"error","error":{...}}.
std::string ErrorBody(ApiKind api, int status, std::string_view code, std::string_view message);
// The same as an event for the end of a stream that broke off; starts a new event cleanly.
// `mid_event`: part of an event was already sent, and is ended first.
std::string ErrorEvent(ApiKind api, int status, std::string_view code, std::string_view message,
                       bool mid_event);

}  // namespace gw
