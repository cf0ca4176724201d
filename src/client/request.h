// What is asked of a server and what comes of it, in the terms that all versions of HTTP share
// (RFC 9110): whoever asks knows nothing of how a connection writes it.

#pragma once

#include <span>
#include <string_view>

#include "client/failure.h"
#include "http/head.h"

namespace gw {

struct ClientRequest {
  std::string_view method = "GET";
  std::string_view target = "/";  // path and query
  std::string_view authority;     // who is asked: Host, or :authority
  // End-to-end fields as they are sent, without Host and Content-Length.
  std::span<const http::HeaderField> fields = {};
  // A body is announced, even an empty one. It is what `parts` hold together.
  bool has_body = false;
  // Valid until the response has ended, the list as well as what it points to. All other views are
  // free again when Send returns.
  std::span<const std::string_view> parts = {};
  // Behind the body. REQUIRES: has_body
  std::span<const http::HeaderField> trailers = {};
};

// Receives one response. Calls come from the loop, never from inside Send. After OnResponseEnd or
// OnResponseFailed nothing more comes, and the call is no longer the handler's.
class ResponseHandler {
 public:
  // The request goes out over a new connection, which has been made. Not called where it goes over
  // one that was kept, at once. REQUIRES: the call is not cancelled in it
  virtual void OnNewConnection() {}
  virtual void OnResponseHead(const http::ResponseHead& head) = 0;
  // A piece of the body: a view that is valid until OnResponseFlush or OnResponseEnd returns.
  virtual void OnResponseBody(std::string_view piece) = 0;
  // What stood behind the body, before OnResponseEnd; valid until this returns. Not called for
  // nothing.
  virtual void OnResponseTrailers(const http::HeaderList& trailers) {}
  // All pieces of one read were handed over and the message goes on.
  virtual void OnResponseFlush() {}
  virtual void OnResponseEnd() = 0;
  virtual void OnResponseFailed(const ClientError& error) = 0;

 protected:
  ~ResponseHandler() = default;
};

// A request under way. Its handler may call these until the response has ended.
class ClientCall {
 public:
  // Ends it at once, so that a server gives up its work. The handler hears nothing more.
  virtual void Cancel() = 0;
  // Back-pressure: nothing of the response is read until Resume.
  virtual void Pause() = 0;
  virtual void Resume() = 0;
  virtual bool connecting() const = 0;  // there is no connection yet

 protected:
  ~ClientCall() = default;
};

}  // namespace gw
