// HTTP/1.1 message heads as values, and the limits that bound them (RFC 9110, RFC 9112).

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw::http {

struct HeaderField {
  std::string_view name;   // as sent
  std::string_view value;  // without surrounding white space
};

// Header fields in the order they came; names compare without case.
class HeaderList {
 public:
  void Add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }
  void Clear() { fields_.clear(); }
  // The first field of that name, or nullptr.
  const HeaderField* Find(std::string_view name) const;
  size_t Count(std::string_view name) const;
  size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  auto begin() { return fields_.begin(); }
  auto end() { return fields_.end(); }

 private:
  std::vector<HeaderField> fields_;
};

// Letters of ASCII only.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// True if `value`, a comma-separated list, has that element (without case).
bool HasListElement(std::string_view value, std::string_view element);

enum class BodyFraming : uint8_t {
  kNone,     // no body
  kLength,   // content_length bytes
  kChunked,  // chunked transfer coding
  kToClose,  // response only: until the connection closes
};

struct HeadLimits {
  size_t head_bytes_max = 64 * 1024;  // start line, header fields and the empty line together
  size_t header_count_max = 100;
  size_t target_bytes_max = 8 * 1024;  // requests only
};

// The views point into the parser that made the head and live until its next Reset.
struct RequestHead {
  std::string_view method;
  std::string_view target;  // as sent: origin form, absolute form or "*"
  // Who is asked, with the port if one was sent: the authority of an absolute form, which overrides
  // Host (RFC 9112 section 3.2.2), else Host, else empty (HTTP/1.0). Valid by form.
  std::string_view authority;
  int minor_version = 1;  // HTTP/1.minor_version
  HeaderList headers;
  BodyFraming framing = BodyFraming::kNone;
  uint64_t content_length = 0;
  bool keep_alive = true;
  // The client waits for "100 Continue" before it sends the body. Never true without a body.
  bool expect_continue = false;
  // Asks for what an answer in HTTP/1.1 is no use to: CONNECT (keep_alive is false then: what
  // follows is meant for the tunnel), or a WebSocket, by Upgrade together with "Connection:
  // upgrade". Other offers (h2c, TLS/1.2) do not count: some clients make one with every request,
  // and it may be ignored (RFC 9110 section 7.8).
  bool upgrade = false;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  HeaderList headers;
  BodyFraming framing = BodyFraming::kNone;
  uint64_t content_length = 0;
  bool keep_alive = true;
};

// Why a message was refused; `StatusOf` gives the answer's status code for requests.
enum class HeadError : uint8_t {
  kNone,
  kMalformed,       // 400: not HTTP, or a form that parsers disagree about
  kAmbiguousName,   // 400: a field such as X_Forwarded_For, which servers take for another
  kBadFraming,      // 400: Content-Length and Transfer-Encoding conflict, repeated, unknown coding
  kHeadTooLarge,    // 431
  kTooManyHeaders,  // 431
  kTargetTooLong,   // 414
  kVersionUnsupported,  // 505
  kHostMissing,         // 400: HTTP/1.1 without exactly one valid Host
  kExpectationFailed,   // 417: Expect with something other than 100-continue
};
int StatusOf(HeadError error);
std::string_view NameOf(HeadError error);  // low-cardinality metric label

}  // namespace gw::http
