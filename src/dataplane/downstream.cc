// The client's side of the pump: reading requests, and acting on what the exchange says.

#include "dataplane/downstream.h"

#include "base/check.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {
namespace {

constexpr std::string_view kJson = "application/json";
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
      timer_(worker.loop(), [this] { OnTimer(); }),
      request_timer_(worker.loop(), [this] { OnRequestTimeout(); }),
      try_timer_(worker.loop(), [this] { OnTryTimeout(); }),
      bootstrap_timer_(worker.loop(), [this] { OnBootstrapTimeout(); }) {
  stream_->set_observer(this);
  WatchIdle();
}

DownstreamConnection::~DownstreamConnection() { Close(); }

void DownstreamConnection::WatchFor(Duration timeout) { timer_.Start(timeout); }

void DownstreamConnection::OnReadable() {
  if (state_ == State::kClosed) return;
  if (busy()) {
    BufferPipelined();
  } else if (!pipelined_.empty()) {
    ContinueInput();
  } else {
    ReadLoop();
  }
}

void DownstreamConnection::ReadLoop() {
  const std::span<char> scratch = worker_.loop().scratch();
  while (state_ != State::kClosed && !busy()) {
    const IoResult result = stream_->Read(scratch);
    if (result.bytes > 0) Consume({scratch.data(), result.bytes});
    if (state_ == State::kClosed || result.state == IoState::kWouldBlock) return;
    if (result.state != IoState::kOk) {
      OnClientGone();
      return;
    }
    if (result.bytes < scratch.size() && !stream_->peer_gone()) return;
  }
  // The request is complete; a client that has already gone is noticed here and not later.
  if (state_ != State::kClosed && stream_->peer_gone()) BufferPipelined();
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
    const IoResult result = stream_->Read(chunk);
    if (state_ != State::kClosing) KeepPipelined({chunk, result.bytes});
    if (result.state == IoState::kWouldBlock) return;
    if (result.state != IoState::kOk) {
      OnClientGone();
      return;
    }
  }
}

void DownstreamConnection::KeepPipelined(std::string_view bytes) {
  const size_t limit = worker_.options().pipelined_bytes_max;
  const bool below = pipelined_.size() < limit;
  pipelined_.append(bytes);
  if (below && pipelined_.size() >= limit) worker_.CountLimit("pipelined_bytes");
}

void DownstreamConnection::Consume(std::string_view in) {
  bool more = true;
  while (more && state_ != State::kClosed) {
    if (state_ == State::kLinger) return;
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
          state_ = State::kHead;
          WatchFor(worker_.options().client_header_timeout);
        }
        break;
      case http::H1Event::kHead:
        OnHead();
        break;
      case http::H1Event::kBody:
        if (state_ != State::kBody) break;
        if (body_.size() + step.body.size() > worker_.options().request_body_bytes_max) {
          worker_.CountLimit("request_body_bytes");
          Respond(Rejection::kBodyTooLarge);
          break;
        }
        body_.Append(step.body);
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
  if (state_ == State::kBody) WatchFor(worker_.options().client_body_timeout);
}

void DownstreamConnection::ContinueInput() {
  if (state_ == State::kClosed || busy()) return;
  if (!pipelined_.empty()) {
    std::string input;
    input.swap(pipelined_);
    Consume(input);
  }
  if (state_ != State::kClosed && !busy()) stream_->ReadAgainLater();
}

void DownstreamConnection::OnHead() {
  const http::RequestHead& head = parser_.head();
  keep_alive_ = head.keep_alive;
  body_unread_ = head.framing != http::BodyFraming::kNone;
  state_ = State::kBody;
  status_ = 0;
  response_head_sent_ = false;
  exchange_.Begin(worker_.SnapshotFor(port_), port_, client_ip_, worker_.loop().now());
  const Step step = exchange_.OnRequestHead(head);
  if (step.kind != Step::Kind::kReadBody) {
    Act(step);
    return;
  }
  if (head.framing == http::BodyFraming::kLength) {
    if (head.content_length > worker_.options().request_body_bytes_max) {
      worker_.CountLimit("request_body_bytes");
      Respond(Rejection::kBodyTooLarge);
      return;
    }
    body_.Reserve(head.content_length);
  }
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
  if (!exchange_.body_codings().empty() && body_.size() > 0) {
    DecodeBody();
    return;
  }
  Act(exchange_.OnRequestBody(body_.view(), worker_.loop().now()));
}

void DownstreamConnection::Act(const Step& step) {
  switch (step.kind) {
    case Step::Kind::kContinue:
    case Step::Kind::kReadBody:
      break;
    case Step::Kind::kForward:
      if (exchange_.awaits_kv_cache()) StartBootstrapTimer();
      Dispatch();
      break;
    case Step::Kind::kPrefill:
      DispatchPrefill();
      break;
    case Step::Kind::kForwardPair:
      DispatchPrefill();
      Dispatch();
      break;
    case Step::Kind::kRelay:
      Relay(exchange_.held_answer());
      break;
    case Step::Kind::kListModels:
      ListModels();
      break;
    case Step::Kind::kRespond:
      Respond(step.rejection);
      break;
  }
}

