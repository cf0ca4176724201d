// `penstock get KIND` and `penstock explain ID`: ask a running gateway through its admin port.

#pragma once

#include <ostream>
#include <string>

namespace gw {

// Print what the gateway says. 0, or 1 with a message on `err`.
int RunGet(const std::string& kind, const std::string& admin, std::ostream& out, std::ostream& err);
int RunExplain(const std::string& request_id, const std::string& admin, std::ostream& out,
               std::ostream& err);

}  // namespace gw
