// One content coding, as a stage of ContentDecoder.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "http/content_decoder.h"

namespace gw::http::internal {

class DecodingStage {
 public:
  static std::unique_ptr<DecodingStage> New(ContentCoding coding);
  virtual ~DecodingStage() = default;

  // Reads from the front of `in`, writes to the front of `out` and takes both away, until one of
  // them is empty. False if the bytes are not of this coding.
  virtual bool Run(std::string_view* in, std::span<char>* out) = 0;
  // True if what was read so far is whole.
  virtual bool complete() const = 0;

  // What ContentDecoder keeps for the stage.
  size_t read = 0;
  size_t written = 0;
  std::vector<char> buffer;  // its output, if another stage reads it
  std::string_view pending;  // of that, what is not read yet
};

}  // namespace gw::http::internal
