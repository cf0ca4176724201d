// Token usage of streams whose client did not ask for it: the gateway asks in its place
// (stream_options.include_usage) and takes out again what the model server sends because of it, so
// that the client sees the bytes that it would have seen.

#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/body_edit.h"
#include "inference/request.h"

namespace gw {

// What makes a request ask for usage: `text` in the place of `at`. Nothing if the request is no
// stream of chat completions or completions, if the client asks itself, or if it is not plain that
// it does not: servers read stream_options without include_usage differently.
struct UsageAsk {
  ByteRange at;
  std::string text;
};
// REQUIRES: `body` is the valid JSON object that `request` was parsed from
std::optional<UsageAsk> AskForUsage(std::string_view body, const InferenceRequest& request);

// Takes out of an event stream the event that carries nothing but the usage (its choices are
// empty), and the member "usage" of every other one. Everything else goes on as it came, byte for
// byte; of an event that was cut nothing goes on before its end has come.
class UsageFilter {
 public:
  // An event that is cut and longer than this goes on as it is.
  static constexpr size_t usage_event_bytes_max = 64 * 1024;

  // `keep_null`: a "usage" of null stays. Servers that write it without being asked, too.
  void Start(bool keep_null);
  void Stop() { active_ = false; }
  bool active() const { return active_; }

  // Replaces the pieces of one read by those that go on: views into them and into the filter, valid
  // until the next call. `last`: the stream has ended. Returns how many events were too long.
  size_t Filter(std::vector<std::string_view>* pieces, bool last);
  // True if nothing of an unfinished event has gone on.
  bool at_event_boundary() const { return !passing_; }

 private:
  void Take(std::string_view bytes);
  void Hold(std::string_view bytes);
  size_t FindEventEnd(std::string_view bytes);
  void TakeEvent(std::string_view event);
  void PassHeld();
  void Pass(std::string_view bytes) {
    if (!bytes.empty()) out_.push_back(bytes);
  }

  bool active_ = false;
  bool keep_null_ = false;
  bool line_empty_ = true;  // the line that comes next, or is here in part, has no byte yet
  bool after_cr_ = false;   // a line feed that comes next belongs to the line's end
  bool passing_ = false;    // the event was too long to be kept: what remains of it goes on
  bool dropped_ = false;    // the last event
  size_t too_long_ = 0;
  std::string held_;               // of the event that is not complete
  std::deque<std::string> whole_;  // what was held and is being passed on; its strings stay
  std::vector<std::string_view> out_;
  BodyEdit edit_;
};

}  // namespace gw
