// The cookies of a request by their name (RFC 6265 4.2).

#pragma once

#include <algorithm>
#include <string_view>

#include "http/chars.h"
#include "http/head.h"

namespace gw {

// Calls `visit` for the value of each cookie of that name, until it returns true.
template <typename Visit>
void ForEachCookie(const http::HeaderList& headers, std::string_view name, Visit visit) {
  for (const http::HeaderField& field : headers) {
    if (field.name.size() != 6 || !http::EqualsIgnoreCase(field.name, "cookie")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view pair = http::TrimSpace(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!pair.starts_with(name) || pair.size() <= name.size() || pair[name.size()] != '=') {
        continue;
      }
      if (visit(pair.substr(name.size() + 1))) return;
    }
  }
}

}  // namespace gw