void DownstreamConnection::Dispatch() {
  state_ = State::kWaiting;
  BodyEdit& body = exchange_.body();
  WriteRequestHead(body.size(), exchange_.asks_usage(), &upstream_head_);
  upstream_ = worker_.upstreams().Acquire(exchange_.endpoint().address);
  StartTryTimer();
  upstream_->Send({upstream_head_, body.parts(), parser_.head().method == "HEAD"}, this);
}

void DownstreamConnection::WriteRequestHead(uint64_t body_bytes, bool read_here,
                                            std::string* head) {
  std::string_view target = parser_.head().target;
  std::string origin_form;
  if (target.front() != '/') {
    // An absolute target is sent on in the one form that servers read alike; its authority goes
    // into Host.
    origin_form = exchange_.target().path;
    if (!exchange_.target().query.empty()) {
      origin_form += '?';
      origin_form += exchange_.target().query;
    }
    target = origin_form;
  }
  WriteUpstreamHead(parser_.head(),
                    {target, exchange_.request_id(), client_ip_, body_bytes, read_here,
                     !exchange_.body_codings().empty()},
                    head);
}

void DownstreamConnection::StartTryTimer() {
  if (exchange_.rule()->try_timeout) try_timer_.Start(*exchange_.rule()->try_timeout);
}

void DownstreamConnection::ListModels() {
  state_ = State::kWaiting;
  const std::string key = KeyOf(exchange_.model_rules());
  const uint64_t generation = exchange_.snapshot().generation;
  const TimePoint now = worker_.loop().now();
  const std::string* cached =
      worker_.model_lists().Find(generation, key, now, worker_.options().model_list_cache_time);
  if (cached != nullptr) {
    status_ = 200;
    RespondWith({200, kJson, *cached, 0}, keep_alive_, Outcome::kComplete);
    return;
  }
  model_fetch_ = std::make_unique<ModelListFetch>(
      worker_.upstreams(),
      PlanModelList(exchange_.snapshot(), exchange_.model_rules(), now,
                    worker_.environment().random),
      [this](std::string_view limit) { worker_.CountLimit(limit); });
  model_fetch_->Start([this, generation, key](const std::string& body) {
    auto finished = std::move(model_fetch_);
    if (body.empty()) {
      Respond(Rejection::kNoEndpoint);
    } else {
      worker_.model_lists().Put(generation, key, worker_.loop().now(), body);
      RespondWith({200, kJson, body, 0}, keep_alive_, Outcome::kComplete);
    }
    ContinueInput();
  });
}

void DownstreamConnection::Respond(Rejection rejection) {
  const RejectionInfo& info = InfoOf(rejection);
  exchange_.set_rejection(rejection);
  const std::string body = exchange_.RejectionBody(rejection);
  RespondWith({info.status, kJson, body, info.retry_after_s}, keep_alive_ && !body_unread_,
              Outcome::kRejected);
}

void DownstreamConnection::RespondWith(const Answer& answer, bool keep_alive, Outcome outcome) {
  status_ = answer.status;
  response_keep_alive_ = keep_alive && !draining_;
  std::string head;
  http::AppendStatusLine(&head, answer.status);
  http::AppendHeader(&head, "content-type", answer.content_type);
  http::AppendHeader(&head, "content-length", static_cast<uint64_t>(answer.body.size()));
  if (outcome == Outcome::kRejected && answer.status == 415) {
    http::AppendHeader(&head, "accept-encoding", http::kContentCodings);
  }
  if (!exchange_.request_id().empty()) {
    http::AppendHeader(&head, "x-request-id", exchange_.request_id());
  }
  if (answer.retry_after_s > 0) {
    http::AppendHeader(&head, "retry-after", static_cast<uint64_t>(answer.retry_after_s));
  }
  const bool http10 = parser_.head().minor_version == 0;
  if (!response_keep_alive_) {
    http::AppendHeader(&head, "connection", "close");
  } else if (http10) {
    http::AppendHeader(&head, "connection", "keep-alive");
  }
  http::AppendHeadEnd(&head);
  std::vector<iovec> parts{{head.data(), head.size()}};
  if (parser_.head().method != "HEAD") {
    parts.push_back({const_cast<char*>(answer.body.data()), answer.body.size()});
  }
  Send(&parts);
  if (state_ == State::kClosed) return;
  FinishExchange(outcome);
  AfterResponse(response_keep_alive_);
}

void DownstreamConnection::FinishExchange(Outcome outcome) {
  request_timer_.Stop();
  CancelHalves();
  model_fetch_.reset();
  coded_.reset();
  pieces_.clear();
  pieces_bytes_ = 0;
  held_.clear();
  if (exchange_.active()) exchange_.End(outcome, status_, worker_.loop().now());
  body_.Clear();
}

