// The admin port: a small HTTP/1.1 server on a thread of its own, so that a slow or hostile reader
// of metrics never touches a worker. What the paths answer is registered by the caller.
//
//   AdminServer::Handlers handlers;
//   handlers["/healthz"] = [](const AdminRequest&) { return AdminResponse{.body = "ok\n"}; };
//   ASSIGN_OR_RETURN(auto admin, AdminServer::Start(address, std::move(handlers)));
//
// Outcomes of its own: 404 unknown path, 405 method other than GET or HEAD, 400/414/431/505 as the
// parser judges, 413 a request with a body; a connection over the limit, one that sends no complete
// request head in time, and one that does not read its answer in time are closed.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "net/address.h"

namespace gw {

// The views live until the handler returns.
struct AdminRequest {
  std::string_view method;  // "GET" or "HEAD"; a HEAD's body is left out by the server
  std::string_view path;    // "/endpoints", without the query
  std::string_view query;   // "pool=a&x=1", empty if none; see QueryParam in http/url.h
};

struct AdminResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Runs on the admin thread, one at a time.
using AdminHandler = std::function<AdminResponse(const AdminRequest&)>;

class AdminServer {
 public:
  // Exact path -> handler. A path that ends with '/' also takes every longer path below it that no
  // other entry takes ("/explain/" answers "/explain/abc").
  using Handlers = std::map<std::string, AdminHandler, std::less<>>;

  struct Limits {
    size_t connections = 64;
    size_t head_bytes = 16 * 1024;
    Duration idle = std::chrono::seconds(60);   // between requests, and for a whole head
    Duration write = std::chrono::seconds(30);  // without progress while an answer is sent
  };

  // Listens and starts the thread. The error names the address, e.g.
  // "admin: listen on 127.0.0.1:9090: Address already in use".
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const SocketAddress& address,
                                                            Handlers handlers);
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const SocketAddress& address,
                                                            Handlers handlers,
                                                            const Limits& limits);
  // Closes every connection and joins the thread; no handler runs afterwards.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  const SocketAddress& local() const;  // with the real port when 0 was asked for
  // Connections closed at once because Limits::connections were open. Any thread may ask.
  uint64_t refused_connections() const;

 private:
  class Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace gw
