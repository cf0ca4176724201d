#include "admin/client_error.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace gw::internal {

std::string AdminErrorPrefix(const std::string& address) {
  return absl::StrCat("get from ", address, ": ");
}

absl::Status AdminError(const std::string& address, const ClientError& error) {
  const std::string prefix = AdminErrorPrefix(address);
  switch (error.failure) {
    case ClientFailure::kBadResponse:
      return absl::InternalError(absl::StrCat(prefix, "the answer is not HTTP"));
    case ClientFailure::kConnectTimeout:
    case ClientFailure::kTimeout:
      return absl::DeadlineExceededError(absl::StrCat(prefix, "no answer in time"));
    case ClientFailure::kTlsHandshake:
      return absl::UnavailableError(
          absl::StrCat(prefix, "the TLS handshake failed: ", error.detail));
    default:
      break;
  }
  if (error.error_number == 0) {
    return absl::UnavailableError(
        absl::StrCat(prefix, "the connection ended before the answer did"));
  }
  const bool connected = error.failure == ClientFailure::kClosed;
  return absl::UnavailableError(
      absl::StrCat(connected ? prefix : absl::StrCat("connect to ", address, ": "),
                   std::strerror(error.error_number)));
}

}  // namespace gw::internal
