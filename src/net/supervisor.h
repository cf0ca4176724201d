// What a service manager (systemd, Type=notify) is told about this process: sd_notify(3), without
// its library.

#pragma once

#include <string_view>

namespace gw {

// Sends lines such as "READY=1" to the socket that NOTIFY_SOCKET names. Does nothing if that is not
// set or nobody listens there.
void NotifySupervisor(std::string_view lines);

}  // namespace gw
