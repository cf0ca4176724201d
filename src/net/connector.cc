// Connector: a TcpStream that is watched until its connection stands, fails or times out.

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "net/epoll_loop.h"
#include "net/stream.h"
#include "net/tcp_stream.h"

namespace gw {
namespace {

using internal::EpollLoop;
using internal::TcpStream;

constexpr char kErrnoUrl[] = "penstock/errno";

class TcpConnector final : public Connector, private StreamObserver, private internal::Deferred {
 public:
  TcpConnector(EpollLoop& loop, const SocketAddress& address, Duration timeout, Done done)
      : loop_(loop), address_(address), done_(std::move(done)), timer_(loop, [this] { Expire(); }) {
    failure_ = Begin();
    if (failure_ != 0) {
      loop_.Defer(this);  // `done` is never called from inside New
    } else {
      timer_.Start(timeout);
    }
  }

 private:
  // Returns 0 if the attempt is under way, otherwise errno.
  int Begin() {
    const int fd = internal::NewTcpSocket(address_.family());
    if (fd < 0) return errno;
    int result;
    do {
      result = connect(fd, address_.sockaddr_ptr(), address_.length());
    } while (result != 0 && errno == EINTR);
    if (result != 0 && errno != EINPROGRESS && errno != EALREADY) {
      const int error = errno;
      close(fd);
      return error;
    }
    stream_ = TcpStream::New(loop_, fd, TcpStream::State::kConnecting, address_);
    if (stream_ == nullptr) return errno;
    stream_->set_observer(this);
    return 0;
  }

  void OnReadable() override {}  // not while connecting
  void OnDeferred() override { Fail(failure_); }

  void OnWritable() override {
    const int error = stream_->FinishConnect();
    if (error != 0) {
      Fail(error);
      return;
    }
    timer_.Stop();
    Finish(internal::ForUser(loop_, std::move(stream_)));
  }

  void Fail(int error) {
    timer_.Stop();
    absl::Status status = absl::UnavailableError(
        absl::StrCat("connect to ", address_.ToString(), ": ", std::strerror(error)));
    status.SetPayload(kErrnoUrl, absl::Cord(absl::StrCat(error)));
    Finish(std::move(status));
  }

  void Expire() {
    Finish(absl::DeadlineExceededError(
        absl::StrCat("connect to ", address_.ToString(), ": no answer in time")));
  }

  // Nothing of this object is used after the call: `done` may destroy it.
  void Finish(absl::StatusOr<std::unique_ptr<Stream>> result) {
    stream_.reset();
    const Done done = std::move(done_);
    done(std::move(result));
  }

  EpollLoop& loop_;
  const SocketAddress address_;
  Done done_;
  Timer timer_;
  std::unique_ptr<TcpStream> stream_;
  int failure_ = 0;
};

}  // namespace

int ErrnoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrnoUrl);
  int error = 0;
  if (payload && !absl::SimpleAtoi(std::string(*payload), &error)) return 0;
  return error;
}

std::unique_ptr<Connector> Connector::New(EventLoop& loop, const SocketAddress& address,
                                          Duration timeout, Done done) {
  return std::make_unique<TcpConnector>(internal::ImplOf(loop), address, timeout, std::move(done));
}

}  // namespace gw
