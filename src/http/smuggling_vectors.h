// For tests: reads test/data/smuggling.txt, a table of requests that two HTTP parsers may read
// differently (RFC 9112 section 11.2) with what ours must make of each. The file says what its
// fields mean; the integration test sends the same bytes to the gateway.

#pragma once

#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "http/chars.h"

namespace gw::http {

struct SmugglingVector {
  std::string name;
  std::string verdict;  // "harmless" or a NameOf(HeadError)
  size_t requests = 0;
  std::string bodies;
  std::string bytes;
};

namespace internal {

inline std::string Unescape(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'r':
        bytes += '\r';
        break;
      case 'n':
        bytes += '\n';
        break;
      case 't':
        bytes += '\t';
        break;
      case 'x':
        bytes += static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
        i += 2;
        break;
      default:
        bytes += text[i];
    }
  }
  return bytes;
}

}  // namespace internal

// Empty if the file cannot be read.
inline std::vector<SmugglingVector> ReadSmugglingVectors() {
  std::ifstream file(PENSTOCK_SOURCE_DIR "/test/data/smuggling.txt");
  std::vector<SmugglingVector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string_view> fields;
    for (std::string_view rest = line; fields.size() < 5;) {
      const size_t tab = rest.find('\t');
      fields.push_back(rest.substr(0, tab));
      if (tab == std::string_view::npos) break;
      rest.remove_prefix(tab + 1);
    }
    if (fields.size() != 5) return {};
    vectors.push_back({std::string(fields[0]), std::string(fields[1]),
                       static_cast<size_t>(fields[2].front() - '0'), internal::Unescape(fields[3]),
                       internal::Unescape(fields[4])});
  }
  return vectors;
}

}  // namespace gw::http
