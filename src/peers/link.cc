#include "peers/link.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "peers/greeting.h"

namespace gw::peers {

Link::Link(std::unique_ptr<Stream> stream, Events events)
    : stream_(std::move(stream)), events_(std::move(events)), peer_(stream_->peer().ToString()) {
  stream_->set_observer(this);
}

bool Link::Send(std::string_view messages, size_t waiting_max) {
  if (stream_ == nullptr || waiting_bytes() + messages.size() > waiting_max) return false;
  waiting_ += messages;
  if (may_write_) Write();
  return true;
}

void Link::Write() {
  while (waiting_bytes() > 0) {
    const iovec part{waiting_.data() + waiting_at_, waiting_bytes()};
    const IoResult result = stream_->Write({&part, 1});
    waiting_at_ += result.bytes;
    sent_bytes_ += result.bytes;
    if (result.state == IoState::kOk) continue;
    may_write_ = false;
    // An error is told by the next read.
    break;
  }
  if (waiting_bytes() == 0) {
    waiting_.clear();
    waiting_at_ = 0;
  } else if (waiting_at_ > kPrefixesWaitingMax) {
    waiting_.erase(0, waiting_at_);
    waiting_at_ = 0;
  }
}

void Link::OnWritable() {
  may_write_ = true;
  Write();
}

void Link::OnReadable() {
  std::array<char, 16384> buffer;
  for (int reads = 0; stream_ != nullptr; ++reads) {
    if (reads == kReadsMax) return stream_->ReadAgainLater();
    const IoResult result = stream_->Read(buffer);
    received_bytes_ += result.bytes;
    received_.append(buffer.data(), result.bytes);
    if (result.bytes > 0) {
      if (const absl::Status status = TakeMessages(); !status.ok()) {
        std::string bye;
        WriteBye(std::string(status.message()), &bye);
        Send(bye);
        return End(status);
      }
    }
    if (result.state == IoState::kWouldBlock) return;
    if (result.state == IoState::kOk) continue;
    return End(absl::UnavailableError(result.state == IoState::kEnd
                                          ? "the peer has closed the connection"
                                          : fmt::format("errno {}", result.error_number)));
  }
}

absl::Status Link::TakeMessages() {
  std::string_view left = received_;
  while (stream_ != nullptr) {
    Message message;
    bool whole = false;
    if (const absl::Status status = TakeMessage(&left, &message, &whole); !status.ok()) {
      return status;
    }
    if (!whole) break;
    if (const absl::Status status = events_.on_message(message); !status.ok()) return status;
  }
  received_.erase(0, received_.size() - left.size());
  return absl::OkStatus();
}

void Link::Close(std::string_view reason) {
  if (stream_ == nullptr) return;
  std::string bye;
  WriteBye(reason, &bye);
  Send(bye);
  stream_.reset();
}

void Link::End(const absl::Status& why) {
  if (stream_ == nullptr) return;
  stream_.reset();
  events_.on_end(why);
}

}  // namespace gw::peers
