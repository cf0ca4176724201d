#include <algorithm>

#include "http/chars.h"
#include "http/h1_parser.h"

namespace gw::http {

enum class ChunkDecoder::State : uint8_t {
  kSize,          // hexadecimal digits, or what ends them
  kExtension,     // from ';' to CR
  kSizeLf,        // LF of the size line
  kData,          // remaining_ bytes
  kDataCr,        // CR behind the data
  kDataLf,        // LF behind the data
  kTrailerStart,  // first byte of a trailer line, or CR of the last line
  kTrailerName,
  kTrailerValue,
  kTrailerLf,  // LF of a trailer line
  kLastLf,     // LF of the last line
  kEnd,
  kError,
};

namespace {
constexpr uint8_t kDigitsMax = 16;
constexpr size_t kKeptTrailerBytes = 1024;  // between messages

bool IsTextChar(char c) { return static_cast<uint8_t>(c) >= 0x20 && c != 0x7f; }
}  // namespace

void ChunkDecoder::Reset() {
  remaining_ = 0;
  overhead_ = 0;
  state_ = static_cast<uint8_t>(State::kSize);
  digits_ = 0;
  if (trailer_text_.empty()) return;
  trailers_.Clear();
  trailer_text_.clear();
  if (trailer_text_.capacity() > kKeptTrailerBytes) std::string().swap(trailer_text_);
}

bool ChunkDecoder::at_boundary() const {
  return static_cast<State>(state_) == State::kSize && digits_ == 0;
}

// One step of everything but data. False: the byte is not allowed here.
bool ChunkDecoder::Accept(char c) {
  auto become = [this](State state) {
    state_ = static_cast<uint8_t>(state);
    return true;
  };
  switch (static_cast<State>(state_)) {
    case State::kSize:
      if (const int digit = HexValue(c); digit >= 0) {
        if (digits_ == kDigitsMax) return false;
        remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
        ++digits_;
        return true;
      }
      if (digits_ == 0) return false;
      if (c == '\r') return become(State::kSizeLf);
      return c == ';' && CountOverhead() && become(State::kExtension);
    case State::kExtension:
      if (c == '\r') return become(State::kSizeLf);
      return IsTextChar(c) && CountOverhead();
    case State::kSizeLf:
      digits_ = 0;
      return c == '\n' && become(remaining_ == 0 ? State::kTrailerStart : State::kData);
    case State::kDataCr:
      return c == '\r' && become(State::kDataLf);
    case State::kDataLf:
      return c == '\n' && become(State::kSize);
    case State::kTrailerStart:
      if (c == '\r') return become(State::kLastLf);
      return Is(kTokenChar, c) && CountOverhead() && become(State::kTrailerName);
    case State::kTrailerName:
      if (c == ':') return CountOverhead() && become(State::kTrailerValue);
      return Is(kTokenChar, c) && CountOverhead();
    case State::kTrailerValue:
      if (c == '\r') return become(State::kTrailerLf);
      return (IsTextChar(c) || c == '\t') && CountOverhead();
    case State::kTrailerLf:
      return c == '\n' && become(State::kTrailerStart);
    case State::kLastLf:
      return c == '\n' && become(State::kEnd);
    case State::kData:
    case State::kEnd:
    case State::kError:
      break;
  }
  return false;
}

void ChunkDecoder::SplitTrailers() {
  std::string_view rest = trailer_text_;
  for (size_t end; (end = rest.find("\r\n")) != rest.npos; rest.remove_prefix(end + 2)) {
    const std::string_view line = rest.substr(0, end);
    const size_t colon = line.find(':');
    std::string_view value = line.substr(colon + 1);
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!value.empty() && is_space(value.front())) value.remove_prefix(1);
    while (!value.empty() && is_space(value.back())) value.remove_suffix(1);
    trailers_.Add(line.substr(0, colon), value);
  }
}

bool ChunkDecoder::CountOverhead() { return ++overhead_ <= overhead_max_; }

H1Step ChunkDecoder::Next(std::string_view in) {
  size_t at = 0;
  for (;;) {
    switch (static_cast<State>(state_)) {
      case State::kData: {
        if (at == in.size()) return {H1Event::kNeedMore, at, {}};
        const auto bytes = static_cast<size_t>(std::min<uint64_t>(remaining_, in.size() - at));
        remaining_ -= bytes;
        if (remaining_ == 0) state_ = static_cast<uint8_t>(State::kDataCr);
        return {H1Event::kBody, at + bytes, in.substr(at, bytes)};
      }
      case State::kEnd:
        return {H1Event::kEnd, at, {}};
      case State::kError:
        return {H1Event::kError, at, {}};
      default: {
        if (at == in.size()) return {H1Event::kNeedMore, at, {}};
        const auto before = static_cast<State>(state_);
        if (!Accept(in[at])) {
          state_ = static_cast<uint8_t>(State::kError);
          return {H1Event::kError, at, {}};
        }
        if (before >= State::kTrailerStart && before <= State::kTrailerLf) {
          trailer_text_.push_back(in[at]);
        }
        if (static_cast<State>(state_) == State::kEnd) SplitTrailers();
        ++at;
      }
    }
  }
}

}  // namespace gw::http
