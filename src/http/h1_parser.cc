#include "http/h1_parser.h"

#include <algorithm>
#include <utility>

#include "http/chars.h"
#include "http/head_reader.h"

namespace gw::http {
namespace {

using internal::HeadReader;

constexpr size_t kMethodBytesMax = 32;
constexpr size_t kLengthDigitsMax = 18;  // every such number fits 64 bits, and sums of a few do too

// What the fields that concern the connection and the body say, gathered in one pass.
struct FieldSummary {
  const HeaderField* content_length = nullptr;
  const HeaderField* transfer_encoding = nullptr;
  const HeaderField* host = nullptr;
  size_t content_lengths = 0;
  size_t transfer_encodings = 0;
  size_t hosts = 0;
  bool close = false;
  bool keep_alive = false;
  bool connection_upgrade = false;
  bool offers_websocket = false;
  bool expects_continue = false;
  bool expects_other = false;
};

void SummariseConnection(std::string_view value, FieldSummary* summary) {
  while (!value.empty()) {
    const std::string_view token = NextListElement(&value);
    if (EqualsIgnoreCase(token, "close")) summary->close = true;
    if (EqualsIgnoreCase(token, "keep-alive")) summary->keep_alive = true;
    if (EqualsIgnoreCase(token, "upgrade")) summary->connection_upgrade = true;
  }
}

void SummariseUpgrade(std::string_view value, FieldSummary* summary) {
  while (!value.empty()) {
    const std::string_view token = NextListElement(&value);
    if (EqualsIgnoreCase(token, "websocket")) summary->offers_websocket = true;
  }
}

FieldSummary Summarise(const HeaderList& headers) {
  FieldSummary summary;
  for (const HeaderField& field : headers) {
    switch (field.name.size()) {
      case 4:
        if (!EqualsIgnoreCase(field.name, "host")) break;
        summary.host = &field;
        ++summary.hosts;
        break;
      case 6:
        if (!EqualsIgnoreCase(field.name, "expect")) break;
        (EqualsIgnoreCase(field.value, "100-continue") ? summary.expects_continue
                                                       : summary.expects_other) = true;
        break;
      case 7:
        if (EqualsIgnoreCase(field.name, "upgrade")) SummariseUpgrade(field.value, &summary);
        break;
      case 10:
        if (EqualsIgnoreCase(field.name, "connection")) SummariseConnection(field.value, &summary);
        break;
      case 14:
        if (!EqualsIgnoreCase(field.name, "content-length")) break;
        summary.content_length = &field;
        ++summary.content_lengths;
        break;
      case 17:
        if (!EqualsIgnoreCase(field.name, "transfer-encoding")) break;
        summary.transfer_encoding = &field;
        ++summary.transfer_encodings;
        break;
      default:
        break;
    }
  }
  return summary;
}

bool KeepsAlive(const FieldSummary& summary, int minor_version) {
  if (summary.close) return false;
  return minor_version >= 1 || summary.keep_alive;
}

// The framing that the fields announce. False: they contradict each other, or are not understood.
bool ReadFraming(const FieldSummary& summary, int minor_version, BodyFraming* framing,
                 uint64_t* content_length) {
  *framing = BodyFraming::kNone;
  *content_length = 0;
  if (summary.content_lengths + summary.transfer_encodings > 1) return false;
  if (summary.transfer_encoding != nullptr) {
    if (minor_version == 0) return false;
    if (!EqualsIgnoreCase(summary.transfer_encoding->value, "chunked")) return false;
    *framing = BodyFraming::kChunked;
  } else if (summary.content_length != nullptr) {
    const std::string_view digits = summary.content_length->value;
    if (digits.empty() || digits.size() > kLengthDigitsMax) return false;
    for (char c : digits) {
      if (!Is(kDigitChar, c)) return false;
      *content_length = *content_length * 10 + static_cast<uint64_t>(c - '0');
    }
    *framing = BodyFraming::kLength;
  }
  return true;
}

// "HTTP/1.0" and "HTTP/1.1". kVersionUnsupported for other versions, kMalformed for other words.
HeadError ReadVersion(std::string_view word, int* minor_version) {
  if (word.size() != 8 || !word.starts_with("HTTP/") || !Is(kDigitChar, word[5]) ||
      word[6] != '.' || !Is(kDigitChar, word[7])) {
    return HeadError::kMalformed;
  }
  if (word[5] != '1' || word[7] > '1') return HeadError::kVersionUnsupported;
  *minor_version = word[7] - '0';
  return HeadError::kNone;
}

// Up to five digits, and none is allowed, too (RFC 3986 section 3.2.3).
bool IsPort(std::string_view text) {
  if (text.size() > 5 || !AllAre(kDigitChar, text)) return false;
  unsigned port = 0;
  for (char c : text) port = port * 10 + static_cast<unsigned>(c - '0');
  return port <= 65535;
}

// A name or IPv4 address, or an IPv6 address in brackets, with or without a port. Narrower than the
// URI grammar: what cannot be a name of the DNS is not worth what some parser makes of it.
bool IsValidHost(std::string_view host) {
  std::string_view rest;
  if (host.starts_with('[')) {
    const size_t close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    for (char c : host.substr(1, close - 1)) {
      if (!Is(kHexChar, c) && c != ':' && c != '.') return false;
    }
    rest = host.substr(close + 1);
  } else {
    const size_t colon = std::min(host.find(':'), host.size());
    if (colon == 0 || !AllAre(kHostChar, host.substr(0, colon))) return false;
    rest = host.substr(colon);
  }
  return rest.empty() || (rest.front() == ':' && IsPort(rest.substr(1)));
}

// The authority that the target itself names: all of it for CONNECT, that of an absolute form, or
// none. False: it names one of no valid form.
bool ReadTargetAuthority(std::string_view method, std::string_view target,
                         std::string_view* authority) {
  *authority = {};
  if (method == "CONNECT") {
    *authority = target;
  } else if (target.front() == '/' || target == "*") {
    return true;
  } else {
    const size_t scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return false;
    target.remove_prefix(scheme_end + 3);
    *authority = target.substr(0, target.find_first_of("/?#"));
  }
  return IsValidHost(*authority);
}

HeadError ReadRequestLine(std::string_view line, const HeadLimits& limits, RequestHead* head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return HeadError::kMalformed;
  head->method = line.substr(0, first);
  head->target = line.substr(first + 1, last - first - 1);
  if (head->method.size() > kMethodBytesMax || !AllAre(kTokenChar, head->method)) {
    return HeadError::kMalformed;
  }
  if (head->target.size() > limits.target_bytes_max) return HeadError::kTargetTooLong;
  if (head->target.empty()) return HeadError::kMalformed;
  for (char c : head->target) {
    if (static_cast<uint8_t>(c) <= 0x20 || static_cast<uint8_t>(c) >= 0x7f) {
      return HeadError::kMalformed;
    }
  }
  if (!ReadTargetAuthority(head->method, head->target, &head->authority)) {
    return HeadError::kMalformed;
  }
  return ReadVersion(line.substr(last + 1), &head->minor_version);
}

HeadError JudgeRequestFields(RequestHead* head) {
  const FieldSummary summary = Summarise(head->headers);
  if (!ReadFraming(summary, head->minor_version, &head->framing, &head->content_length)) {
    return HeadError::kBadFraming;
  }
  if (summary.hosts > 1 || (summary.hosts == 0 && head->minor_version >= 1) ||
      (summary.host != nullptr && !IsValidHost(summary.host->value))) {
    return HeadError::kHostMissing;
  }
  if (head->authority.empty() && summary.host != nullptr) head->authority = summary.host->value;
  if (summary.expects_other) return HeadError::kExpectationFailed;
  head->keep_alive = KeepsAlive(summary, head->minor_version);
  // RFC 9110 section 10.1.1: from an HTTP/1.0 client the expectation is ignored.
  head->expect_continue =
      summary.expects_continue && head->minor_version >= 1 && head->framing != BodyFraming::kNone;
  head->upgrade = summary.connection_upgrade && summary.offers_websocket;
  if (head->method == "CONNECT") {
    head->upgrade = true;
    head->keep_alive = false;
  }
  return HeadError::kNone;
}

HeadError ReadStatusLine(std::string_view line, ResponseHead* head) {
  constexpr size_t kVersionEnd = 8;
  constexpr size_t kStatusEnd = 12;
  if (line.size() < kStatusEnd || line[kVersionEnd] != ' ' ||
      (line.size() > kStatusEnd && line[kStatusEnd] != ' ')) {
    return HeadError::kMalformed;
  }
  const std::string_view digits = line.substr(kVersionEnd + 1, 3);
  if (!AllAre(kDigitChar, digits) || digits[0] < '1' || digits[0] > '5') {
    return HeadError::kMalformed;
  }
  head->status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
  head->reason = line.substr(std::min(line.size(), kStatusEnd + 1));
  return ReadVersion(line.substr(0, kVersionEnd), &head->minor_version);
}

HeadError JudgeResponseFields(bool head_request, ResponseHead* head) {
  const FieldSummary summary = Summarise(head->headers);
  if (!ReadFraming(summary, head->minor_version, &head->framing, &head->content_length)) {
    return HeadError::kBadFraming;
  }
  head->keep_alive = KeepsAlive(summary, head->minor_version);
  const bool bodiless = head->status < 200 || head->status == 204 || head->status == 304;
  if (head_request || bodiless) {
    // A 204 that announces a body is followed by one or not, depending on who wrote the server.
    const bool announces = head->framing == BodyFraming::kChunked || head->content_length > 0;
    if (announces && !head_request && head->status != 304) head->keep_alive = false;
    head->framing = BodyFraming::kNone;
  } else if (head->framing == BodyFraming::kNone) {
    head->framing = BodyFraming::kToClose;
    head->keep_alive = false;
  }
  return HeadError::kNone;
}

// A body on its way, after a head has said how it is framed.
class BodyReader {
 public:
  void Begin(BodyFraming framing, uint64_t content_length) {
    framing_ = framing;
    remaining_ = content_length;
    if (framing == BodyFraming::kChunked) chunks_.Reset();
  }

