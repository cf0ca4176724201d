#include "inference/response.h"

#include <algorithm>
#include <cstring>

#include "inference/response_json.h"

namespace gw {
namespace {

using internal::ResponseFacts;
using internal::ResponseJson;

// A short piece of text put together from wherever the bytes were cut. What we compare it with is
// shorter than it can hold, so a longer one is cut and equals nothing.
class Word {
 public:
  static constexpr size_t kBytesMax = 16;

  void Clear() { size_ = 0; }
  void Append(std::string_view bytes) {
    const size_t taken = std::min(bytes.size(), kBytesMax - size_);
    std::memcpy(bytes_ + size_, bytes.data(), taken);
    size_ += taken;
  }
  std::string_view text() const { return std::string_view(bytes_, size_); }

 private:
  char bytes_[kBytesMax];
  size_t size_ = 0;
};

bool IsDone(std::string_view data) {
  while (!data.empty() && data.back() == ' ') data.remove_suffix(1);
  return data == "[DONE]";
}

}  // namespace

// An event stream is read line by line (WHATWG HTML, section 9.2.6). The data of an event goes
// straight into the JSON reader, so that no event is ever held, however large it is and wherever it
// is cut.
struct ResponseReader::Impl {
  enum class Line : uint8_t { kStart, kName, kData, kEvent, kOther };

  void FeedStream(std::string_view bytes);
  void FeedLine(std::string_view piece);
  void FeedData(std::string_view piece);
  void BeginValue(Line kind);
  void EndLine();
  void EndEvent();
  void TakeEvent();
  void TakeUsage(const ResponseFacts& facts);

  bool event_stream = false;
  Usage usage;
  int64_t input_tokens = -1;
  int64_t cache_read_tokens = -1;
  int64_t cache_creation_tokens = -1;
  uint32_t output_events = 0;
  bool saw_done = false;
  bool saw_abort = false;
  bool saw_error_event = false;
  FinishReason finish = FinishReason::kUnknown;

  Line line = Line::kStart;
  bool after_cr = false;     // a line feed that comes next belongs to the line's end
  bool value_begun = false;  // the space after the colon is behind us
  bool event_begun = false;  // the event has had a line
  bool has_data = false;     // the event has had a byte of data
  bool data_is_json = false;
  bool named_error = false;  // event: error
  Word name;                 // of the field
  Word event_name;
  Word plain_data;
  ResponseJson json;
};

void ResponseReader::Impl::FeedStream(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr) {
      after_cr = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    // Two searches at full speed; a byte-wise search for either would cost more than the JSON.
    const size_t lf = std::min(bytes.find('\n'), bytes.size());
    const size_t end = std::min(bytes.substr(0, lf).find('\r'), lf);
    FeedLine(bytes.substr(0, end));
    if (end == bytes.size()) return;
    EndLine();
    after_cr = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
  }
}

void ResponseReader::Impl::FeedLine(std::string_view piece) {
  constexpr std::string_view kUsualStart = "data: ";
  if (piece.empty()) return;
  if (line == Line::kStart) {
    if (piece.starts_with(kUsualStart)) {
      piece.remove_prefix(kUsualStart.size());
      BeginValue(Line::kData);
      value_begun = true;
    } else {
      name.Clear();
      line = Line::kName;
    }
  }
  if (line == Line::kName) {
    const size_t colon = piece.find(':');
    name.Append(piece.substr(0, colon));
    if (colon == std::string_view::npos) return;
    piece.remove_prefix(colon + 1);
    const std::string_view field = name.text();
    BeginValue(field == "data" ? Line::kData : field == "event" ? Line::kEvent : Line::kOther);
  }
  if (piece.empty()) return;
  if (!value_begun && piece.front() == ' ') piece.remove_prefix(1);
  value_begun = true;
  if (line == Line::kData) FeedData(piece);
  if (line == Line::kEvent) event_name.Append(piece);
}

void ResponseReader::Impl::BeginValue(Line kind) {
  line = kind;
  value_begun = false;
  if (kind == Line::kEvent) event_name.Clear();
  // Data lines of one event are joined by a line feed.
  if (kind == Line::kData && has_data) FeedData("\n");
}

