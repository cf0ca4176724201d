// For the test and the fuzz target of ChunkDecoder: a slow and obvious decoder to compare it with.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/h1_parser.h"

namespace gw::http {

struct Decoded {
  std::string data;
  size_t consumed = 0;
  H1Event last = H1Event::kNeedMore;
  bool operator==(const Decoded&) const = default;
};

inline Decoded Decode(const std::vector<std::string_view>& pieces,
                      size_t overhead_bytes_max = 16 * 1024) {
  ChunkDecoder decoder(overhead_bytes_max);
  Decoded decoded;
  for (std::string_view piece : pieces) {
    for (;;) {
      const H1Step step = decoder.Next(piece);
      piece.remove_prefix(step.consumed);
      decoded.last = step.event;
      if (step.event == H1Event::kError) {
        decoded.consumed = 0;
        return decoded;
      }
      decoded.consumed += step.consumed;
      if (step.event == H1Event::kEnd) return decoded;
      if (step.event == H1Event::kNeedMore) break;
      decoded.data.append(step.body);
    }
  }
  return decoded;
}

// The slow and obvious version: the whole input at once, line by line, each line looked at with the
// rules of RFC 9112 section 7.1 in hand.
class ChunkOracle {
 public:
  explicit ChunkOracle(std::string_view in) : in_(in) {}

  Decoded Run() {
    for (;;) {
      std::optional<std::string_view> line = Line();
      if (!line) return Stop();
      const size_t size_end = std::min(line->find(';'), line->size());
      std::string digits(line->substr(0, size_end));
      if (digits.empty() || digits.size() > 16 || !IsHex(digits)) return Error();
      if (!IsText(line->substr(size_end), false)) return Error();
      const uint64_t size = std::stoull(digits, nullptr, 16);
      if (size == 0) return Trailers();
      const std::string_view rest = in_.substr(at_);
      out_.data.append(rest.substr(0, size));
      if (rest.size() < size) return Stop();
      at_ += size;
      const std::string_view line_end = in_.substr(at_, 2);
      if (std::string_view("\r\n").substr(0, line_end.size()) != line_end) return Error();
      if (line_end.size() < 2) return Stop();
      at_ += 2;
    }
  }

 private:
  static bool IsHex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  }
  static bool IsText(std::string_view text, bool tab_allowed) {
    for (char c : text) {
      if (c == '\t' && tab_allowed) continue;
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    }
    return true;
  }

  // The bytes up to CRLF, or nothing if the input ends before.
  std::optional<std::string_view> Line() {
    const size_t end = in_.find("\r\n", at_);
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view line = in_.substr(at_, end - at_);
    at_ = end + 2;
    return line;
  }

  Decoded Trailers() {
    for (;;) {
      std::optional<std::string_view> line = Line();
      if (!line) return Stop();
      if (line->empty()) {
        out_.last = H1Event::kEnd;
        out_.consumed = at_;
        return out_;
      }
      const size_t colon = line->find(':');
      if (colon == 0 || colon == std::string_view::npos) return Error();
      constexpr std::string_view kToken =
          "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
      if (line->substr(0, colon).find_first_not_of(kToken) != std::string_view::npos) {
        return Error();
      }
      if (!IsText(line->substr(colon), true)) return Error();
    }
  }

  Decoded Error() {
    out_.last = H1Event::kError;
    out_.consumed = 0;
    return out_;
  }
  Decoded Stop() {
    out_.last = H1Event::kNeedMore;
    out_.consumed = in_.size();
    return out_;
  }

  std::string_view in_;
  size_t at_ = 0;
  Decoded out_;
};

}  // namespace gw::http
