#include "http/sse.h"

#include <algorithm>
#include <cstring>

namespace gw::http {
namespace {

constexpr size_t kKeptBytes = 8 * 1024;  // what a scanner between streams may hold
constexpr std::string_view kDataField = "data";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

const char* FindByte(const char* begin, const char* end, char byte) {
  if (begin == end) return end;
  const void* found = std::memchr(begin, byte, static_cast<size_t>(end - begin));
  return found == nullptr ? end : static_cast<const char*>(found);
}

}  // namespace

// Model servers end lines with LF alone: the search for CR then runs once over the whole input, not
// once per line.
const char* SseScanner::Input::FindLineEnd() {
  if (next_cr == nullptr || next_cr < next) next_cr = FindByte(next, end, '\r');
  if (next_lf == nullptr || next_lf < next) next_lf = FindByte(next, end, '\n');
  return std::min(next_cr, next_lf);
}

void SseScanner::Reset() {
  skipped_events_ = 0;
  event_bytes_ = line_bytes_ = 0;
  in_event_ = has_data_ = copied_ = skipping_ = skip_lf_ = false;
  at_start_ = true;
  for (std::string* buffer : {&line_, &data_}) {
    buffer->clear();
    if (buffer->capacity() > kKeptBytes) buffer->shrink_to_fit();
  }
}

bool SseScanner::NextEvent(Input* input, std::string_view* data) {
  if (skip_lf_ && input->next != input->end) {
    if (*input->next == '\n') ++input->next;
    skip_lf_ = false;
  }
  while (input->next != input->end) {
    const char* const line_end = input->FindLineEnd();
    const std::string_view part(input->next, static_cast<size_t>(line_end - input->next));
    if (line_end == input->end) {
      KeepPart(part);
      input->next = input->end;
      break;
    }
    input->next = line_end + 1;
    if (*line_end == '\r') {
      if (input->next == input->end) {
        skip_lf_ = true;
      } else if (*input->next == '\n') {
        ++input->next;
      }
    }
    if (line_bytes_ == 0 ? TakeLine(part, data) : TakeCutLine(part, data)) return true;
  }
  KeepData();  // the input goes away
  return false;
}

void SseScanner::KeepPart(std::string_view part) {
  line_bytes_ += part.size();
  const size_t mark_bytes = at_start_ ? kByteOrderMark.size() : 0;
  if (event_bytes_ + line_bytes_ > event_bytes_max_ + mark_bytes) Skip();
  if (!skipping_) line_.append(part);
}

bool SseScanner::TakeCutLine(std::string_view part, std::string_view* data) {
  KeepPart(part);
  bool ends_event = false;
  if (skipping_) {
    event_bytes_ += line_bytes_;
    at_start_ = false;
  } else {
    ends_event = TakeLine(line_, data);
    KeepData();  // line_ is about to go
  }
  line_.clear();
  line_bytes_ = 0;
  return ends_event;
}

// One whole line without its end. True: it ended an event that has data.
bool SseScanner::TakeLine(std::string_view line, std::string_view* data) {
  if (at_start_) {
    if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    at_start_ = false;
  }
  if (line.empty()) return EndEvent(data);
  in_event_ = true;
  event_bytes_ += line.size();
  if (event_bytes_ > event_bytes_max_) Skip();
  if (skipping_ || !line.starts_with(kDataField)) return false;
  line.remove_prefix(kDataField.size());
  if (!line.empty()) {
    if (line.front() != ':') return false;  // a longer field name
    line.remove_prefix(1);
    if (line.starts_with(' ')) line.remove_prefix(1);
  }
  if (!has_data_) {
    has_data_ = true;
    view_ = line;
  } else {
    KeepData();
    data_ += '\n';
    data_ += line;
  }
  return false;
}

bool SseScanner::EndEvent(std::string_view* data) {
  if (skipping_) ++skipped_events_;
  const bool has_event = has_data_ && !skipping_;
  if (has_event) *data = copied_ ? std::string_view(data_) : view_;
  event_bytes_ = 0;
  in_event_ = has_data_ = copied_ = skipping_ = false;
  return has_event;
}

void SseScanner::KeepData() {
  if (!has_data_ || copied_) return;
  data_.assign(view_);
  copied_ = true;
}

void SseScanner::Skip() {
  in_event_ = skipping_ = true;
  has_data_ = copied_ = false;
  line_.clear();
}

}  // namespace gw::http