void ResponseReader::Impl::FeedData(std::string_view piece) {
  if (piece.empty()) return;
  if (!has_data) {
    has_data = true;
    data_is_json = piece.front() != '[';
    if (data_is_json) {
      json.Reset();
    } else {
      plain_data.Clear();
    }
  }
  if (data_is_json) {
    json.Feed(piece);
  } else {
    plain_data.Append(piece);
  }
}

void ResponseReader::Impl::EndLine() {
  if (line == Line::kStart) {
    EndEvent();
    return;
  }
  if (line == Line::kEvent) named_error = event_name.text() == "error";
  event_begun = true;
  line = Line::kStart;
}

void ResponseReader::Impl::EndEvent() {
  if (has_data) TakeEvent();
  event_begun = false;
  has_data = false;
  named_error = false;
}

void ResponseReader::Impl::TakeEvent() {
  if (!data_is_json) {
    saw_done |= IsDone(plain_data.text());
    return;
  }
  const ResponseFacts& facts = json.facts();
  const bool error = facts.error || named_error;
  saw_error_event |= error;
  saw_done |= facts.done;
  saw_abort |= facts.aborted;
  finish = std::max(finish, facts.finish);
  if (facts.output && !error) ++output_events;
  TakeUsage(facts);
}

// Counts are running totals: of each the last one counts.
void ResponseReader::Impl::TakeUsage(const ResponseFacts& facts) {
  const auto take = [](int64_t from, int64_t* to) {
    if (from >= 0) *to = from;
  };
  take(facts.prompt_tokens, &input_tokens);
  take(facts.completion_tokens, &usage.completion_tokens);
  take(facts.cached_tokens, &usage.cached_tokens);
  take(facts.cache_read_tokens, &cache_read_tokens);
  take(facts.cache_creation_tokens, &cache_creation_tokens);
  take(cache_read_tokens, &usage.cached_tokens);
  // Anthropic: input_tokens leaves out what the cache had and what was written to it.
  if (input_tokens >= 0) {
    usage.prompt_tokens = input_tokens + std::max<int64_t>(cache_read_tokens, 0) +
                          std::max<int64_t>(cache_creation_tokens, 0);
  }
}

ResponseReader::ResponseReader() : impl_(std::make_unique<Impl>()) {}
ResponseReader::~ResponseReader() = default;

void ResponseReader::Reset(ApiKind api, bool event_stream) {
  *impl_ = Impl();
  impl_->json.Reset();
  impl_->event_stream = event_stream;
  if (api == ApiKind::kResponses) impl_->json.TakeId();
}

void ResponseReader::Feed(std::string_view body_bytes) {
  if (impl_->event_stream) {
    impl_->FeedStream(body_bytes);
  } else {
    impl_->json.Feed(body_bytes);
  }
}

void ResponseReader::Finish() {
  Impl& impl = *impl_;
  if (!impl.event_stream) {
    const ResponseFacts& facts = impl.json.facts();
    if (!facts.complete) return;
    impl.saw_abort |= facts.aborted;
    impl.finish = facts.finish;
    impl.TakeUsage(facts);
  } else if (impl.has_data && (!impl.data_is_json || impl.json.facts().complete)) {
    // Some servers leave out the blank line after the last event.
    impl.TakeEvent();
    impl.has_data = false;
  }
}

const Usage& ResponseReader::usage() const { return impl_->usage; }
uint32_t ResponseReader::output_events() const { return impl_->output_events; }
bool ResponseReader::saw_done() const { return impl_->saw_done; }
bool ResponseReader::saw_abort() const { return impl_->saw_abort; }
bool ResponseReader::saw_error_event() const { return impl_->saw_error_event; }
FinishReason ResponseReader::finish_reason() const { return impl_->finish; }
std::string_view ResponseReader::response_id() const { return impl_->json.id(); }
bool ResponseReader::at_event_boundary() const {
  return impl_->line == Impl::Line::kStart && !impl_->event_begun;
}

}  // namespace gw
