#include "admin/client.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http/h1_parser.h"
#include "http/h1_writer.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace gw {
namespace {

// One exchange on a loop of its own, which runs until the outcome is known.
class Exchange final : private StreamObserver {
 public:
  Exchange(EventLoop& loop, const SocketAddress& address, std::string_view method,
           std::string_view target)
      : loop_(loop), address_(address), timer_(loop, [this] { Expire(); }) {
    http::AppendRequestLine(&request_, method, target);
    if (method == "PUT") http::AppendHeader(&request_, "content-length", uint64_t{0});
    http::AppendHeader(&request_, "host", address.ToString());
    http::AppendHeader(&request_, "connection", "close");
    http::AppendHeadEnd(&request_);
    parser_.Reset(/*head_request=*/false);
  }

  absl::StatusOr<AdminAnswer> Run(Duration timeout) {
    timer_.Start(timeout);
    connector_ = Connector::New(
        loop_, address_, timeout,
        [this](absl::StatusOr<std::unique_ptr<Stream>> stream) { OnConnected(std::move(stream)); });
    loop_.Run();
    if (!outcome_.ok()) return outcome_;
    return std::move(answer_);
  }

 private:
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
    if (!stream.ok()) return Finish(stream.status());
    stream_ = *std::move(stream);
    stream_->set_observer(this);
    OnWritable();
  }

  void OnWritable() override {
    if (sent_ == request_.size()) return;
    const iovec part{request_.data() + sent_, request_.size() - sent_};
    const IoResult write = stream_->Write({&part, 1});
    sent_ += write.bytes;
    // After an error there may still be an answer to read.
    if (write.state == IoState::kError) stream_->ReadAgainLater();
  }

  void OnReadable() override {
    while (!finished_) {
      const IoResult read = stream_->Read(loop_.scratch());
      switch (read.state) {
        case IoState::kOk:
          HandleInput({loop_.scratch().data(), read.bytes});
          break;
        case IoState::kWouldBlock:
          return;
        case IoState::kEnd:
          if (has_head_ && parser_.OnClose()) return Finish(absl::OkStatus());
          return Finish(Broken("the connection ended before the answer did"));
        case IoState::kError:
          return Finish(Broken(std::strerror(read.error_number)));
      }
    }
  }

  void HandleInput(std::string_view in) {
    for (;;) {
      const http::H1Step step = parser_.Next(in);
      in.remove_prefix(step.consumed);
      switch (step.event) {
        case http::H1Event::kNeedMore:
          return;
        case http::H1Event::kHead:
          has_head_ = true;
          answer_.status = parser_.head().status;
          if (const auto* type = parser_.head().headers.Find("content-type")) {
            answer_.content_type = type->value;
          }
          break;
        case http::H1Event::kBody:
          if (answer_.body.size() + step.body.size() > kAdminAnswerBytesMax) {
            return Finish(absl::ResourceExhaustedError(absl::StrCat(
                Prefix(), "the answer is larger than ", kAdminAnswerBytesMax, " bytes")));
          }
          answer_.body.append(step.body);
          break;
        case http::H1Event::kEnd:
          return Finish(absl::OkStatus());
        case http::H1Event::kError:
          return Finish(absl::InternalError(absl::StrCat(Prefix(), "the answer is not HTTP")));
      }
    }
  }

  std::string Prefix() const { return absl::StrCat("get from ", address_.ToString(), ": "); }

  absl::Status Broken(std::string_view reason) const {
    return absl::UnavailableError(
        absl::StrCat(Prefix(), absl::string_view(reason.data(), reason.size())));
  }

  void Expire() {
    Finish(absl::DeadlineExceededError(absl::StrCat(Prefix(), "no answer in time")));
  }

  void Finish(absl::Status outcome) {
    if (finished_) return;
    finished_ = true;
    outcome_ = std::move(outcome);
    loop_.Stop();
  }

  EventLoop& loop_;
  const SocketAddress address_;
  std::string request_;
  size_t sent_ = 0;
  http::ResponseParser parser_;
  bool has_head_ = false;
  bool finished_ = false;
  absl::Status outcome_;
  AdminAnswer answer_;
  Timer timer_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Stream> stream_;
};

absl::StatusOr<AdminAnswer> Ask(const SocketAddress& address, std::string_view method,
                                std::string_view target, Duration timeout) {
  const auto unsafe = [](char c) { return c <= ' ' || c >= 0x7f; };
  if (!target.starts_with('/') || std::any_of(target.begin(), target.end(), unsafe)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::string_view(target.data(), target.size()),
                     "\": must be a path of printable ASCII without spaces"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLoop> loop, EventLoop::New());
  return Exchange(*loop, address, method, target).Run(timeout);
}

}  // namespace

absl::StatusOr<AdminAnswer> AdminGet(const SocketAddress& address, std::string_view target,
                                     Duration timeout) {
  return Ask(address, "GET", target, timeout);
}

absl::StatusOr<AdminAnswer> AdminPut(const SocketAddress& address, std::string_view target,
                                     Duration timeout) {
  return Ask(address, "PUT", target, timeout);
}

}  // namespace gw
