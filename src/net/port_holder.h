// Who listens on a port of this machine. Reads /proc: for start-up, errors and the end only.

#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace gw {

// "prometheus (process 4711)"; "a process of user 65534" if its descriptors may not be looked at;
// "" if nobody is found.
std::string WhoListens(uint16_t port);

// True if another process listens on one of these ports as well (it shares them by SO_REUSEPORT).
bool OthersListen(const std::set<uint16_t>& ports);

}  // namespace gw
