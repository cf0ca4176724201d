// For the fuzz targets: cuts bytes as the input says, and stops the program when two readings
// differ.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/http_test_util.h"

namespace gw::http {

// The first byte of a fuzz input says how to cut the rest.
struct FuzzInput {
  FuzzInput(const uint8_t* data, size_t size)
      : seed(size == 0 ? 0 : data[0]),
        bytes(size == 0 ? "" : reinterpret_cast<const char*>(data) + 1, size == 0 ? 0 : size - 1) {}

  std::vector<std::string_view> Cut() const {
    if (seed % 4 == 0) return CutInBytes(bytes);
    Random random(seed);
    return CutAtRandom(bytes, 1 + seed / 2, &random);
  }

  uint8_t seed;
  std::string_view bytes;
};

}  // namespace gw::http
