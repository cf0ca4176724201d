// Helpers of the http tests: drives a parser over bytes cut in any way and writes down what it
// said.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "http/h1_parser.h"

namespace gw::http {

// What came out of a stream of messages. Bodies are joined, so that equal streams give equal
// transcripts however the bytes were cut.
struct Transcript {
  std::vector<std::string> heads;   // one line per head, see Describe
  std::vector<std::string> bodies;  // one per head
  size_t ended = 0;                 // messages that reached kEnd
  HeadError error = HeadError::kNone;
  bool operator==(const Transcript&) const = default;
};

inline const char* Describe(BodyFraming framing) {
  switch (framing) {
    case BodyFraming::kNone:
      return "none";
    case BodyFraming::kLength:
      return "length";
    case BodyFraming::kChunked:
      return "chunked";
    case BodyFraming::kToClose:
      return "to-close";
  }
  return "?";
}

inline std::string DescribeRest(const HeaderList& headers, BodyFraming framing, uint64_t length,
                                bool keep_alive) {
  std::string line = Describe(framing);
  line += " " + std::to_string(length) + (keep_alive ? " keep-alive" : " close");
  for (const HeaderField& field : headers) {
    line += " [" + std::string(field.name) + "=" + std::string(field.value) + "]";
  }
  return line;
}

// "POST /x 1.1 at host:80 length 5 keep-alive [Host=host:80] [Content-Length=5]"
inline std::string Describe(const RequestHead& head) {
  return std::string(head.method) + " " + std::string(head.target) + " 1." +
         std::to_string(head.minor_version) + " at " + std::string(head.authority) + " " +
         DescribeRest(head.headers, head.framing, head.content_length, head.keep_alive) +
         (head.expect_continue ? " expects-continue" : "") + (head.upgrade ? " upgrade" : "");
}

// "200 OK 1.1 chunked 0 keep-alive [Transfer-Encoding=chunked]"
inline std::string Describe(const ResponseHead& head) {
  return std::to_string(head.status) + " " + std::string(head.reason) + " 1." +
         std::to_string(head.minor_version) + " " +
         DescribeRest(head.headers, head.framing, head.content_length, head.keep_alive);
}

// Feeds one piece; false after an error. `reset` readies the parser for the next message.
template <typename Parser>
bool Feed(Parser* parser, std::string_view piece, const std::function<void()>& reset,
          Transcript* transcript) {
  const std::string copy(piece);  // so that a view kept for too long is seen by the sanitizer
  std::string_view in(copy);
  for (;;) {
    const H1Step step = parser->Next(in);
    in.remove_prefix(step.consumed);
    switch (step.event) {
      case H1Event::kNeedMore:
        return true;
      case H1Event::kHead:
        transcript->heads.push_back(Describe(parser->head()));
        transcript->bodies.emplace_back();
        break;
      case H1Event::kBody:
        transcript->bodies.back().append(step.body);
        break;
      case H1Event::kEnd:
        ++transcript->ended;
        reset();
        if (in.empty()) return true;
        break;
      case H1Event::kError:
        transcript->error = parser->error();
        return false;
    }
  }
}

template <typename Parser>
Transcript Read(Parser* parser, const std::vector<std::string_view>& pieces,
                const std::function<void()>& reset) {
  Transcript transcript;
  for (std::string_view piece : pieces) {
    if (!Feed(parser, piece, reset, &transcript)) break;
  }
  return transcript;
}

inline Transcript ReadRequests(const std::vector<std::string_view>& pieces,
                               const HeadLimits& limits = {}) {
  RequestParser parser(limits);
  return Read(&parser, pieces, [&parser] { parser.Reset(); });
}

inline Transcript ReadResponses(const std::vector<std::string_view>& pieces,
                                bool head_request = false, const HeadLimits& limits = {}) {
  ResponseParser parser(limits);
  parser.Reset(head_request);
  return Read(&parser, pieces, [&] { parser.Reset(head_request); });
}

// Ways of cutting.
inline std::vector<std::string_view> CutInBytes(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  return pieces;
}

inline std::vector<std::string_view> CutInTwo(std::string_view bytes, size_t at) {
  return {bytes.substr(0, at), bytes.substr(at)};
}

inline std::vector<std::string_view> CutAtRandom(std::string_view bytes, size_t piece_max,
                                                 Random* random) {
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(bytes.size(), random->Below(piece_max + 1));
    pieces.push_back(bytes.substr(0, size));  // sometimes empty
    bytes.remove_prefix(size);
  }
  return pieces;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace gw::http
