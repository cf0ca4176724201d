// Disaggregated requests in DownstreamConnection: the prefill half, and that no half outlives the
// other.

#include "dataplane/downstream.h"
#include "dataplane/worker.h"

namespace gw {

void DownstreamConnection::DispatchPrefill() {
  state_ = State::kWaiting;
  StartBootstrapTimer();
  if (prefill_ == nullptr) {
    prefill_ = std::make_unique<PrefillLeg>(worker_.upstreams(), *this);
  }
  BodyEdit& body = exchange_.prefill_body();
  WriteRequestHead(body.size(), prefill_->head());
  prefill_->Send(exchange_.prefill_endpoint().address, body.parts(),
                 exchange_.needs_prefill_answer());
  StartTryTimer();
}

void DownstreamConnection::StartBootstrapTimer() {
  bootstrap_timer_.Start(exchange_.pool()->disaggregation->bootstrap_timeout);
}

void DownstreamConnection::CancelHalves() {
  try_timer_.Stop();
  bootstrap_timer_.Stop();
  if (prefill_ != nullptr) prefill_->Cancel();
  if (upstream_ == nullptr) return;
  UpstreamConnection* upstream = std::exchange(upstream_, nullptr);
  upstream->Cancel();
}

// Acts on what became of the prefill half.
void DownstreamConnection::ActOnHalf(const Step& step) {
  if (step.kind == Step::Kind::kContinue) return;
  DropResponse();
  Act(step);
  ContinueInput();
}

void DownstreamConnection::OnPrefillEnd(HeldAnswer answer) {
  const bool failed = answer.status < 200 || answer.status > 299;
  if (failed) {
    if (response_head_sent_) return;  // the decode half has what it needs
    CancelHalves();
  }
  const bool sequential = exchange_.needs_prefill_answer() && !failed;
  const Step step = exchange_.OnPrefillEnd(std::move(answer), worker_.loop().now());
  if (sequential && step.kind == Step::Kind::kForward) {
    Dispatch();  // the decode half: the pair's time runs on
    return;
  }
  ActOnHalf(step);
}

void DownstreamConnection::OnPrefillFailed(TryFailure failure) {
  if (response_head_sent_) return;
  CancelHalves();
  ActOnHalf(exchange_.OnPrefillFailed(failure, worker_.loop().now()));
}

void DownstreamConnection::OnPrefillLimit(std::string_view limit) { worker_.CountLimit(limit); }

void DownstreamConnection::OnBootstrapTimeout() {
  if (state_ != State::kWaiting || response_head_sent_ || !exchange_.awaits_kv_cache()) return;
  CancelHalves();
  ActOnHalf(exchange_.OnBootstrapTimeout(worker_.loop().now()));
}

// What came of a response that is not the client's after all.
void DownstreamConnection::DropResponse() {
  pieces_.clear();
  pieces_bytes_ = 0;
  status_ = 0;
}

void DownstreamConnection::Relay(const HeldAnswer& answer) {
  const std::string_view type =
      answer.content_type.empty() ? "application/json" : std::string_view(answer.content_type);
  RespondWith({answer.status, type, answer.body, 0}, keep_alive_ && !body_unread_,
              Outcome::kComplete);
}

}  // namespace gw
