// How long an H1Downstream lives: between requests, its time-outs, draining, and closing without
// losing what was answered.

#include <algorithm>
#include <memory>
#include <utility>

#include "dataplane/h1_downstream.h"
#include "dataplane/worker.h"

namespace gw {

void H1Downstream::Done(MessageEnd end) {
  if (state_ == State::kClosed) return;
  const bool to_close = form_ == BodyForm::kToClose;
  if (end == MessageEnd::kWhole && response_keep_alive_ && !to_close) {
    BecomeIdle();
  } else {
    // Without a length the end of the connection is the end of the message: only a reset says
    // otherwise.
    if (end == MessageEnd::kBroken && to_close) {
      stream_->ResetOnClose();
      pipelined_.clear();
    }
    CloseWhenWritten();
  }
  if (!consuming_) ContinueInput();
}

void H1Downstream::BecomeIdle() {
  SetState(State::kIdle);
  WatchIdle();
}

// The time-out that holds between requests: as long as the last answer is not written, the client's
// for taking it.
void H1Downstream::WatchIdle() {
  const DataplaneOptions& options = worker_.options();
  if (out_.empty()) {
    GiveBackRequest();
    if (!linked()) worker_.EnterIdle(this);
  }
  if (!out_.empty()) {
    timer_.Start(options.client_write_timeout);
  } else if (draining_) {
    // Half of a short drain is left for the answer.
    timer_.Start(std::min(options.drain_idle_grace, options.drain_timeout / 2));
  } else {
    timer_.Start(options.keep_alive_timeout);
  }
}

void H1Downstream::OnIdleTimeout() {
  if (!out_.empty()) {
    request_->driver.CountLimit("client_write_timeout");
    Close();
    return;
  }
  // A request may have come in this very round of the loop.
  OnReadable();
  if (state_ != State::kIdle || timer_.active()) return;
  worker_.CountLimit(draining_ ? "drain_idle_grace" : "keep_alive_timeout");
  Close();
}

void H1Downstream::OnTimer() {
  switch (state_) {
    case State::kIdle:
      OnIdleTimeout();
      break;
    case State::kRequest:
      // A client that takes nothing for this long holds a model server's work for nobody.
      request_->driver.CountLimit("client_write_timeout");
      OnClientGone();
      break;
    case State::kHead:
      worker_.CountLimit("client_header_timeout");
      Close();
      break;
    case State::kClosing:
      request_->driver.CountLimit("client_write_timeout");
      Close();
      break;
    case State::kLinger:
    case State::kClosed:
      break;
  }
}

void H1Downstream::OnClientGone() {
  if (state_ == State::kClosed) return;
  if (request_ != nullptr) request_->driver.OnClientGone(out_.empty());
  Close();
}

void H1Downstream::GiveBackRequest() {
  if (request_ != nullptr) worker_.spare_requests().Keep(std::move(request_));
}

void H1Downstream::Drain() {
  if (draining_ || state_ == State::kClosed) return;
  draining_ = true;
  if (state_ != State::kIdle) return;
  WatchIdle();
  OnReadable();
}

void H1Downstream::Abort() {
  if (state_ == State::kClosed) return;
  // What its socket does not take at once is lost, which a reset tells it.
  if (!out_.empty()) stream_->ResetOnClose();
  keep_alive_ = false;
  if (request_ != nullptr) request_->driver.Abort();
  if (state_ == State::kClosed) return;
  if (!out_.empty()) stream_->ResetOnClose();
  Close();
}

void H1Downstream::CloseIfIdle() {
  OnReadable();
  if (state_ == State::kIdle) Close();
}

void H1Downstream::CloseWhenWritten() {
  SetState(State::kClosing);
  if (out_.empty()) {
    CloseGently();
  } else {
    timer_.Start(worker_.options().client_write_timeout);
  }
}

// In order if the client still sends.
void H1Downstream::CloseGently() {
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

void H1Downstream::Close() {
  if (state_ == State::kClosed) return;
  SetState(State::kClosed);
  timer_.Stop();
  if (request_ != nullptr) request_->driver.OnClientGone(false);
  GiveBackRequest();
  stream_.reset();
  closing_.reset();
  worker_.Remove(this);
}

}  // namespace gw
