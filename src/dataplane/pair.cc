// Disaggregated requests in RequestDriver: the prefill half, and that no half outlives the
// other.

#include "dataplane/request_driver.h"
#include "dataplane/worker.h"

namespace gw {

void RequestDriver::DispatchPrefill() {
  SetState(State::kWaiting);
  StartBootstrapTimer();
  if (prefill_ == nullptr) {
    prefill_ =
        std::make_unique<PrefillLeg>(worker_.upstreams(), worker_.options(), worker_.held(), *this);
  }
  BodyEdit& body = exchange_.prefill_body();
  const bool early = StartKeepalive();
  const bool keep_success = exchange_.needs_prefill_answer();
  prefill_->Send(TargetOf(exchange_.prefill_endpoint()),
                 ForwardedTry(exchange_.pool()->pool.access.get(), &body, early || keep_success,
                              exchange_.prefill_span()),
                 keep_success, ReuseOfNextTry());
  StartTryTimer();
}

// What was sent whole once may have its last try now: that one is not for a connection that is
// closed as it is used.
Reuse RequestDriver::ReuseOfNextTry() const {
  if (exchange_.tries().whole_failures > 0) return Reuse::kNone;
  return exchange_.is_repeatable() ? Reuse::kTrusted : Reuse::kVerified;
}

void RequestDriver::StartBootstrapTimer() {
  bootstrap_timer_.Start(exchange_.pool()->disaggregation->bootstrap_timeout);
}

void RequestDriver::CancelHalves() {
  step_timer_.Stop();
  bootstrap_timer_.Stop();
  if (prefill_ != nullptr) prefill_->Cancel();
  if (upstream_ == nullptr) return;
  ClientCall* upstream = std::exchange(upstream_, nullptr);
  upstream->Cancel();
}

// Acts on what became of one half: anything but going on is the end of both.
void RequestDriver::ActOnHalf(const Step& step) {
  if (step.kind == Step::Kind::kContinue) return;
  CancelHalves();
  DropResponse();
  Act(step);
}

void RequestDriver::OnPrefillEnd(HeldAnswer answer) {
  const bool failed = answer.status < 200 || answer.status > 299;
  const Step step = exchange_.OnPrefillEnd(std::move(answer), worker_.loop().now());
  if (!failed && step.kind == Step::Kind::kForward) {
    Dispatch();  // the decode half: the pair's time runs on
    return;
  }
  ActOnHalf(step);
}

void RequestDriver::OnPrefillFailed(TryFailure failure, const ClientError& error) {
  ActOnHalf(
      exchange_.OnPrefillFailed(failure, error.sent_whole, worker_.loop().now(), error.detail));
}

void RequestDriver::OnPrefillLimit(std::string_view limit) { exchange_.CountLimit(limit); }

void RequestDriver::OnBootstrapTimeout() {
  if (!waits() || response_head_sent_ || !exchange_.awaits_kv_cache()) return;
  ActOnHalf(exchange_.OnBootstrapTimeout(worker_.loop().now()));
}

// True while the pieces that came are kept.
bool RequestDriver::HoldPieces() {
  if (!exchange_.holds_response()) return false;
  const TimePoint now = worker_.loop().now();
  for (std::string_view piece : pieces_) held_.append(piece);
  pieces_.clear();
  const Step step = exchange_.OnResponseHeld(now);
  if (step.kind != Step::Kind::kContinue) {
    ActOnHalf(step);
    return true;
  }
  const bool room = share_.Grow(HeldNow());
  if (!room || held_.size() > worker_.options().held_response_bytes_max) {
    exchange_.CountLimit(room ? "held_response_bytes" : "held_bytes");
    exchange_.ReleaseResponse(now);
  }
  return exchange_.holds_response();
}

// What came of a response that is not the client's after all.
void RequestDriver::DropResponse() {
  pieces_.clear();
  held_.clear();
  response_trailers_.clear();
  share_.Set(HeldNow());
  misfit_ = false;
  status_ = early_head_ ? 200 : 0;
}

void RequestDriver::Relay(const HeldAnswer& answer) {
  if (early_head_) {
    EndEarlyStream(Outcome::kErrorEvent, EarlyErrorEvent(exchange_, answer.status, answer.body));
    return;
  }
  const std::string_view type =
      answer.content_type.empty() ? "application/json" : std::string_view(answer.content_type);
  std::vector<http::HeaderField> fields;
  if (!answer.retry_after.empty()) fields.push_back({"retry-after", answer.retry_after});
  RespondWith({answer.status, answer.body, fields}, type, 0, Outcome::kComplete);
}

}  // namespace gw
