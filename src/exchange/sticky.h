// Sticky: what the versions that serve a request are chosen by, where its rule says so
// (routing/sticky.h).

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gw {

struct Sticky {
  std::optional<uint64_t> value;  // nullopt: chance
  std::string cookie;             // for a client that has none yet; empty: it gets none

  void Reset() {
    value.reset();
    cookie.clear();
  }
};

}  // namespace gw
