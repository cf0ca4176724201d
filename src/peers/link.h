// Link: one connection between two gateways, once it is there (and private: TLS): messages in and
// out, within bounds.
//
// What the peer does not take is kept up to a bound; beyond it what is told is dropped, news of the
// index before topics, and those before sums. One loop's thread.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "net/stream.h"
#include "peers/message.h"

namespace gw::peers {

class Link final : private StreamObserver {
 public:
  // Bytes that wait for the peer to take them.
  static constexpr size_t kPrefixesWaitingMax = size_t{1} << 20;
  static constexpr size_t kTopicsWaitingMax = size_t{2} << 20;
  static constexpr size_t kWaitingMax = size_t{4} << 20;

  // On the loop's thread. Neither may destroy the link: EventLoop::FreeLater.
  struct Events {
    // A whole message. An error ends the link, and tells the peer why.
    std::function<absl::Status(const Message&)> on_message;
    // Once: the connection has ended, and why.
    std::function<void(const absl::Status&)> on_end;
  };

  Link(std::unique_ptr<Stream> stream, Events events);

  // Whole messages. False: there is no room, and nothing of them is sent.
  bool Send(std::string_view messages, size_t waiting_max = kWaitingMax);
  // Tells the peer why, as far as it takes that at once, and ends the link without on_end.
  void Close(std::string_view reason);

  bool ended() const { return stream_ == nullptr; }
  std::string peer() const { return peer_; }
  uint64_t sent_bytes() const { return sent_bytes_; }
  uint64_t received_bytes() const { return received_bytes_; }
  size_t waiting_bytes() const { return waiting_.size() - waiting_at_; }

 private:
  // Of one round, so that a peer does not hold the others up.
  static constexpr int kReadsMax = 16;

  void OnReadable() override;
  void OnWritable() override;
  absl::Status TakeMessages();
  void Write();
  void End(const absl::Status& why);

  std::unique_ptr<Stream> stream_;
  const Events events_;
  const std::string peer_;
  std::string received_;  // of a message that is not whole
  std::string waiting_;   // from waiting_at_ on
  size_t waiting_at_ = 0;
  bool may_write_ = true;
  uint64_t sent_bytes_ = 0;
  uint64_t received_bytes_ = 0;
};

}  // namespace gw::peers
