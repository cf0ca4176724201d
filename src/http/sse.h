// Server-sent events (WHATWG HTML, section 9.2): finds event boundaries in a byte stream that may
// be cut anywhere. Line ends may be LF, CRLF or CR; comments and fields other than data are passed
// over.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gw::http {

// Feeds bytes, calls `on_event(data)` for each complete event with its data lines joined by LF. An
// event without a data line is none. Data of an event that lies whole in one Feed and has one data
// line is a view into the input; otherwise it is copied, and lives until on_event returns. An event
// whose lines hold more than `event_bytes_max` bytes is skipped and counted.
class SseScanner {
 public:
  explicit SseScanner(size_t event_bytes_max = 1 << 20) : event_bytes_max_(event_bytes_max) {}
  void Reset();

  // REQUIRES: on_event does not call into this scanner.
  template <typename OnEvent>
  void Feed(std::string_view bytes, OnEvent&& on_event) {
    Input input(bytes);
    std::string_view data;
    while (NextEvent(&input, &data)) on_event(data);
  }

  // True if the bytes so far end between two events (nothing of a next event was seen).
  bool at_event_boundary() const { return !in_event_ && line_bytes_ == 0; }
  size_t skipped_events() const { return skipped_events_; }

 private:
  struct Input {
    explicit Input(std::string_view bytes)
        : next(bytes.data()), end(next + bytes.size()), next_cr(nullptr), next_lf(nullptr) {}
    // The first line end of either kind at or behind `next`, or `end`.
    const char* FindLineEnd();

    const char* next;
    const char* end;
    const char* next_cr;  // found ahead; valid while not behind `next`
    const char* next_lf;
  };

  // Scans up to the end of the next event with data. False: the input is used up.
  bool NextEvent(Input* input, std::string_view* data);
  void KeepPart(std::string_view part);
  bool TakeCutLine(std::string_view part, std::string_view* data);
  bool TakeLine(std::string_view line, std::string_view* data);
  bool EndEvent(std::string_view* data);
  void KeepData();
  void Skip();

  size_t event_bytes_max_;
  size_t skipped_events_ = 0;
  std::string line_;        // the beginning of a line that was cut
  size_t line_bytes_ = 0;   // of that line; its bytes are not kept in an event that is skipped
  size_t event_bytes_ = 0;  // of the whole lines of this event, without line ends
  std::string data_;        // copied data lines, joined
  std::string_view view_;   // the one data line, while it need not be copied
  bool in_event_ = false;   // a line of this event was seen
  bool has_data_ = false;
  bool copied_ = false;  // data is in data_, not in view_
  bool skipping_ = false;
  bool skip_lf_ = false;  // the last byte was a CR that ended a line
  bool at_start_ = true;  // of the stream, where a byte order mark may stand
};

}  // namespace gw::http
