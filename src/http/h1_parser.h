// HTTP/1.1 parsers that pull: bytes in, one event out, no sockets, no callbacks.
//
//   for (;;) {
//     H1Step step = parser.Next(in);
//     in.remove_prefix(step.consumed);
//     if (step.event == H1Event::kNeedMore) break;  // read on
//     switch (step.event) { ... }                   // leave the loop at kEnd and kError
//   }
//
// Call Next until it says kNeedMore, also with empty input: the end of a body of known length, and
// of a message without a body, is an event of its own that consumes nothing (kHead, then kEnd).
// After kEnd the owner calls Reset; until then, and after kError until Reset, the event is
// repeated.
//
// The head is parsed by llhttp in strict mode and judged by rules of our own as well, because a
// gateway must refuse every form that two parsers may read differently (request smuggling, RFC 9112
// section 11.2): white space before a colon or at the start of a line, Transfer-Encoding in
// HTTP/1.0, both framings at once, a repeated Content-Length, a coding other than exactly
// "chunked", bare CR or LF, NUL, control characters. The chunked coding is decoded by ChunkDecoder
// below.
//
// Nothing is allocated per message once a connection's buffers have grown. One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/head.h"

namespace gw::http {

enum class H1Event : uint8_t {
  kNeedMore,  // everything given was consumed, the message goes on
  kHead,      // head() is complete
  kBody,      // `body` holds decoded body bytes: a view into the input
  kEnd,       // the message is complete; bytes that follow belong to the next one
  kError,     // error() says why; `consumed` means nothing, the connection cannot be used further
};

struct H1Step {
  H1Event event = H1Event::kNeedMore;
  size_t consumed = 0;
  std::string_view body;
};

// Decodes the chunked transfer coding (RFC 9112 section 7.1), strictly: CRLF only, at most 16
// hexadecimal digits, no white space around the size, chunk extensions and trailers bounded
// together by `overhead_bytes_max` over the whole message. Both are checked for form; extensions
// are dropped.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(size_t overhead_bytes_max = 16 * 1024)
      : overhead_max_(overhead_bytes_max) {}
  void Reset();
  // Events: kNeedMore, kBody, kEnd, kError.
  H1Step Next(std::string_view in);
  // After kEnd, until Reset.
  const HeaderList& trailers() const { return trailers_; }
  // True between chunks: the bytes seen so far end with a complete chunk, and what follows would be
  // a chunk-size line. A stream may be cut here and another chunk appended.
  bool at_boundary() const;

 private:
  enum class State : uint8_t;
  bool Accept(char c);
  bool CountOverhead();
  void SplitTrailers();
  size_t overhead_max_;
  uint64_t remaining_ = 0;
  size_t overhead_ = 0;
  uint8_t state_ = 0;
  uint8_t digits_ = 0;
  std::string trailer_text_;  // the lines as they came
  HeaderList trailers_;       // views into it
};

class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits = {});
  ~RequestParser();
  // Ready for the next message of the connection. Empties head().
  void Reset();
  H1Step Next(std::string_view in);
  // Complete from kHead on; after kError what was understood of this message, perhaps nothing.
  const RequestHead& head() const;
  HeadError error() const;
  // Behind a chunked body, after kEnd, until Reset. They are no part of the head: whoever takes one
  // for a field of it can be lied to (RFC 9110 section 6.5.1).
  const HeaderList& trailers() const;
  // True once the first byte of a message was seen and its head is not complete: the header-read
  // timeout applies.
  bool in_head() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  explicit ResponseParser(const HeadLimits& limits = {});
  ~ResponseParser();
  // `head_request`: the response to a HEAD request has no body whatever its header fields say.
  // Interim responses (1xx other than 101) are skipped by the parser, at most kInterimMax of them;
  // 101 is an error, because no upgrade is ever asked for. Call it before the first message too
  // when that answers a HEAD request; a new parser is ready for any other.
  static constexpr int kInterimMax = 8;
  void Reset(bool head_request);
  H1Step Next(std::string_view in);
  // The connection ended. True if that completes the message (framing kToClose), false if it cuts
  // it.
  bool OnClose();
  // Complete from kHead on; after kError what was understood of this message, perhaps nothing.
  const ResponseHead& head() const;
  HeadError error() const;
  const HeaderList& trailers() const;  // as RequestParser's
  // For kChunked bodies: see ChunkDecoder::at_boundary.
  bool at_chunk_boundary() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gw::http
