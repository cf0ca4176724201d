// The first message of either end of a connection between gateways: who it is, and what it speaks.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace gw::peers {

struct Greeting {
  // Both ends must have the same; one that is raised keeps gateways apart while they are upgraded
  // one by one. Messages of kinds that are not known are left out, so that it seldom has to be.
  static constexpr uint32_t kVersion = 1;

  uint32_t version = kVersion;
  uint64_t id = 0;   // drawn anew by each process
  std::string name;  // for people, such as a Pod's; not unique
};

// Appends it as a message of kind kHello.
void WriteGreeting(const Greeting& greeting, std::string* out);
// Of such a message's payload. An error says why the peer cannot be spoken to.
absl::Status ReadGreeting(std::string_view payload, Greeting* greeting);

// Appends a message of kind kBye: why the connection ends.
void WriteBye(std::string_view reason, std::string* out);

}  // namespace gw::peers
