// What people know this process's machine by: in a Pod its name.

#pragma once

#include <string>

namespace gw {

// Of the variable POD_NAME, which a Pod on the node's network needs, else the host's; "" if it has
// none.
std::string MachineName();

}  // namespace gw
