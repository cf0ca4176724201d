// Listening sockets that whoever started this process has opened for it: socket activation, as a
// service manager does it (sd_listen_fds(3), without its library). They outlive the process there,
// so that a restart refuses no connection: what comes meanwhile waits in their backlog.

#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace gw {

class HandedSockets {
 public:
  HandedSockets() = default;  // none
  // `count` descriptors from `first` on, and their names, separated by ':'. They are closed at the
  // end and are not inherited by other programs.
  HandedSockets(int first, int count, std::string_view names);
  ~HandedSockets();
  HandedSockets(HandedSockets&& other) noexcept;
  HandedSockets& operator=(HandedSockets&&) = delete;

  // Those that LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell this process of, once: the variables
  // go, whatever they say. REQUIRES: no other thread uses the environment.
  static HandedSockets Take();

  // The descriptor of the socket that accepts what comes to `address`, or -1. One for [::] that
  // takes IPv4 too is also one for 0.0.0.0.
  int Find(const SocketAddress& address) const;

  bool empty() const { return sockets_.empty(); }
  // "http (0.0.0.0:8080)" of each, or of those only whose descriptor is not in `used`.
  std::vector<std::string> Names(const std::set<int>& used = {}) const;

 private:
  struct Socket {
    int fd;
    std::string name;
    SocketAddress address;
    bool listens = false;     // a TCP socket that can accept
    bool takes_ipv4 = false;  // one for [::] that is not for IPv6 only
  };

  std::vector<Socket> sockets_;
};

}  // namespace gw
