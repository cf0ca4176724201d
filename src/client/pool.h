// ClientPool: the HTTP client of one event loop. Keeps idle connections to any number of servers
// for reuse; a connection carries one request at a time. Over TLS it begins with a handshake, and
// what that came to decides: nothing is ever sent in plain text in its place.
//
// A limit or time-out that is reached is told to `on_limit` by name: connect_timeout, open_files,
// local_ports, socket_memory, tcp_keep_alive, reads_per_turn, response_head_bytes,
// response_head_fields, response_headers_timeout, stream_idle_timeout, idle_upstream_connections,
// upstream_keep_alive_timeout.
//
// On the loop's thread, all of it.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/status.h"
#include "client/options.h"
#include "client/request.h"
#include "net/event_loop.h"
#include "net/tls.h"
#include "tls/client_tls.h"

namespace gw {

class H1Connection;

// Which idle connection may carry a request: any (what was idle for longer than trusted_idle_time
// is looked at), one that its server has not closed as far as the kernel knows, or none.
enum class Reuse : uint8_t { kTrusted, kVerified, kNone };

// Where a request goes, and how it is spoken there. A view: for the time of a call.
struct ClientTarget {
  const std::string& address;  // "10.0.0.1:8000"
  // nullptr: plain. A connection carries requests of one ClientTls only: whose it was made with.
  std::shared_ptr<const ClientTls> tls = nullptr;
};

// There was no connection to a server, and it was not the server that refused it.
struct ClientTrouble {
  enum class Kind : uint8_t {
    kHandshake,  // none of TLS came to its end
    kOwn,        // something of our own was missing, or of the network
  };
  Kind kind;
  const std::string& address;
  const std::string& error;
  uint64_t times;  // since the last that was told
};

// A line that says so of an endpoint.
void LogEndpointTrouble(const ClientTrouble& trouble);

class ClientPool {
 public:
  struct Hooks {
    std::function<void(std::string_view limit)> on_limit = [](std::string_view) {};
    // There is no descriptor for a new connection: called before it is tried once more.
    std::function<void()> free_descriptors = [] {};
    // A handshake has ended.
    std::function<void(const TlsHandshake::Result&)> on_handshake =
        [](const TlsHandshake::Result&) {};
    // Of each kind at most once in ten seconds, for the log: only the owner knows what its servers
    // are called.
    std::function<void(const ClientTrouble&)> on_trouble = LogEndpointTrouble;
  };

  // `options` outlive the pool, and so do `handshakes`; nullptr: it has its own.
  ClientPool(EventLoop& loop, const ClientOptions& options, Hooks hooks,
             TlsHandshakes* handshakes = nullptr);
  ~ClientPool();

  // Sends `request` to `target`, over an idle connection if `reuse` allows one and there is one,
  // otherwise over a new one. `handler` is not called before this has returned. REQUIRES: its
  // address is valid (SocketAddress::Parse)
  ClientCall* Send(const ClientTarget& target, const ClientRequest& request, Reuse reuse,
                   ResponseHandler* handler);

  // Closes as many idle connections, the longest idle first; returns how many.
  size_t CloseLongestIdle(size_t most);
  size_t idle_connections() const { return idle_count_; }
  EventLoop& loop() { return loop_; }
  // For whoever only looks whether a server is there.
  TlsHandshakes& handshakes() { return handshakes_; }
  void TellHandshake(const std::string& address, const TlsHandshake::Result& result);

 private:
  friend class H1Connection;
  using Owned = std::unique_ptr<H1Connection>;

  const ClientOptions& options() const { return options_; }
  void Limit(std::string_view name) { hooks_.on_limit(name); }
  void PutBack(H1Connection* connection);
  // Forgets a closed connection; it is freed when the round has ended.
  void Remove(H1Connection* connection);
  void CloseExpired();
  H1Connection* TakeIdle(const ClientTarget& target, Reuse reuse);
  // Of one kind, what is told in a while.
  struct Untold {
    TimePoint told_at{};
    uint64_t times = 0;
  };
  void Tell(ClientTrouble::Kind kind, const std::string& address, const std::string& error);
  // No connection for a reason of our own, or of the network.
  void TellOwnTrouble(const std::string& address, const absl::Status& status) {
    Tell(ClientTrouble::Kind::kOwn, address, std::string(status.message()));
  }
  // One idle connection was found closed by its server: its others are no better.
  void CloseIdleOf(const std::string& address);

  EventLoop& loop_;
  const ClientOptions& options_;
  const Hooks hooks_;
  const std::unique_ptr<TlsHandshakes> own_handshakes_;
  TlsHandshakes& handshakes_;
  absl::flat_hash_map<H1Connection*, Owned> all_;
  absl::flat_hash_map<std::string, std::vector<H1Connection*>> idle_;
  size_t idle_count_ = 0;
  Untold untold_handshakes_;
  Untold untold_own_;
  Timer sweep_;
};

}  // namespace gw
