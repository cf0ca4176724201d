#include "http/head_reader.h"

#include <llhttp.h>

#include <algorithm>

#include "base/text.h"
#include "http/chars.h"

namespace gw::http::internal {
namespace {

constexpr size_t kKeptBytes = 8 * 1024;  // what a connection between messages may hold
constexpr size_t kStartLineRest = 64;    // method, version and the spaces around a target

// What llhttp reports of one head. Fields are contiguous, because the head is given in one piece.
struct Fields {
  HeaderList* headers;
  std::string_view target;
  std::string_view name;
  std::string_view value;
  bool complete = false;
  bool ambiguous_name = false;
};

Fields* FieldsOf(llhttp_t* parser) { return static_cast<Fields*>(parser->data); }

int OnTarget(llhttp_t* parser, const char* at, size_t length) {
  FieldsOf(parser)->target = {at, length};
  return 0;
}

int OnName(llhttp_t* parser, const char* at, size_t length) {
  FieldsOf(parser)->name = {at, length};
  return 0;
}

int OnValue(llhttp_t* parser, const char* at, size_t length) {
  FieldsOf(parser)->value = {at, length};
  return 0;
}

// True if the name is that of a field which we or the servers behind us act on, but for "_" in
// place of "-". CGI and WSGI know both as one, so that such a server would take the client's
// X_Forwarded_For for the one that the gateway writes, or see another length than the gateway does.
// nginx drops every name with "_"; here others pass, for they are names like any.
bool IsAmbiguousName(std::string_view name) {
  constexpr std::string_view kKinds[] = {
      "accept-",      "cache-control", "content-",   "http2-",     "if-",         "keep-alive",
      "proxy-",       "sec-",          "transfer-",  "user-agent", "x-api-key",   "x-client-",
      "x-envoy-",     "x-forwarded-",  "x-gateway-", "x-http-",    "x-original-", "x-penstock-",
      "x-prefiller-", "x-real-",       "x-request-"};
  std::string hyphens;
  for (char c : name.substr(0, 14)) hyphens += c == '_' ? '-' : ToLower(c);
  return std::any_of(std::begin(kKinds), std::end(kKinds),
                     [&](std::string_view kind) { return hyphens.starts_with(kind); });
}

int OnValueComplete(llhttp_t* parser) {
  Fields* fields = FieldsOf(parser);
  const CharClasses classes = ClassesOf(fields->name);
  // llhttp lets a field without a name pass.
  if (fields->name.empty() || (classes.all & kTokenChar) == 0) return HPE_INVALID_HEADER_TOKEN;
  if ((classes.any & kUnderscoreChar) != 0) fields->ambiguous_name |= IsAmbiguousName(fields->name);
  fields->headers->Add(fields->name, TrimSpace(fields->value));
  fields->name = fields->value = {};
  return 0;
}

int OnHeadersComplete(llhttp_t* parser) {
  FieldsOf(parser)->complete = true;
  return 1;  // no body: what follows the head is not llhttp's business
}

const llhttp_settings_t& Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = OnTarget;
    s.on_header_field = OnName;
    s.on_header_value = OnValue;
    s.on_header_value_complete = OnValueComplete;
    s.on_headers_complete = OnHeadersComplete;
    return s;
  }();
  return settings;
}

HeadError ErrorOf(llhttp_errno_t error) {
  switch (error) {
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
      return HeadError::kBadFraming;
    default:
      return HeadError::kMalformed;
  }
}

}  // namespace

void HeadReader::Reset() {
  if (buffer_.capacity() > kKeptBytes) {
    std::string().swap(buffer_);
  } else {
    buffer_.clear();
  }
  scanned_ = line_start_ = head_start_ = lines_ = 0;
  begun_ = false;
  error_ = HeadError::kNone;
  start_line_ = {};
}

HeadReader::Result HeadReader::Fail(HeadError error) {
  error_ = error;
  return Result::kError;
}

HeadReader::Result HeadReader::Read(std::string_view in, size_t* consumed) {
  *consumed = 0;
  if (error_ != HeadError::kNone) return Result::kError;
  Result result;
  if (buffer_.empty()) {
    // The usual case: the head is whole, and the body bytes behind it are not copied.
    result = ScanLines(in);
    *consumed = result == Result::kComplete ? line_start_ : in.size();
    if (result != Result::kError) buffer_.assign(in.substr(0, *consumed));
  } else {
    const size_t before = buffer_.size();
    // One byte past the limit, and past the empty line before it, is enough to know that it is
    // passed.
    *consumed = std::min(in.size(), limits_.head_bytes_max + 3 - before);
    buffer_.append(in.substr(0, *consumed));
    result = ScanLines(buffer_);
    if (result == Result::kComplete) {
      *consumed = line_start_ - before;
      buffer_.resize(line_start_);
    }
  }
  if (result == Result::kComplete) {
    start_line_ = std::string_view(buffer_).substr(head_start_);
    start_line_ = start_line_.substr(0, start_line_.find('\r'));
  }
  return result;
}

