// A blocking HTTP request to a running gateway's admin port, for the commands that ask it
// something.

#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "net/address.h"

namespace gw {

struct AdminAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

inline constexpr size_t kAdminAnswerBytesMax = 256 << 20;

// Connects, sends "GET target", reads the whole answer, all within `timeout`. Any HTTP status is an
// answer. Errors: Unavailable (no connection, or it broke), DeadlineExceeded, ResourceExhausted
// (body over kAdminAnswerBytesMax), Internal (not HTTP).
absl::StatusOr<AdminAnswer> AdminGet(const SocketAddress& address, std::string_view target,
                                     Duration timeout = std::chrono::seconds(10));
// The same with PUT, for what changes something; without a body.
absl::StatusOr<AdminAnswer> AdminPut(const SocketAddress& address, std::string_view target,
                                     Duration timeout = std::chrono::seconds(10));

}  // namespace gw