  H1Step Next(std::string_view in) {
    switch (framing_) {
      case BodyFraming::kNone:
        return {H1Event::kEnd, 0, {}};
      case BodyFraming::kChunked:
        return chunks_.Next(in);
      case BodyFraming::kLength: {
        if (remaining_ == 0) return {H1Event::kEnd, 0, {}};
        if (in.empty()) return {};
        const auto bytes = static_cast<size_t>(std::min<uint64_t>(remaining_, in.size()));
        remaining_ -= bytes;
        return {H1Event::kBody, bytes, in.substr(0, bytes)};
      }
      case BodyFraming::kToClose:
        if (in.empty()) return {};
        return {H1Event::kBody, in.size(), in};
    }
    return {};
  }

  bool at_chunk_boundary() const { return chunks_.at_boundary(); }
  const HeaderList& trailers() const {
    static const HeaderList kNone;
    return framing_ == BodyFraming::kChunked ? chunks_.trailers() : kNone;
  }

 private:
  BodyFraming framing_ = BodyFraming::kNone;
  uint64_t remaining_ = 0;
  ChunkDecoder chunks_;
};

enum class Phase : uint8_t { kHead, kBody, kEnd, kError };

// Drops the views of a message that goes away, and keeps the memory of the list.
template <typename Head>
void Clear(Head* head) {
  HeaderList headers = std::move(head->headers);
  headers.Clear();
  *head = Head{};
  head->headers = std::move(headers);
}

}  // namespace

struct RequestParser::Impl {
  explicit Impl(const HeadLimits& head_limits)
      : limits(head_limits), reader(HeadReader::Kind::kRequest, head_limits) {}

