// The side channel on which a simulated replica fetches the KV cache of a prompt from the replica
// that computed it; what NIXL or Mooncake are to real ones. Only the message that a transfer is
// done crosses it, at the time it would be.
//
//   POST /kv HTTP/1.1        the body is the key under which the other side offers the KV: with
//                            vLLM "engine id/request id", with SGLang the room. Answered with 200
//                            when it is all there, however long that takes; 404 if there is no such
//                            key and there never will be.
//   POST /release HTTP/1.1   the same key: it will not be fetched after all.
//
// A fetch asks for one key. A connection that cannot be had or breaks is tried again each second,
// for as long as the caller says. One thread, that of its loop.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "client/pool.h"
#include "net/address.h"

namespace gw::sim {

class KvFetch final : private ResponseHandler {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kRefused,  // the other side has no such key
    kLost,     // the other side could not be reached for as long as was allowed
  };
  // `done` is called at most once, later, from the loop; it may destroy the fetch. Destroying it
  // earlier closes the connection.
  using Done = std::function<void(Outcome)>;

  // `path` is "/kv" or "/release".
  KvFetch(ClientPool& client, const SocketAddress& address, std::string_view path,
          std::string_view key, Duration lost_patience, Done done);
  ~KvFetch();

 private:
  void OnResponseHead(const http::ResponseHead& head) override { status_ = head.status; }
  void OnResponseBody(std::string_view) override {}
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;

  void Send();
  void Finish(Outcome outcome);

  ClientPool& client_;
  const std::string address_;
  const std::string path_;
  const std::string key_;
  const std::string_view body_[1];
  const Duration lost_patience_;
  Done done_;
  TimePoint lost_since_;
  Timer retry_;
  ClientCall* call_ = nullptr;
  int status_ = 0;
};

}  // namespace gw::sim
