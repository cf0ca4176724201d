// AwkwardStream, for tests: a Stream over another one that does what TLS may do. Reads give less
// than there is, and the rest makes no event; a read or a write that could go on waits for
// something else first; the end of our side is not sent at once. It stops the program if what a
// write did not take is not offered again.
//
// PENSTOCK_AWKWARD_STREAMS=SEED puts it under every Listener and Connector of a test program that
// includes this file.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "net/epoll_loop.h"
#include "net/stream.h"
#include "net/tcp_stream.h"

namespace gw {

class AwkwardStream final : public Stream, private StreamObserver, private internal::Deferred {
 public:
  AwkwardStream(EventLoop& loop, uint64_t seed, std::unique_ptr<Stream> under)
      : loop_(internal::ImplOf(loop)), random_(seed), under_(std::move(under)) {
    under_->set_observer(this);
  }

  // The end of a connection that the test itself holds does what it is told.
  static void MakePlain(Stream& stream) {
    if (auto* awkward = dynamic_cast<AwkwardStream*>(&stream)) awkward->plain_ = true;
  }

  // Often a write takes nothing at all.
  void MakeStingy() { stingy_ = true; }

  void set_observer(StreamObserver* observer) override {
    observer_ = observer;
    if (observer_ != nullptr && (readable_ || writable_)) loop_.Defer(this);
  }

  IoResult Read(std::span<char> into) override {
    if (!plain_ && Sometimes()) {  // something has to be written first
      Owe(&readable_);
      return {IoState::kWouldBlock, 0, 0};
    }
    if (record_.empty()) {
      char bytes[16 * 1024];
      const IoResult read = under_->Read(bytes);
      record_.assign(bytes, read.bytes);
      if (read.bytes == 0) return read;
    }
    size_t count = std::min(into.size(), record_.size());
    if (!plain_ && random_.Below(2) == 0) count = 1 + random_.Below(count);
    std::copy_n(record_.begin(), count, into.begin());
    record_.erase(0, count);
    return {IoState::kOk, count, 0};
  }

  IoResult Write(std::span<const iovec> parts) override {
    if (plain_) return under_->Write(parts);
    std::string bytes;
    size_t total = 0;
    for (const iovec& part : parts) {
      total += part.iov_len;
      bytes.append(static_cast<const char*>(part.iov_base),
                   std::min(part.iov_len, kWriteBytesMax - bytes.size()));
    }
    CHECK(std::string_view(bytes).substr(0, not_taken_.size()) == not_taken_);
    // Something has to be read first.
    const bool stops = bytes.size() < total || (!bytes.empty() && Sometimes());
    const size_t offered = !stops                   ? bytes.size()
                           : stingy_ && Sometimes() ? 0
                                                    : random_.Below(bytes.size());
    const iovec part{bytes.data(), offered};
    IoResult result = under_->Write({&part, 1});
    not_taken_ = bytes.substr(result.bytes);
    if (result.state != IoState::kOk) return result;
    if (!stops) return result;
    Owe(&writable_);
    result.state = IoState::kWouldBlock;
    return result;
  }

  IoState ShutdownWrite() override {
    CHECK(not_taken_.empty());
    if (!plain_ && !end_delayed_) {
      end_delayed_ = true;
      Owe(&writable_);
      return IoState::kWouldBlock;
    }
    return under_->ShutdownWrite();
  }

  void ReadAgainLater() override { Owe(&readable_); }
  bool drained() const override { return record_.empty() && !readable_ && under_->drained(); }
  bool peer_gone() const override { return under_->peer_gone(); }
  bool IsOpenAndQuiet() const override { return record_.empty() && under_->IsOpenAndQuiet(); }
  void ResetOnClose() override { under_->ResetOnClose(); }
  void KeepAlive(Duration idle) override { under_->KeepAlive(idle); }
  const SocketAddress& peer() const override { return under_->peer(); }
  const SocketAddress& local() const override { return under_->local(); }

 private:
  static constexpr size_t kWriteBytesMax = 256 * 1024;

  bool Sometimes() { return random_.Below(4) == 0; }
  void Owe(bool* what) {
    *what = true;
    loop_.Defer(this);
  }

  // One call at a time, since the observer may destroy this.
  void OnReadable() override {
    if (observer_ == nullptr) return Owe(&readable_);
    readable_ = false;
    observer_->OnReadable();
  }
  void OnWritable() override {
    if (observer_ == nullptr) return Owe(&writable_);
    writable_ = false;
    observer_->OnWritable();
  }
  void OnDeferred() override {
    if (observer_ == nullptr) return;
    if (!writable_) return OnReadable();
    if (readable_) loop_.Defer(this);
    OnWritable();
  }

  internal::EpollLoop& loop_;
  Random random_;
  std::unique_ptr<Stream> under_;
  StreamObserver* observer_ = nullptr;
  std::string record_;     // read from under_, not by the observer
  std::string not_taken_;  // of the last write
  bool readable_ = false;  // calls that are owed to the observer
  bool writable_ = false;
  bool end_delayed_ = false;
  bool plain_ = false;
  bool stingy_ = false;
};

inline const bool kAwkwardStreams = [] {
  if (std::getenv("PENSTOCK_AWKWARD_STREAMS") == nullptr) return false;
  internal::wrapper_for_test = [](EventLoop& loop, std::unique_ptr<Stream> stream) {
    static std::atomic<uint64_t> seed =
        std::strtoull(std::getenv("PENSTOCK_AWKWARD_STREAMS"), nullptr, 10);
    return std::unique_ptr<Stream>(
        std::make_unique<AwkwardStream>(loop, seed++, std::move(stream)));
  };
  return true;
}();

}  // namespace gw
