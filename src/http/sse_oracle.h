// For the test and the fuzz target of SseScanner: a slow and obvious scanner to compare it with.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/sse.h"

namespace gw::http {

using Events = std::vector<std::string>;

struct Scanned {
  Events events;
  size_t skipped = 0;
  bool at_boundary = true;
  bool operator==(const Scanned&) const = default;
};

inline Scanned Scan(const std::vector<std::string_view>& pieces, size_t event_bytes_max = 1 << 20) {
  SseScanner scanner(event_bytes_max);
  Scanned scanned;
  for (std::string_view piece : pieces) {
    const std::string copy(piece);
    scanner.Feed(copy, [&](std::string_view data) { scanned.events.emplace_back(data); });
  }
  scanned.skipped = scanner.skipped_events();
  scanned.at_boundary = scanner.at_event_boundary();
  return scanned;
}

// The slow and obvious version: turns all line ends into LF, splits, and follows the steps of the
// specification line by line.
inline Scanned SseOracle(std::string_view bytes, size_t event_bytes_max) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\r') {
      text += '\n';
      if (i + 1 < bytes.size() && bytes[i + 1] == '\n') ++i;
    } else {
      text += bytes[i];
    }
  }
  if (text.starts_with("\xEF\xBB\xBF") && text.find('\n') != std::string::npos) text.erase(0, 3);
  Scanned scanned;
  std::string data;
  size_t event_bytes = 0;
  size_t lines = 0;
  for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    const std::string line = text.substr(0, end);
    if (!line.empty()) {
      ++lines;
      event_bytes += line.size();
      if (line == "data") data += "\n";
      if (line.starts_with("data:")) data += line.substr(line.starts_with("data: ") ? 6 : 5) + "\n";
      continue;
    }
    if (event_bytes > event_bytes_max) {
      ++scanned.skipped;
    } else if (!data.empty()) {
      scanned.events.push_back(data.substr(0, data.size() - 1));
    }
    data.clear();
    event_bytes = lines = 0;
  }
  scanned.at_boundary = lines == 0 && text.empty();
  return scanned;
}

}  // namespace gw::http
