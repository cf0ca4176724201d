// What is judged before anything is opened or published, so that a mistake in a flag is told at
// once and by the flag's name; and what the log says of the start.

#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/status.h"
#include "config/config_source.h"
#include "net/address.h"
#include "net/handed_sockets.h"
#include "server/server.h"
#include "snapshot/snapshot.h"

namespace gw {

// --bind. A wrong address would fail at every port, and be tried again for ever as if a port were
// taken.
absl::Status CheckBindIp(const std::string& ip);

// --admin: looked up, one of this machine, and free unless `shared` or one of `handed`.
absl::StatusOr<SocketAddress> AdminAddressOf(const std::string& text, bool shared,
                                             const HandedSockets& handed);

int WorkersOf(const ServerOptions& options);

// Raises the process's limit of open files, and takes no more clients than it allows: one that is
// accepted needs a second descriptor, towards its endpoint; without it the request would fail at an
// endpoint that is well.
ServerOptions WithinDescriptors(ServerOptions options);

// "default/gateway/http 0.0.0.0:80, default/gateway/other 0.0.0.0:81": the listeners that are open,
// for the log; of many the first.
std::string ListenersText(const Snapshot& snapshot, const std::set<ListenerKey>& open);

// The lines that begin and end the start. REQUIRES: options.seed
void LogStart(const ServerOptions& options, const config::FirstLoad& loaded,
              const std::string& sockets);
void LogListening(size_t files, const Snapshot& snapshot, const std::set<ListenerKey>& open);

// `error` with what is known of who has the port.
std::string WithHolder(std::string error, uint16_t port);

}  // namespace gw
