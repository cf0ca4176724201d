// How long a DownstreamConnection lives: its time-outs, draining, and closing without losing what
// was answered.

#include "dataplane/downstream.h"
#include "dataplane/worker.h"

namespace gw {

void DownstreamConnection::BecomeIdle() {
  parser_.Reset();
  early_head_ = false;
  ClearForIdle(&response_head_);
  ClearForIdle(&held_);
  if (prefill_ != nullptr) prefill_->ClearForIdle();
  SetState(State::kIdle);
  WatchIdle();
}

// The time-out that holds between requests: as long as the last answer is not written, the client's
// for taking it.
void DownstreamConnection::WatchIdle() {
  const DataplaneOptions& options = worker_.options();
  if (out_.empty() && !linked()) worker_.EnterIdle(this);
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
    exchange_.CountLimit("client_write_timeout");
    Close();
    return;
  }
  // A request may have come in this very round of the loop.
  OnReadable();
  if (state_ != State::kIdle || timer_.active()) return;
  worker_.CountLimit(draining_ ? "drain_idle_grace" : "keep_alive_timeout");
  Close();
}

// At the head, or where the rule depends on it behind the body: the time runs from the head on.
void DownstreamConnection::StartRequestTimers() {
  const RouteRule* rule = exchange_.rule();
  if (rule == nullptr || !rule->request_timeout || request_timer_.active()) return;
  const Duration passed = worker_.loop().now() - exchange_.began();
  request_timer_.Start(std::max(Duration::zero(), *rule->request_timeout - passed));
}

void DownstreamConnection::OnTimer() {
  switch (state_) {
    case State::kIdle:
      OnIdleTimeout();
      break;
    case State::kWaiting:
      // A client that takes nothing for this long holds a model server's work for nobody.
      exchange_.CountLimit("client_write_timeout");
      OnClientGone();
      break;
    case State::kHead:
      worker_.CountLimit("client_header_timeout");
      Close();
      break;
    case State::kBody:
      OnBodyTimeout();
      break;
    case State::kClosing:
      exchange_.CountLimit("client_write_timeout");
      Close();
      break;
    case State::kLinger:
    case State::kClosed:
      break;
  }
}

void DownstreamConnection::OnRequestTimeout() {
  exchange_.CountLimit("route_request_timeout");
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
  if (state_ != State::kWaiting || !tried) return;
  exchange_.CountLimit("route_backend_request_timeout");
  if (response_head_sent_) {
    BreakOff(Outcome::kTimedOut, Rejection::kTimeout);
    return;
  }
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
  // What its socket does not take at once is lost, which a reset tells it.
  if (!out_.empty()) stream_->ResetOnClose();
  keep_alive_ = false;
  if (state_ == State::kWaiting && response_head_sent_) {
    BreakOff(Outcome::kUpstreamBroke, Rejection::kShuttingDown);
  } else if (state_ == State::kWaiting || state_ == State::kBody) {
    Respond(Rejection::kShuttingDown);
  }
  if (state_ == State::kClosed) return;
  if (!out_.empty()) stream_->ResetOnClose();
  Close();
}

void DownstreamConnection::CloseIfIdle() {
  OnReadable();
  if (state_ == State::kIdle) Close();
}

void DownstreamConnection::CloseWhenWritten() {
  SetState(State::kClosing);
  if (out_.empty()) {
    CloseGently();
  } else {
    WatchFor(worker_.options().client_write_timeout);
  }
}

// In order if the client still sends.
void DownstreamConnection::CloseGently() {
  const bool more_came = body_unread_ || !pipelined_.empty() || discarded_ > 0;
  if (!more_came || discarded_ > worker_.options().linger_bytes_max) {
    Close();
    return;
  }
  pipelined_.clear();
  SetState(State::kLinger);
  timer_.Stop();
  const OrderlyClose::Limits limits{worker_.options().linger_timeout,
                                    worker_.options().linger_bytes_max - discarded_};
  closing_ = std::make_unique<OrderlyClose>(worker_.loop(), std::move(stream_), limits,
                                            [this](OrderlyClose::End end) {
                                              if (end == OrderlyClose::End::kTime)
                                                worker_.CountLimit("linger_timeout");
                                              if (end == OrderlyClose::End::kBytes)
                                                worker_.CountLimit("linger_bytes");
                                              Close();
                                            });
}

void DownstreamConnection::Close() {
  if (state_ == State::kClosed) return;
  SetState(State::kClosed);
  timer_.Stop();
  request_timer_.Stop();
  try_timer_.Stop();
  keepalive_timer_.Stop();
  bootstrap_timer_.Stop();
  if (upstream_ != nullptr || exchange_.active()) FinishExchange(Outcome::kClientLeft);
  stream_.reset();
  closing_.reset();
  worker_.Remove(this);
}

}  // namespace gw
