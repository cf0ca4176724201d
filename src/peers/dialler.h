// Dialler: keeps dialling one address as long as no connection leads to the gateway there.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "net/event_loop.h"
#include "peers/private_streams.h"

namespace gw::peers {

// One loop's thread.
class Dialler {
 public:
  static constexpr Duration kPauseMin = std::chrono::milliseconds(100);
  static constexpr Duration kPauseMax = std::chrono::seconds(5);

  // Both outlive it.
  Dialler(EventLoop& loop, PrivateStreams& streams, const SocketAddress& address, uint64_t seed);

  // `is_linked`: there is a connection to the gateway of this address, whoever made it.
  void Start(std::function<bool()> is_linked,
             std::function<void(std::unique_ptr<Stream>)> on_stream);
  // The connection that it has made ended, or was of no use; why, "" if that is no fault.
  void OnEnded(const std::string& error);
  // The address is this gateway's own.
  void StopAtSelf();

  void set_peer_id(uint64_t id) { peer_id_ = id; }
  uint64_t peer_id() const { return peer_id_; }  // of who was met there; 0: nobody yet
  bool at_self() const { return at_self_; }
  const std::string& error() const { return error_; }

 private:
  void Dial();
  void Pause();

  PrivateStreams& streams_;
  const SocketAddress address_;
  Random random_;
  std::function<bool()> is_linked_;
  std::function<void(std::unique_ptr<Stream>)> on_stream_;
  std::unique_ptr<PrivateStreams::Attempt> attempt_;
  bool is_connected_ = false;
  bool at_self_ = false;
  uint64_t peer_id_ = 0;
  Duration pause_ = kPauseMin;
  std::string error_;
  EventLoop& loop_;
  Timer timer_;
};

}  // namespace gw::peers
