// Connection: a link between this gateway and another one, from its first byte on: greetings, then
// messages.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "net/event_loop.h"
#include "peers/greeting.h"
#include "peers/link.h"

namespace gw::peers {

class Dialler;

// One loop's thread.
class Connection {
 public:
  static constexpr Duration kGreetingTimeout = std::chrono::seconds(2);

  // None may destroy the connection: EventLoop::FreeLater. An error ends it, and tells the peer.
  struct Events {
    std::function<absl::Status(Connection&, const Greeting&)> on_greeting;  // at most once
    std::function<absl::Status(Connection&, const Message&)> on_message;    // behind that
    std::function<void(Connection&, const absl::Status&)> on_end;           // once
  };

  // Greets. `dialler`: who has made it; nullptr: it arrived.
  // `number`: unlike any other's.
  Connection(EventLoop& loop, uint64_t number, std::unique_ptr<Stream> stream, Dialler* dialler,
             const Greeting& own, Events events);

  Link& link() { return link_; }
  const Link& link() const { return link_; }
  uint64_t number() const { return number_; }
  // Since the last call.
  uint64_t TakeReceivedBytes();
  bool is_dialled() const { return is_dialled_; }
  // nullptr: nobody, or it is gone.
  Dialler* dialler() const { return dialler_; }
  void ForgetDialler() { dialler_ = nullptr; }
  const Greeting& greeting() const { return greeting_; }  // the peer's
  TimePoint began() const { return began_; }

  // Of the peer that it is the connection of; 0: of none.
  uint64_t peer_id() const { return peer_id_; }
  void set_peer_id(uint64_t id) { peer_id_ = id; }

  // Without on_end.
  void Close(std::string_view reason);

 private:
  absl::Status OnMessage(const Message& message);

  const uint64_t number_;
  const Events events_;
  const bool is_dialled_;
  const TimePoint began_;
  Dialler* dialler_;
  Greeting greeting_;
  bool greeted_ = false;
  uint64_t peer_id_ = 0;
  uint64_t taken_bytes_ = 0;  // of those received
  Link link_;
  Timer timer_;
};

}  // namespace gw::peers