  HeadLimits limits;
  HeadReader reader;
  BodyReader body;
  RequestHead head;
  Phase phase = Phase::kHead;
  HeadError error = HeadError::kNone;

  H1Step Fail(HeadError why, size_t consumed) {
    error = why;
    phase = Phase::kError;
    return {H1Event::kError, consumed, {}};
  }

  H1Step NextOfHead(std::string_view in) {
    size_t consumed = 0;
    const HeadReader::Result result = reader.Read(in, &consumed);
    if (result == HeadReader::Result::kNeedMore) return {H1Event::kNeedMore, consumed, {}};
    if (result == HeadReader::Result::kError) return Fail(reader.error(), consumed);
    HeadError judged = ReadRequestLine(reader.start_line(), limits, &head);
    if (judged == HeadError::kNone) judged = reader.Split(&head.headers);
    if (judged == HeadError::kNone) judged = JudgeRequestFields(&head);
    if (judged != HeadError::kNone) return Fail(judged, consumed);
    body.Begin(head.framing, head.content_length);
    phase = Phase::kBody;
    return {H1Event::kHead, consumed, {}};
  }

  H1Step NextOfBody(std::string_view in) {
    const H1Step step = body.Next(in);
    if (step.event == H1Event::kEnd) phase = Phase::kEnd;
    if (step.event == H1Event::kError) return Fail(HeadError::kBadFraming, step.consumed);
    return step;
  }
};

RequestParser::RequestParser(const HeadLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

void RequestParser::Reset() {
  impl_->reader.Reset();
  Clear(&impl_->head);
  impl_->phase = Phase::kHead;
  impl_->error = HeadError::kNone;
}

H1Step RequestParser::Next(std::string_view in) {
  switch (impl_->phase) {
    case Phase::kHead:
      return impl_->NextOfHead(in);
    case Phase::kBody:
      return impl_->NextOfBody(in);
    case Phase::kEnd:
      return {H1Event::kEnd, 0, {}};
    case Phase::kError:
      break;
  }
  return {H1Event::kError, 0, {}};
}

const RequestHead& RequestParser::head() const { return impl_->head; }
HeadError RequestParser::error() const { return impl_->error; }
const HeaderList& RequestParser::trailers() const { return impl_->body.trailers(); }
bool RequestParser::in_head() const {
  return impl_->phase == Phase::kHead && impl_->reader.begun();
}

struct ResponseParser::Impl {
  explicit Impl(const HeadLimits& limits) : reader(HeadReader::Kind::kResponse, limits) {}

  HeadReader reader;
  BodyReader body;
  ResponseHead head;
  Phase phase = Phase::kHead;
  HeadError error = HeadError::kNone;
  bool head_request = false;
  int interims = 0;

  H1Step Fail(HeadError why, size_t consumed) {
    error = why;
    phase = Phase::kError;
    return {H1Event::kError, consumed, {}};
  }

  H1Step NextOfHead(std::string_view in) {
    size_t consumed = 0;
    for (;;) {
      size_t taken = 0;
      const HeadReader::Result result = reader.Read(in, &taken);
      consumed += taken;
      in.remove_prefix(taken);
      if (result == HeadReader::Result::kNeedMore) return {H1Event::kNeedMore, consumed, {}};
      if (result == HeadReader::Result::kError) return Fail(reader.error(), consumed);
      HeadError judged = ReadStatusLine(reader.start_line(), &head);
      if (judged == HeadError::kNone) judged = reader.Split(&head.headers);
      if (judged == HeadError::kNone) judged = JudgeResponseFields(head_request, &head);
      if (judged != HeadError::kNone) return Fail(judged, consumed);
      if (head.status >= 200) break;
      if (head.status == 101 || ++interims > kInterimMax) {
        return Fail(HeadError::kMalformed, consumed);
      }
      reader.Reset();
      Clear(&head);
    }
    body.Begin(head.framing, head.content_length);
    phase = Phase::kBody;
    return {H1Event::kHead, consumed, {}};
  }

  H1Step NextOfBody(std::string_view in) {
    const H1Step step = body.Next(in);
    if (step.event == H1Event::kEnd) phase = Phase::kEnd;
    if (step.event == H1Event::kError) return Fail(HeadError::kBadFraming, step.consumed);
    return step;
  }
};

ResponseParser::ResponseParser(const HeadLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::Reset(bool head_request) {
  impl_->reader.Reset();
  Clear(&impl_->head);
  impl_->phase = Phase::kHead;
  impl_->error = HeadError::kNone;
  impl_->head_request = head_request;
  impl_->interims = 0;
}

H1Step ResponseParser::Next(std::string_view in) {
  switch (impl_->phase) {
    case Phase::kHead:
      return impl_->NextOfHead(in);
    case Phase::kBody:
      return impl_->NextOfBody(in);
    case Phase::kEnd:
      return {H1Event::kEnd, 0, {}};
    case Phase::kError:
      break;
  }
  return {H1Event::kError, 0, {}};
}

bool ResponseParser::OnClose() {
  if (impl_->phase == Phase::kBody && impl_->head.framing == BodyFraming::kToClose) {
    impl_->phase = Phase::kEnd;
  }
  return impl_->phase == Phase::kEnd;
}

const ResponseHead& ResponseParser::head() const { return impl_->head; }
HeadError ResponseParser::error() const { return impl_->error; }
const HeaderList& ResponseParser::trailers() const { return impl_->body.trailers(); }
bool ResponseParser::at_chunk_boundary() const {
  return impl_->phase == Phase::kBody && impl_->head.framing == BodyFraming::kChunked &&
         impl_->body.at_chunk_boundary();
}

}  // namespace gw::http
