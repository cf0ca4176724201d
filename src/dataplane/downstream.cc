// The client's side of DownstreamConnection: reading requests.

#include "dataplane/downstream.h"

#include <algorithm>
#include <cerrno>

#include "dataplane/worker.h"

namespace gw {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

DownstreamConnection::DownstreamConnection(ProxyWorker& worker, uint16_t port,
                                           std::unique_ptr<Stream> stream)
    : worker_(worker),
      port_(port),
      client_ip_(stream->peer().ip()),
      stream_(std::move(stream)),
      parser_(worker.options().request_head),
      exchange_(worker.environment()),
      share_(worker.held()),
      timer_(worker.loop(), [this] { OnTimer(); }),
      request_timer_(worker.loop(), [this] { OnRequestTimeout(); }),
      try_timer_(worker.loop(), [this] { OnTryTimeout(); }),
      keepalive_timer_(worker.loop(), [this] { OnKeepalive(); }),
      bootstrap_timer_(worker.loop(), [this] { OnBootstrapTimeout(); }) {
  stream_->set_observer(this);
  WatchIdle();
}

DownstreamConnection::~DownstreamConnection() { Close(); }

void DownstreamConnection::WatchFor(Duration timeout) { timer_.Start(timeout); }

void DownstreamConnection::OnReadable() {
  if (stream_ == nullptr) return;
  if (state_ == State::kClosing) {
    Discard();
  } else if (busy()) {
    BufferPipelined();
  } else if (!pipelined_.empty()) {
    ContinueInput();
  } else {
    ReadLoop();
  }
}

void DownstreamConnection::SetState(State state) {
  state_ = state;
  if (linked()) worker_.LeaveList(this);
}

void DownstreamConnection::ReadLoop() {
  const std::span<char> scratch = worker_.loop().scratch();
  for (size_t reads = 0; state_ != State::kClosed && !busy(); ++reads) {
    if (reads == worker_.options().reads_per_turn_max) {
      worker_.CountLimit("reads_per_turn");
      stream_->ReadAgainLater();
      return;
    }
    const IoResult result = stream_->Read(scratch);
    if (result.bytes > 0) Consume({scratch.data(), result.bytes});
    if (stream_ == nullptr || result.state == IoState::kWouldBlock) return;
    if (result.state != IoState::kOk) {
      if (result.error_number == ETIMEDOUT) worker_.CountLimit("tcp_keep_alive");
      OnClientGone();
      return;
    }
  }
  // The request is complete; a client that has already gone is noticed here and not later.
  if (stream_ != nullptr && stream_->peer_gone()) OnReadable();
}

// While its last answer is written a client's bytes are thrown away, one read in each turn and not
// without end.
void DownstreamConnection::Discard() {
  const size_t limit = worker_.options().linger_bytes_max;
  if (discarded_ > limit) {
    // It has yet to take its answer, and nothing of what it sends is read any more.
    if (stream_->peer_gone()) OnClientGone();
    return;
  }
  const IoResult result = stream_->Read(worker_.loop().scratch());
  discarded_ += result.bytes;
  if (result.state == IoState::kWouldBlock) return;
  if (result.state != IoState::kOk) {
    OnClientGone();
  } else if (discarded_ <= limit) {
    stream_->ReadAgainLater();
  } else {
    worker_.CountLimit("linger_bytes");
  }
}

// While a request is in work, more bytes are the next request, and the end of the client's side
// means that it has left: model servers read a half-close the same way.
void DownstreamConnection::BufferPipelined() {
  char chunk[4096];
  while (state_ != State::kClosed) {
    if (pipelined_.size() >= worker_.options().pipelined_bytes_max) {
      if (stream_->peer_gone()) OnClientGone();
      return;
    }
    if (!pipelined_.empty() && worker_.held().full()) {
      exchange_.CountLimit("held_bytes");
      if (stream_->peer_gone()) OnClientGone();
      return;
    }
    const IoResult result = stream_->Read(chunk);
    KeepPipelined({chunk, result.bytes});
    if (result.state == IoState::kWouldBlock) return;
    if (result.state != IoState::kOk) {
      if (result.error_number == ETIMEDOUT) worker_.CountLimit("tcp_keep_alive");
      OnClientGone();
      return;
    }
  }
}

void DownstreamConnection::KeepPipelined(std::string_view bytes) {
  const size_t limit = worker_.options().pipelined_bytes_max;
  const bool below = pipelined_.size() < limit;
  pipelined_.append(bytes);
  share_.Set(HeldNow());
  if (below && pipelined_.size() >= limit) worker_.CountLimit("pipelined_bytes");
}

void DownstreamConnection::Consume(std::string_view in) {
  bool more = true;
  while (more && stream_ != nullptr) {
    if (busy()) {
      KeepPipelined(in);
      return;
    }
    const http::H1Step step = parser_.Next(in);
    in.remove_prefix(step.consumed);
    switch (step.event) {
      case http::H1Event::kNeedMore:
        more = false;
        if (state_ == State::kIdle && parser_.in_head()) {
          SetState(State::kHead);
          WatchFor(worker_.options().client_header_timeout);
        }
        break;
      case http::H1Event::kHead:
        OnHead();
        break;
      case http::H1Event::kBody:
        if (state_ != State::kBody) break;
        if (body_.size() + step.body.size() > worker_.options().request_body_bytes_max) {
          exchange_.CountLimit("request_body_bytes");
          Respond(Rejection::kBodyTooLarge);
          break;
        }
        if (KeepBody(step.body)) break;
        exchange_.CountLimit("held_bytes");
        Respond(Rejection::kTooManyBytesHeld);
        break;
      case http::H1Event::kEnd:
        if (state_ == State::kBody) OnBodyEnd();
        break;
      case http::H1Event::kError:
        worker_.CountRefusedHead(parser_.error());
        if (!exchange_.active()) {
          exchange_.Begin(worker_.SnapshotFor(port_), port_, client_ip_, worker_.loop().now());
          exchange_.OnRefusedHead();
        }
        body_unread_ = true;
        Respond(RejectionFor(parser_.error()));
        return;
    }
  }
  if (state_ == State::kBody) WatchBody();
}

// False if there is no room, not even if newer requests give theirs up.
bool DownstreamConnection::KeepBody(std::string_view bytes) {
  while (!share_.Grow(HeldNow() + bytes.size())) {
    if (!worker_.RefuseNewerBodyThan(this)) return false;
  }
  body_.Append(bytes);
  return true;
}

void DownstreamConnection::RefuseBody() {
  exchange_.CountLimit("held_bytes");
  Respond(Rejection::kTooManyBytesHeld);
}

// A body may pause, and it may be slow, but not both for long: it is held all the while.
void DownstreamConnection::WatchBody() {
  using Seconds = std::chrono::duration<double>;
  const DataplaneOptions& options = worker_.options();
  const TimePoint now = worker_.loop().now();
  // No pause is charged in full, as it may be ours: a process that was stopped finds what came
  // meanwhile in the socket, up to its size.
  body_time_ += std::min(now - body_read_at_, options.client_body_timeout / 2);
  body_read_at_ = now;
  const Seconds earned(static_cast<double>(body_.size()) /
                       static_cast<double>(std::max<size_t>(options.body_bytes_per_second_min, 1)));
  const Duration left =
      options.client_body_timeout + std::chrono::duration_cast<Duration>(earned) - body_time_;
  WatchFor(std::clamp(left, Duration(0), options.client_body_timeout));
}

void DownstreamConnection::OnBodyTimeout() {
  const Duration pause = worker_.loop().now() - body_read_at_;
  exchange_.CountLimit(pause >= worker_.options().client_body_timeout ? "client_body_timeout"
                                                                      : "body_bytes_per_second");
  Respond(Rejection::kBodyTimeout);
}

void DownstreamConnection::ContinueInput() {
  if (stream_ == nullptr || busy()) return;
  if (!pipelined_.empty()) {
    std::string input;
    input.swap(pipelined_);
    share_.Set(HeldNow());
    Consume(input);
  }
  if (stream_ == nullptr || busy() || stream_->drained()) return;
  stream_->ReadAgainLater();
}

void DownstreamConnection::OnHead() {
  const http::RequestHead& head = parser_.head();
  keep_alive_ = head.keep_alive;
  // Behind CONNECT come bytes for the tunnel, though it has no body.
  body_unread_ = head.framing != http::BodyFraming::kNone || head.method == "CONNECT";
  SetState(State::kBody);
  status_ = 0;
  response_head_sent_ = false;
  early_head_ = false;
  upstream_status_ = 0;
  misfit_ = false;
  exchange_.Begin(worker_.SnapshotFor(port_), port_, client_ip_, worker_.loop().now());
  const Step step = exchange_.OnRequestHead(head);
  if (step.kind != Step::Kind::kReadBody) {
    Act(step);
    return;
  }
  if (head.framing == http::BodyFraming::kLength) {
    if (head.content_length > worker_.options().request_body_bytes_max) {
      exchange_.CountLimit("request_body_bytes");
      Respond(Rejection::kBodyTooLarge);
      return;
    }
    body_.Reserve(head.content_length);
  }
  if (worker_.held().over()) {
    exchange_.CountLimit("held_bytes");
    Respond(Rejection::kTooManyBytesHeld);
    return;
  }
  if (body_unread_) worker_.EnterBodies(this);
  body_read_at_ = worker_.loop().now();
  body_time_ = Duration(0);
  if (head.expect_continue && body_unread_) {
    std::vector<iovec> parts{{const_cast<char*>(kContinue.data()), kContinue.size()}};
    Send(&parts);
    if (state_ == State::kClosed) return;
  }
  StartRequestTimers();
}

void DownstreamConnection::OnBodyEnd() {
  body_unread_ = false;
  timer_.Stop();
  if (exchange_.body_codings().empty() || body_.size() == 0) {
    TakeBody();
  } else {
    DecodeBody();
  }
}

void DownstreamConnection::TakeBody() {
  const Step step = exchange_.OnRequestBody(body_.view(), worker_.loop().now());
  StartRequestTimers();
  Act(step);
}

}  // namespace gw
