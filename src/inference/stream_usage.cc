#include "inference/stream_usage.h"

#include <algorithm>
#include <utility>

#include "inference/json_bytes.h"

namespace gw {
namespace {

constexpr BodyEdit::Member kNoUsage[] = {{"usage", ""}};

bool IsEmptyArray(std::string_view json) {
  return json.size() >= 2 && json.front() == '[' &&
         json.find_first_not_of(" \t\r\n", 1) == json.size() - 1;
}

// The value of the event's one data line; empty if it has none or several.
std::string_view DataOf(std::string_view event) {
  std::string_view data;
  while (!event.empty()) {
    const size_t end = std::min(event.find_first_of("\r\n"), event.size());
    std::string_view line = event.substr(0, end);
    event.remove_prefix(std::min(end + 1, event.size()));
    if (!line.starts_with("data:")) continue;
    if (!data.empty()) return {};
    data = line.substr(5);
  }
  const size_t first = data.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : data.substr(first);
}

}  // namespace

std::optional<UsageAsk> AskForUsage(std::string_view body, const InferenceRequest& request) {
  const bool has_option =
      request.api == ApiKind::kChatCompletions || request.api == ApiKind::kCompletions;
  if (!has_option || !request.stream) return std::nullopt;
  internal::JsonItems items(body);
  std::string_view value;
  std::string_view options;
  while (items.Next(&value)) {
    if (!internal::SameString(items.raw_key(), "stream_options")) continue;
    if (!options.empty()) return std::nullopt;  // twice: which one counts is the server's affair
    options = value;
  }
  if (options.empty()) {
    return UsageAsk{{body.find('{') + 1, 0}, "\"stream_options\": {\"include_usage\": true}, "};
  }
  const ByteRange at{static_cast<size_t>(options.data() - body.data()), options.size()};
  if (options == "null") return UsageAsk{at, "{\"include_usage\": true}"};
  if (options.front() != '{') return std::nullopt;
  bool declined = false;
  internal::JsonItems members(options);
  while (members.Next(&value)) {
    if (!internal::SameString(members.raw_key(), "include_usage")) continue;
    if (value != "false") return std::nullopt;
    declined = true;
  }
  if (!declined) return std::nullopt;
  // Running totals in every event hang on the same switch; nobody asked for those.
  const BodyEdit::Member asked[] = {{"include_usage", "true"},
                                    {"continuous_usage_stats", "", true}};
  BodyEdit edit;
  edit.Begin(options);
  edit.Set(asked);
  return UsageAsk{at, edit.ToString()};
}

void UsageFilter::Start(bool keep_null) {
  active_ = true;
  keep_null_ = keep_null;
  line_empty_ = true;
  after_cr_ = false;
  passing_ = false;
  dropped_ = false;
  held_.clear();
}

size_t UsageFilter::Filter(std::vector<std::string_view>* pieces, bool last) {
  out_.clear();
  whole_.clear();
  too_long_ = 0;
  for (std::string_view piece : *pieces) Take(piece);
  if (last && !held_.empty()) PassHeld();  // its blank line is missing
  pieces->swap(out_);
  return too_long_;
}

void UsageFilter::Take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr_ && line_empty_ && held_.empty() && !passing_ && bytes.front() == '\n') {
      // The second half of the line end that ended the last event.
      after_cr_ = false;
      if (!dropped_) Pass(bytes.substr(0, 1));
      bytes.remove_prefix(1);
      continue;
    }
    const size_t end = FindEventEnd(bytes);
    if (end == std::string_view::npos) return Hold(bytes);
    const std::string_view part = bytes.substr(0, end);
    bytes.remove_prefix(end);
    if (passing_) {
      passing_ = false;
      dropped_ = false;
      Pass(part);
    } else if (held_.empty()) {
      TakeEvent(part);
    } else {
      held_.append(part);
      PassHeld();
    }
  }
}

void UsageFilter::PassHeld() {
  whole_.push_back(std::move(held_));
  held_.clear();
  TakeEvent(whole_.back());
}

void UsageFilter::Hold(std::string_view bytes) {
  if (!passing_ && held_.size() + bytes.size() <= usage_event_bytes_max) {
    held_.append(bytes);
    return;
  }
  if (!passing_) {
    passing_ = true;
    ++too_long_;
    whole_.push_back(std::move(held_));
    held_.clear();
    Pass(whole_.back());
  }
  Pass(bytes);
}

// The bytes up to the end of the event and the line end of its blank line; npos if that is not
// here. Line ends may be LF, CRLF or CR (WHATWG HTML, section 9.2.5).
size_t UsageFilter::FindEventEnd(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (std::exchange(after_cr_, false) && bytes[at] == '\n') {
      ++at;
      continue;
    }
    const size_t lf = std::min(bytes.find('\n', at), bytes.size());
    const size_t end = std::min(bytes.substr(0, lf).find('\r', at), lf);
    if (end > at) line_empty_ = false;
    if (end == bytes.size()) break;
    const bool blank = std::exchange(line_empty_, true);
    after_cr_ = bytes[end] == '\r';
    at = end + 1;
    if (!blank) continue;
    if (after_cr_ && at < bytes.size()) {
      after_cr_ = false;
      if (bytes[at] == '\n') ++at;
    }
    return at;
  }
  return std::string_view::npos;
}

void UsageFilter::TakeEvent(std::string_view event) {
  dropped_ = false;
  if (event.find("\"usage\"") == std::string_view::npos) return Pass(event);
  const std::string_view data = DataOf(event);
  // What is no JSON may be read as anything, but no byte outside of it is touched.
  if (data.empty() || data.front() != '{') return Pass(event);
  bool no_choices = false;
  std::string_view usage;
  internal::JsonItems items(data);
  std::string_view value;
  while (items.Next(&value)) {
    if (internal::SameString(items.raw_key(), "usage")) usage = value;
    if (internal::SameString(items.raw_key(), "choices")) no_choices = IsEmptyArray(value);
  }
  const bool null = usage == "null";
  if (usage.empty() || (null && keep_null_)) return Pass(event);
  if (no_choices && !null) {
    dropped_ = true;
    return;
  }
  const size_t offset = static_cast<size_t>(data.data() - event.data());
  Pass(event.substr(0, offset));
  edit_.Begin(data);
  edit_.Set(kNoUsage);
  for (std::string_view part : edit_.parts()) Pass(part);
  Pass(event.substr(offset + data.size()));
}

}  // namespace gw
