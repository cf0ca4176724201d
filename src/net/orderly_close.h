// OrderlyClose: the last state of a connection whose last bytes are written.
//
// Closing while the peer still sends resets the connection, and the reset may overtake what was
// written. So our side is ended first, and what the peer sends is read and thrown away, one read in
// each round, until its side ends too, or a limit is reached.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "net/event_loop.h"
#include "net/stream.h"

namespace gw {

class OrderlyClose final : private StreamObserver {
 public:
  struct Limits {
    Duration time_max;
    size_t bytes_max;  // thrown away
  };
  enum class End {
    kPeer,   // it has ended its side, or the connection is dead
    kTime,   // time_max
    kBytes,  // more than bytes_max
  };

  // `done` is called once, from the loop and not before this returns; it may destroy the object,
  // which closes the stream if it is still open. REQUIRES: everything written was taken.
  OrderlyClose(EventLoop& loop, std::unique_ptr<Stream> stream, const Limits& limits,
               std::function<void(End)> done);

 private:
  void OnReadable() override;
  void OnWritable() override;
  // Our end of the stream, which may have to wait for room.
  void EndOurSide();
  void Finish(End end);

  EventLoop& loop_;
  const size_t bytes_max_;
  std::unique_ptr<Stream> stream_;
  std::function<void(End)> done_;
  size_t bytes_ = 0;
  Timer timer_;
};

}  // namespace gw
