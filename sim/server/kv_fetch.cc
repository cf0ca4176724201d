#include "sim/server/kv_fetch.h"

#include <utility>

#include "sim/server/text.h"

namespace gw::sim {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(5);
constexpr Duration kRetryInterval = std::chrono::seconds(1);

}  // namespace

KvFetch::KvFetch(EventLoop& loop, const SocketAddress& address, std::string_view path,
                 std::string_view key, Duration lost_patience, Done done)
    : loop_(loop),
      address_(address),
      request_(Concat({"POST ", path, " HTTP/1.1\r\nhost: ", address.ToString(),
                       "\r\nconnection: close\r\ncontent-length: ", Digits(key.size()), "\r\n\r\n",
                       key})),
      lost_patience_(lost_patience),
      done_(std::move(done)),
      lost_since_(loop.now()),
      retry_(loop, [this] { Connect(); }) {
  Connect();
}

void KvFetch::Connect() {
  connector_ = Connector::New(loop_, address_, kConnectTimeout, [this](auto stream) {
    if (!stream.ok()) return Lose();
    stream_ = *std::move(stream);
    stream_->set_observer(this);
    parser_.Reset(false);
    Send();
  });
}

// A request is small, and the socket is new: what it does not take at once is a failure.
void KvFetch::Send() {
  const iovec part{const_cast<char*>(request_.data()), request_.size()};
  if (stream_->Write({&part, 1}).state != IoState::kOk) return Lose();
  lost_since_ = TimePoint::max();
}

void KvFetch::OnReadable() {
  for (;;) {
    const IoResult read = stream_->Read(loop_.scratch());
    if (read.state == IoState::kWouldBlock) return;
    if (read.state != IoState::kOk) return Lose();
    std::string_view in(loop_.scratch().data(), read.bytes);
    for (;;) {
      const http::H1Step step = parser_.Next(in);
      if (step.event == http::H1Event::kNeedMore) break;
      if (step.event == http::H1Event::kError) return Finish(Outcome::kRefused);
      if (step.event == http::H1Event::kEnd) {
        return Finish(parser_.head().status == 200 ? Outcome::kDone : Outcome::kRefused);
      }
      in.remove_prefix(step.consumed);
    }
  }
}

void KvFetch::Lose() {
  stream_.reset();
  // Only the time without a connection counts, not the time that was waited on one.
  if (lost_since_ == TimePoint::max()) lost_since_ = loop_.now();
  if (loop_.now() - lost_since_ >= lost_patience_) return Finish(Outcome::kLost);
  retry_.Start(kRetryInterval);
}

void KvFetch::Finish(Outcome outcome) {
  stream_.reset();
  const Done done = std::move(done_);
  done(outcome);
}

}  // namespace gw::sim