void DownstreamConnection::AfterResponse(bool keep_alive) {
  if (keep_alive) {
    BecomeIdle();
  } else {
    CloseWhenWritten();
  }
}

void DownstreamConnection::BecomeIdle() {
  parser_.Reset();
  ClearForIdle(&upstream_head_);
  ClearForIdle(&response_head_);
  ClearForIdle(&held_);
  if (prefill_ != nullptr) prefill_->ClearForIdle();
  state_ = State::kIdle;
  WatchIdle();
}

// The time-out that holds between requests: as long as the last answer is not written, the client's
// for taking it.
void DownstreamConnection::WatchIdle() {
  const DataplaneOptions& options = worker_.options();
  if (!out_.empty()) {
    WatchFor(options.client_write_timeout);
  } else if (draining_) {
    // Half of a short drain is left for the answer.
    WatchFor(std::min(options.drain_idle_grace, options.drain_timeout / 2));
  } else {
    WatchFor(options.keep_alive_timeout);
  }
}

void DownstreamConnection::OnIdleTimeout() {
  if (!out_.empty()) {
    worker_.CountLimit("client_write_timeout");
    Close();
    return;
  }
  // A request may have come in this very round of the loop.
  OnReadable();
  if (state_ != State::kIdle || timer_.active()) return;
  worker_.CountLimit(draining_ ? "drain_idle_grace" : "keep_alive_timeout");
  Close();
}

void DownstreamConnection::StartRequestTimers() {
  if (exchange_.rule()->request_timeout) request_timer_.Start(*exchange_.rule()->request_timeout);
}

void DownstreamConnection::OnTimer() {
  switch (state_) {
    case State::kIdle:
      OnIdleTimeout();
      break;
    case State::kWaiting:
      // A client that takes nothing for this long holds a model server's work for nobody.
      worker_.CountLimit("client_write_timeout");
      OnClientGone();
      break;
    case State::kHead:
      worker_.CountLimit("client_header_timeout");
      Close();
      break;
    case State::kBody:
      worker_.CountLimit("client_body_timeout");
      OnClientGone();
      break;
    case State::kLinger:
      worker_.CountLimit("linger_timeout");
      Close();
      break;
    case State::kClosing:
      worker_.CountLimit("client_write_timeout");
      Close();
      break;
    case State::kClosed:
      break;
  }
}

void DownstreamConnection::OnRequestTimeout() {
  if (state_ == State::kBody) {
    body_unread_ = true;
    Respond(Rejection::kTimeout);
    return;
  }
  if (state_ != State::kWaiting) return;
  if (response_head_sent_) {
    BreakOff(Outcome::kTimedOut, Rejection::kTimeout);
  } else {
    Respond(Rejection::kTimeout);
    ContinueInput();
  }
}

void DownstreamConnection::OnTryTimeout() {
  const bool tried = upstream_ != nullptr || (prefill_ != nullptr && prefill_->active());
  if (state_ != State::kWaiting || !tried || response_head_sent_) return;
  if (exchange_.is_pair()) {
    ActOnHalf(exchange_.OnPairTimeout(worker_.loop().now()));
    return;
  }
  CancelHalves();
  Respond(Rejection::kTimeout);
  ContinueInput();
}

void DownstreamConnection::OnClientGone() {
  if (state_ == State::kClosed) return;
  FinishExchange(out_.empty() ? exchange_.OutcomeOfLeaving() : Outcome::kClientLeft);
  Close();
}

void DownstreamConnection::Drain() {
  if (draining_ || state_ == State::kClosed) return;
  draining_ = true;
  if (state_ != State::kIdle) return;
  WatchIdle();
  OnReadable();
}

void DownstreamConnection::Abort() {
  if (state_ == State::kClosed) return;
  stream_->ResetOnClose();
  FinishExchange(response_head_sent_ ? Outcome::kUpstreamBroke : Outcome::kRejected);
  Close();
}

void DownstreamConnection::CloseWhenWritten() {
  state_ = State::kClosing;
  if (out_.empty()) {
    CloseGently();
  } else {
    WatchFor(worker_.options().client_write_timeout);
  }
}

// Closing with unread bytes in the socket resets the connection, and the reset may overtake the
// answer: while the client still sends, its side is read and thrown away first.
void DownstreamConnection::CloseGently() {
  if (!body_unread_ && pipelined_.empty()) {
    Close();
    return;
  }
  pipelined_.clear();
  stream_->ShutdownWrite();
  state_ = State::kLinger;
  WatchFor(worker_.options().linger_timeout);
  stream_->ReadAgainLater();
}

void DownstreamConnection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.Stop();
  request_timer_.Stop();
  try_timer_.Stop();
  bootstrap_timer_.Stop();
  if (upstream_ != nullptr || exchange_.active()) FinishExchange(Outcome::kClientLeft);
  stream_.reset();
  worker_.Remove(this);
}

}  // namespace gw
