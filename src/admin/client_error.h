// What went wrong with a request to an admin port, in words that name the address.

#pragma once

#include <string>

#include "base/status.h"
#include "client/failure.h"

namespace gw::internal {

// "get from 127.0.0.1:9909: "
std::string AdminErrorPrefix(const std::string& address);
absl::Status AdminError(const std::string& address, const ClientError& error);

}  // namespace gw::internal
