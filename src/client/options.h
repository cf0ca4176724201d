// Limits and time-outs of a client. Reaching one is told by its name.

#pragma once

#include <cstddef>

#include "base/clock.h"
#include "http/head.h"

namespace gw {

struct ClientOptions {
  http::HeadLimits response_head;                      // kBadResponse
  size_t idle_connections_max = 256;                   // per server: the oldest is closed
  size_t reads_per_turn_max = 4;                       // of one connection: others have their turn
  Duration connect_timeout = std::chrono::seconds(5);  // with the handshake, where TLS is spoken
  Duration response_timeout = std::chrono::seconds(600);  // to the first byte of the body
  Duration idle_timeout = std::chrono::seconds(300);      // between two reads of the body
  Duration keep_alive_timeout = std::chrono::seconds(4);  // idle connections are closed
  // What was idle for longer is looked at before it is used: the server may have closed it, and a
  // request that is sent into a closed connection is a try lost.
  Duration trusted_idle_time = std::chrono::milliseconds(50);
  Duration tcp_keep_alive = std::chrono::seconds(60);  // Stream::KeepAlive; 0: never
};

}  // namespace gw
