// Collects the bytes of one message head and splits them into start line and header fields.
//
// Lines are judged as they arrive (line ends, control characters, folding, limits), so that a head
// that can only be refused is refused at once and the verdict does not depend on how the bytes were
// cut. The complete head then goes through llhttp in one piece, which finds the fields:
//
//   Read until kComplete; judge start_line(); Split.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/head.h"

namespace gw::http::internal {

class HeadReader {
 public:
  enum class Kind : unsigned char { kRequest, kResponse };
  enum class Result : unsigned char { kNeedMore, kComplete, kError };

  HeadReader(Kind kind, const HeadLimits& limits) : kind_(kind), limits_(limits) {}

  // Forgets the message. Keeps the buffer unless the head was unusually large.
  void Reset();
  // Takes bytes up to the end of the head. On kComplete start_line() is set, without its line end.
  Result Read(std::string_view in, size_t* consumed);
  // Finds the fields of a complete head. Their views and start_line() live until Reset.
  HeadError Split(HeaderList* headers);

  std::string_view start_line() const { return start_line_; }
  HeadError error() const { return error_; }
  // True from the first byte of a start line on. A lone empty line before a request is nothing yet.
  bool begun() const { return begun_; }

 private:
  Result ScanLines(std::string_view bytes);
  Result CheckLine(std::string_view line, size_t end);
  Result Fail(HeadError error);
  HeadError LimitPassed(size_t line_bytes, size_t head_bytes) const;

  const Kind kind_;
  const HeadLimits limits_;
  std::string buffer_;
  size_t scanned_ = 0;     // no line end before it other than those of whole lines
  size_t line_start_ = 0;  // of the first line that is not whole
  size_t head_start_ = 0;  // behind the empty line that may precede a request
  size_t lines_ = 0;       // whole lines of the head: the start line and the fields
  bool begun_ = false;
  HeadError error_ = HeadError::kNone;
  std::string_view start_line_;
};

}  // namespace gw::http::internal
