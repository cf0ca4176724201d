// RequestDriver as the pump: from the endpoint's response to the sink.

#include <array>
#include <span>

#include "dataplane/forwarding.h"
#include "dataplane/rate_fields.h"
#include "dataplane/request_driver.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {

void RequestDriver::OnResponseHead(const http::ResponseHead& head) {
  const Step step = exchange_.OnResponseHead(head, worker_.loop().now());
  if (step.kind != Step::Kind::kContinue) {
    ActOnHalf(step);
    return;
  }
  // A refused decode half is the end of its prefill half.
  if (head.status >= 400 && prefill_ != nullptr) prefill_->Cancel();
  upstream_status_ = head.status;
  if (early_head_) {
    misfit_ = head.status > 299 || !exchange_.response().plain_stream();
    return;
  }
  // Held back until the first byte of the body: until then another endpoint may still be tried.
  const FilterChain filters = exchange_.filters();
  const bool filtered = exchange_.response().filtered();
  const RateMeter* const meter = exchange_.authorized().meter();
  std::string session_storage;
  std::string sticky_storage;
  std::array<http::HeaderField, 3> set;
  size_t sets = 0;
  if (const auto field = exchange_.SessionField(&session_storage)) set[sets++] = *field;
  if (const auto field = exchange_.StickyField(&sticky_storage)) set[sets++] = *field;
  if (!worker_.served_field().empty()) {
    set[sets++] = {worker_.served_field(), exchange_.endpoint().address};
  }
  if (filters.edits_response() || meter != nullptr || sets > 0) {
    const RateFields rates(meter, worker_.loop().now());
    const http::ResponseHead edited =
        FilteredHead(head, *head_, filters, rates, std::span(set).first(sets));
    form_ = sink_->HoldHead(edited, exchange_.request_id(), filtered);
  } else {
    form_ = sink_->HoldHead(head, exchange_.request_id(), filtered);
  }
  // Nobody else can be asked: then the client need not wait to see that its stream has begun.
  if (exchange_.response().event_stream() && form_ != BodyForm::kNone &&
      !exchange_.may_try_again()) {
    FlushPieces(false);
  }
}

void RequestDriver::OnResponseBody(std::string_view piece) {
  exchange_.OnResponseBody(piece, worker_.loop().now());
  if (form_ != BodyForm::kNone && !piece.empty()) pieces_.push_back(piece);
}

void RequestDriver::OnResponseTrailers(const http::HeaderList& trailers) {
  for (const http::HeaderField& field : trailers) {
    if (http::MayTrail(field.name)) response_trailers_.emplace_back(field.name, field.value);
  }
}

void RequestDriver::OnResponseFlush() {
  if (!KeepMisfit() && !HoldPieces()) FlushPieces(false);
}

void RequestDriver::OnResponseEnd() {
  upstream_ = nullptr;
  exchange_.OnResponseEnd(worker_.loop().now());
  if (KeepMisfit()) {
    EndEarlyStream(Outcome::kErrorEvent, EarlyErrorEvent(exchange_, upstream_status_, held_));
    return;
  }
  if (HoldPieces()) {
    if (!exchange_.holds_response()) return;          // another pair is at work
    exchange_.ReleaseResponse(worker_.loop().now());  // an answer without output
  }
  EndResponse();
}

void RequestDriver::EndResponse() {
  if (FlushPieces(true)) Finish(exchange_.OutcomeOfEnd(), MessageEnd::kWhole);
}

void RequestDriver::OnResponseFailed(const ClientError& error) {
  const TimePoint now = worker_.loop().now();
  upstream_ = nullptr;
  CancelHalves();
  if (response_head_sent_ || exchange_.response().saw_last_event()) {
    if (exchange_.OnStreamBroken(now)) exchange_.ReleaseResponse(now);
    BreakOff(Outcome::kUpstreamBroke, error.failure == ClientFailure::kTimeout
                                          ? Rejection::kTimeout
                                          : Rejection::kConnectFailed);
    return;
  }
  DropResponse();
  Act(exchange_.OnTryFailed(TryFailureOf(error.failure), error.sent_whole, now, error.detail));
}

// Ends a response that cannot be completed: an event stream says what happened, and the connection
// is closed without the end of the message, so that nobody takes it for complete.
void RequestDriver::BreakOff(Outcome outcome, Rejection rejection) {
  if (exchange_.response().saw_last_event()) {
    // Nothing is missing but the end of the message, which only an open one can still get.
    const MessageEnd end = form_ == BodyForm::kOpen ? MessageEnd::kWhole : MessageEnd::kNoEnd;
    if (FlushPieces(true)) Finish(exchange_.OutcomeOfEnd(), end);
    return;
  }
  const bool fits = form_ == BodyForm::kOpen || form_ == BodyForm::kToClose;
  EndUnfinished(outcome, fits ? exchange_.ErrorEventFor(rejection) : "");
}

void RequestDriver::EndUnfinished(Outcome outcome, std::string_view event) {
  if (!event.empty() && !sink_->Write({&event, 1}, false)) return;
  Finish(outcome, MessageEnd::kBroken);
}

// False if the client turned out to be gone.
bool RequestDriver::FlushPieces(bool last) {
  if (!response_head_sent_) {
    response_head_sent_ = true;
    if (!early_head_) status_ = upstream_status_;
  }
  if (!held_.empty()) pieces_.insert(pieces_.begin(), held_);
  if (exchange_.response().filtered()) exchange_.FilterResponse(&pieces_, last);
  if (!pieces_.empty() && keepalive_timer_.active()) keepalive_timer_.Stop();
  std::vector<http::HeaderField> trailers;
  for (const auto& [name, value] : response_trailers_) trailers.push_back({name, value});
  if (!sink_->Write(pieces_, last, trailers)) return false;
  pieces_.clear();
  held_.clear();
  share_.Set(HeldNow());
  if (upstream_ != nullptr && sink_->congested()) upstream_->Pause();
  return true;
}

void RequestDriver::OnWritable() {
  if (upstream_ != nullptr) upstream_->Resume();
}

}  // namespace gw
