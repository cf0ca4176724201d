#include "net/orderly_close.h"

#include <utility>

namespace gw {

OrderlyClose::OrderlyClose(EventLoop& loop, std::unique_ptr<Stream> stream, const Limits& limits,
                           std::function<void(End)> done)
    : loop_(loop),
      bytes_max_(limits.bytes_max),
      stream_(std::move(stream)),
      done_(std::move(done)),
      timer_(loop, [this] { Finish(End::kTime); }) {
  timer_.Start(limits.time_max);
  stream_->set_observer(this);
  EndOurSide();
  // Also if it failed: then a read says so.
  stream_->ReadAgainLater();
}

void OrderlyClose::EndOurSide() {
  if (stream_->ShutdownWrite() == IoState::kError) stream_->ReadAgainLater();
}

void OrderlyClose::OnWritable() { EndOurSide(); }

void OrderlyClose::OnReadable() {
  const IoResult read = stream_->Read(loop_.scratch());
  bytes_ += read.bytes;
  if (bytes_ > bytes_max_) return Finish(End::kBytes);
  if (read.state == IoState::kOk) return stream_->ReadAgainLater();
  if (read.state != IoState::kWouldBlock) Finish(End::kPeer);
}

// Nothing of this object is used after the call.
void OrderlyClose::Finish(End end) {
  timer_.Stop();
  stream_.reset();
  const std::function<void(End)> done = std::move(done_);
  done(end);
}

}  // namespace gw