HeadReader::Result HeadReader::ScanLines(std::string_view bytes) {
  if (bytes.size() > line_start_ && lines_ == 0) {
    // Bytes that cannot start a message (a TLS hello, say) are not waited for.
    const char first = bytes[line_start_];
    const bool empty_line_allowed = kind_ == Kind::kRequest && head_start_ == 0;
    const bool possible = kind_ == Kind::kRequest ? Is(kTokenChar, first) : first == 'H';
    if (!possible && !(empty_line_allowed && first == '\r')) return Fail(HeadError::kMalformed);
    begun_ = possible;
  }
  while (scanned_ < bytes.size()) {
    const size_t line_feed = bytes.find('\n', scanned_);
    if (line_feed == std::string_view::npos) {
      scanned_ = bytes.size();
      const HeadError limit = LimitPassed(scanned_ - line_start_, scanned_ - head_start_);
      return limit == HeadError::kNone ? Result::kNeedMore : Fail(limit);
    }
    const size_t end = line_feed + 1;
    const Result result = CheckLine(bytes.substr(line_start_, end - line_start_), end);
    if (result == Result::kError) return result;
    scanned_ = line_start_ = end;
    if (result == Result::kComplete) return result;
    if (lines_ == 0) return ScanLines(bytes);  // an empty line was skipped: look at the first byte
  }
  return Result::kNeedMore;
}

// `line` has its line end; `end` is the offset behind it. kComplete: it was the empty line.
HeadReader::Result HeadReader::CheckLine(std::string_view line, size_t end) {
  const HeadError limit = LimitPassed(line.size(), end - head_start_);
  if (limit != HeadError::kNone) return Fail(limit);
  if (line.size() < 2 || line[line.size() - 2] != '\r') return Fail(HeadError::kMalformed);
  line.remove_suffix(2);
  if (HasControl(line)) return Fail(HeadError::kMalformed);
  if (lines_ == 0) {
    if (!line.empty()) {
      ++lines_;
    } else if (kind_ == Kind::kRequest && head_start_ == 0) {
      head_start_ = end;  // RFC 9112 section 2.2: an empty line before a request is ignored, once
    } else {
      return Fail(HeadError::kMalformed);
    }
    return Result::kNeedMore;
  }
  if (line.empty()) return Result::kComplete;
  if (line.front() == ' ' || line.front() == '\t') return Fail(HeadError::kMalformed);
  if (++lines_ > limits_.header_count_max + 1) return Fail(HeadError::kTooManyHeaders);
  return Result::kNeedMore;
}

// The first limit that so many bytes, line end or not, pass.
HeadError HeadReader::LimitPassed(size_t line_bytes, size_t head_bytes) const {
  const size_t line_max = limits_.target_bytes_max + kStartLineRest;
  if (kind_ == Kind::kRequest && lines_ == 0 && line_max < limits_.head_bytes_max &&
      line_bytes > line_max) {
    return HeadError::kTargetTooLong;
  }
  return head_bytes > limits_.head_bytes_max ? HeadError::kHeadTooLarge : HeadError::kNone;
}

HeadError HeadReader::Split(HeaderList* headers) {
  headers->Clear();
  Fields fields;
  fields.headers = headers;
  llhttp_t parser;
  llhttp_init(&parser, kind_ == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &Settings());
  parser.data = &fields;
  const llhttp_errno_t error =
      llhttp_execute(&parser, buffer_.data() + head_start_, buffer_.size() - head_start_);
  if (error != HPE_OK && error != HPE_PAUSED_UPGRADE) return ErrorOf(error);
  // Two readings of the same bytes: ours by lines, llhttp's by its grammar. They must agree.
  if (!fields.complete || headers->size() + 1 != lines_) return HeadError::kMalformed;
  if (kind_ == Kind::kRequest) {
    const size_t begin = start_line_.find(' ') + 1;
    const size_t end = start_line_.rfind(' ');
    if (fields.target != start_line_.substr(begin, end - begin)) return HeadError::kMalformed;
    if (fields.ambiguous_name) return HeadError::kAmbiguousName;
  }
  return HeadError::kNone;
}

}  // namespace gw::http::internal
