// The admin port: a small HTTP/1.1 server on a thread of its own, so that a slow or hostile reader
// of metrics never touches a worker. What the paths answer is registered by the caller.
//
//   AdminServer::Handlers handlers;
//   handlers["/healthz"] = [](const AdminRequest&) { return AdminResponse{.body = "ok\n"}; };
//   ASSIGN_OR_RETURN(auto admin, AdminServer::Start(address, std::move(handlers)));
//
// What changes something is asked for by PUT, without a body; its key in Handlers begins with "PUT
// ".
//
// An answer may be one that does not end (admin_feed.h).
//
// It speaks TLS, and asks for a token, if its AdminGuard says so.
//
// Outcomes of its own: 503 for a feed that has as many readers as it may, 401 without the token,
// 404 unknown path, 405 another method than the path has, 400/414/431/505 as the parser judges, 413
// a request with a body. At the limit of connections the oldest one whose handshake is under way
// makes room for a new one, or else the longest idle one; the new one is closed itself only while
// all others are being answered. A connection that sends no complete request head in time, one that
// does not read its answer in time, and one that sends on after its last answer, longer or more
// than is allowed, are closed.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_feed.h"
#include "base/clock.h"
#include "base/status.h"
#include "net/address.h"
#include "tls/server_tls.h"

namespace gw {

// The views live until the handler returns.
struct AdminRequest {
  std::string_view method;       // "GET", "HEAD" or "PUT"; a HEAD's body is left out by the server
  std::string_view path;         // "/endpoints", without the query
  std::string_view query;        // "pool=a&x=1", empty if none; see QueryParam in http/url.h
  std::string_view accept = {};  // the field of that name; empty if there is none
};

struct AdminResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::string cache_control = "no-store";
  std::vector<std::pair<std::string, std::string>> fields = {};  // further ones
  AdminFeed* feed = nullptr;  // set: the body is what it says from now on, and `status` 200
};

// Runs on the admin thread, one at a time.
using AdminHandler = std::function<AdminResponse(const AdminRequest&)>;

// Who is let in.
struct AdminGuard {
  std::shared_ptr<const ServerTls> tls = nullptr;  // nullptr: plain
  // That requests carry as `Authorization: Bearer TOKEN`, but for those of the open paths; "": none
  // is asked for.
  std::string token = {};
  std::set<std::string, std::less<>> open_paths = {};  // exact ones
};

class AdminServer {
 public:
  // Exact path -> handler. A path that ends with '/' also takes every longer path below it that no
  // other entry takes ("/explain/" answers "/explain/abc"); but "/" takes no other path.
  using Handlers = std::map<std::string, AdminHandler, std::less<>>;

  struct Limits {
    size_t connections = 64;  // of --limit admin_connections
    // Called on the admin thread when `connections` are open and one more comes.
    std::function<void()> on_connections_reached = [] {};
    size_t feed_readers = 16;                               // of --limit admin_feed_readers
    std::function<void()> on_feed_readers_reached = [] {};  // on the admin thread
    // What a client may send after its last answer; then it is closed, and this is called, on the
    // admin thread.
    size_t linger_bytes = 1 << 20;  // of --limit admin_linger_bytes
    std::function<void()> on_linger_bytes_reached = [] {};
    // Other processes may listen on the port, too: one takes over from the other.
    bool share_port = false;
    int handed = -1;  // a listening socket that is used, see Listener::Options
    size_t head_bytes = 16 * 1024;
    Duration idle = std::chrono::seconds(60);            // between requests, and for a whole head
    Duration write = std::chrono::seconds(30);           // without progress while an answer is sent
    Duration handshake = std::chrono::seconds(10);       // of --timeout tls_handshake_timeout
    std::function<void()> on_handshake_timeout = [] {};  // on the admin thread
  };

  // Listens and starts the thread. The error names the address, e.g.
  // "admin: listen on 127.0.0.1:9909: Address already in use".
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const SocketAddress& address,
                                                            Handlers handlers);
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const SocketAddress& address,
                                                            Handlers handlers, const Limits& limits,
                                                            AdminGuard guard = {});
  // Closes every connection and joins the thread; no handler runs afterwards.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Any thread. New connections are left to whoever else listens on the port; those that are open
  // go on, and those whose first packet was answered are accepted for as long as `closing`.
  void StopListening(Duration closing);
  // Any thread. From now on; connections over TLS go on with the certificate they began with.
  void SetGuard(AdminGuard guard);

  const SocketAddress& local() const;  // with the real port when 0 was asked for
  // Connections closed because Limits::connections were open, idle ones and new ones. Any thread
  // may ask.
  uint64_t closed_at_limit() const;

 private:
  class Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace gw
