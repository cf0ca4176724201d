// H1Downstream reading requests.

#include "dataplane/h1_downstream.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "dataplane/worker.h"
#include "net/tls.h"

namespace gw {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

std::unique_ptr<DownstreamConnection> NewH1Downstream(ProxyWorker& worker,
                                                      const ListenerKey& listener,
                                                      std::unique_ptr<Stream> stream) {
  return std::make_unique<H1Downstream>(worker, listener, std::move(stream));
}

H1Downstream::H1Downstream(ProxyWorker& worker, const ListenerKey& listener,
                           std::unique_ptr<Stream> stream)
    : worker_(worker),
      listener_(listener),
      stream_(std::move(stream)),
      client_ip_(stream_->peer().ip()),
      share_(worker.held()),
      timer_(worker.loop(), [this] { OnTimer(); }) {
  stream_->set_observer(this);
  WatchIdle();
}

H1Downstream::~H1Downstream() { Close(); }

ClientIdentity H1Downstream::client() const {
  ClientIdentity client{std::string_view(client_ip_)};
  if (const TlsInfo* const tls = stream_->tls()) {
    client.tls = true;
    client.server_name = tls->server_name;
    client.subject = tls->peer_subject;
    client.fingerprint = tls->peer_fingerprint;
  }
  return client;
}

void H1Downstream::OnReadable() {
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

void H1Downstream::SetState(State state) {
  state_ = state;
  if (linked()) worker_.LeaveIdle(this);
}

void H1Downstream::ReadLoop() {
  for (size_t reads = 0; stream_ != nullptr && !busy(); ++reads) {
    if (reads == worker_.options().reads_per_turn_max) {
      worker_.CountLimit("reads_per_turn");
      stream_->ReadAgainLater();
      return;
    }
    const IoResult result = ReadOnce();
    if (stream_ == nullptr || result.state == IoState::kWouldBlock) return;
    if (result.state != IoState::kOk) {
      if (result.error_number == ETIMEDOUT) worker_.CountLimit("tcp_keep_alive");
      OnClientGone();
      return;
    }
  }
  if (stream_ == nullptr) return;
  // The request is complete; a client that has already gone is noticed here and not later, and what
  // else has come is read ahead, for which there may be no other event.
  if (stream_->peer_gone()) {
    OnReadable();
  } else if (busy() && !stream_->drained()) {
    stream_->ReadAgainLater();
  }
}

// A body of known length is read into its place. What comes first may be the beginning of one,
// which has to be copied there, so that it is not much.
IoResult H1Downstream::ReadOnce() {
  constexpr size_t kFirstBytes = 20 * 1024;
  constexpr size_t kBodyBytes = 256 * 1024;
  if (const size_t left = wants_body() ? request_->driver.body_left() : 0; left > 0) {
    const std::span<char> room = request_->driver.BodyRoom(kBodyBytes);
    const IoResult result = stream_->Read(room);
    const size_t of_body = std::min(result.bytes, left);
    // The body may be gone by the time that what follows it is looked at.
    const char behind = room[std::min(of_body, room.size() - 1)];
    if (result.bytes > 0) Consume({room.data(), of_body});
    if (result.bytes > of_body) Consume({&behind, 1});
    return result;
  }
  const std::span<char> scratch = worker_.loop().scratch();
  const bool first = state_ == State::kIdle || state_ == State::kHead;
  const IoResult result = stream_->Read(first ? scratch.first(kFirstBytes) : scratch);
  if (result.bytes > 0) Consume({scratch.data(), result.bytes});
  return result;
}

// While its last answer is written a client's bytes are thrown away, one read in each turn and not
// without end.
void H1Downstream::Discard() {
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
void H1Downstream::BufferPipelined() {
  char chunk[4096];
  for (;;) {
    if (pipelined_.size() >= worker_.options().pipelined_bytes_max) {
      if (stream_->peer_gone()) OnClientGone();
      return;
    }
    if (!pipelined_.empty() && worker_.held().full()) {
      request_->driver.CountLimit("held_bytes");
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

void H1Downstream::KeepPipelined(std::string_view bytes) {
  const size_t limit = worker_.options().pipelined_bytes_max;
  const bool below = pipelined_.size() < limit;
  pipelined_.append(bytes);
  share_.Set(HeldNow());
  if (below && pipelined_.size() >= limit) worker_.CountLimit("pipelined_bytes");
}

void H1Downstream::Consume(std::string_view in) {
  consuming_ = true;
  while (stream_ != nullptr) {
    if (busy()) {
      KeepPipelined(in);
      break;
    }
    if (!ConsumeStep(&in)) break;
  }
  consuming_ = false;
  if (wants_body()) request_->driver.OnBodyPause();
}

// False if all of `in` is used up, or nothing of the rest is of use.
bool H1Downstream::ConsumeStep(std::string_view* in) {
  if (request_ == nullptr) {
    if (in->empty()) return false;
    request_ = worker_.spare_requests().Take(worker_, worker_.options().request_head);
    request_->driver.Serve(listener_, *this);
  }
  http::RequestParser& parser = request_->parser;
  RequestDriver& driver = request_->driver;
  const http::H1Step step = parser.Next(*in);
  in->remove_prefix(step.consumed);
  switch (step.event) {
    case http::H1Event::kNeedMore:
      if (state_ == State::kIdle && parser.in_head()) {
        SetState(State::kHead);
        timer_.Start(worker_.options().client_header_timeout);
      }
      return false;
    case http::H1Event::kHead:
      OnHead();
      return true;
    case http::H1Event::kBody:
      if (driver.wants_body()) driver.OnBody(step.body);
      return true;
    case http::H1Event::kEnd:
      body_unread_ = false;
      if (driver.wants_body()) driver.OnBodyEnd(parser.trailers());
      return true;
    case http::H1Event::kError:
      worker_.CountRefusedHead(parser.error());
      timer_.Stop();
      SetState(State::kRequest);
      body_unread_ = true;
      driver.RefuseHead(parser.error());
      return false;
  }
  return false;
}

void H1Downstream::OnHead() {
  const http::RequestHead& head = request_->parser.head();
  keep_alive_ = head.keep_alive;
  // Behind CONNECT come bytes for the tunnel, though it has no body.
  body_unread_ = head.framing != http::BodyFraming::kNone || head.method == "CONNECT";
  form_ = BodyForm::kNone;
  timer_.Stop();
  SetState(State::kRequest);
  request_->driver.Begin(head);
  if (!wants_body() || !head.expect_continue || !body_unread_) return;
  std::vector<iovec> parts{{const_cast<char*>(kContinue.data()), kContinue.size()}};
  Send(&parts);
}

void H1Downstream::ContinueInput() {
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

}  // namespace gw
