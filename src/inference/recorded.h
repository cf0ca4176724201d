// For tests: recorded requests and responses of real model servers (test/data/inference/README.md).

#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace gw::internal {

inline std::string ReadTestData(const std::string& name) {
  const std::string path = std::string(PENSTOCK_SOURCE_DIR "/test/data/") + name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline std::string WithoutChunks(std::string_view chunked) {
  std::string body;
  while (!chunked.empty()) {
    size_t size = 0;
    const char* end = chunked.data() + chunked.size();
    const auto parsed = std::from_chars(chunked.data(), end, size, 16);
    chunked.remove_prefix(static_cast<size_t>(parsed.ptr - chunked.data()) + 2);
    if (size == 0) break;
    body += chunked.substr(0, size);
    chunked.remove_prefix(size + 2);
  }
  return body;
}

// The body of a recorded message, e.g. "vllm-0.32.0/chat_stream.response". A recording that begins
// with data begins in the middle of a chunked body.
inline std::string RecordedBody(const std::string& name) {
  const std::string message = ReadTestData("inference/" + name + ".http");
  const size_t head_end = message.find("\r\n\r\n");
  const std::string_view text = message;
  const std::string_view head = text.substr(0, head_end);
  if (!head.starts_with("HTTP/") && !head.starts_with("POST ")) return WithoutChunks(text);
  const std::string_view body = text.substr(head_end + 4);
  const bool chunked = head.find("ransfer-") != std::string_view::npos &&
                       head.find("chunked") != std::string_view::npos;
  return chunked ? WithoutChunks(body) : std::string(body);
}

}  // namespace gw::internal
