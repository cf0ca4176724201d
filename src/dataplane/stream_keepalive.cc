// Event streams that begin before their endpoint has said anything, for the load balancers with
// idle time-outs that stand before the gateway: a head of our own and a comment line at an
// interval. Tries can still be changed until the first real byte. What would have been another
// answer (an error, the gateway's or the model server's) is then the stream's last event.

#include <algorithm>

#include "dataplane/rate_fields.h"
#include "dataplane/request_driver.h"
#include "dataplane/worker.h"

namespace gw {
namespace {

// A comment, which readers of event streams skip.
constexpr std::string_view kComment = ": keep-alive\n\n";
constexpr size_t kMisfitBytesMax = 4096;

}  // namespace

// True if the answer to the request in work may be begun before the endpoint's.
bool RequestDriver::StartKeepalive() {
  const std::optional<Duration> interval = StreamKeepaliveOf(exchange_);
  if (!interval || !sink_->has_open_form()) return false;
  keepalive_interval_ = *interval;
  if (!keepalive_timer_.active()) keepalive_timer_.Start(*interval);
  return true;
}

// A head of our own, unless the endpoint's has come: then what it says is passed on as it is.
bool RequestDriver::BeginEarlyStream() {
  const bool other =
      upstream_status_ > 299 || (upstream_status_ != 0 && !exchange_.response().plain_stream());
  if (other) return false;
  early_head_ = true;
  status_ = 200;
  form_ = BodyForm::kOpen;
  std::vector<http::HeaderField> fields{{"content-type", "text/event-stream; charset=utf-8"},
                                        {"cache-control", "no-cache"},
                                        {"x-request-id", exchange_.request_id()}};
  const RateFields rates(exchange_.authorized().meter(), worker_.loop().now());
  rates.SetIn(&fields);
  exchange_.filters().EditResponse(*head_, &fields);
  // Of the endpoint that is asked now. If another one answers, the session is moved next time.
  std::string session_storage;
  std::string sticky_storage;
  if (const auto field = exchange_.SessionField(&session_storage)) SetField(*field, &fields);
  if (const auto field = exchange_.StickyField(&sticky_storage)) SetField(*field, &fields);
  sink_->HoldStreamHead(fields);
  return true;
}

// Nothing of the body was written for another interval.
void RequestDriver::OnKeepalive() {
  if (!waits()) return;
  keepalive_timer_.Start(keepalive_interval_);
  if (sink_->congested()) return;  // it does not take what it got before
  if (response_head_sent_ && !early_head_) {
    const bool takes_comments =
        upstream_status_ < 300 && exchange_.response().plain_stream() && form_ == BodyForm::kOpen;
    if (!takes_comments) return;
  } else if (!early_head_ && !BeginEarlyStream()) {
    return;
  }
  sink_->Write({&kComment, 1}, false);
}

// True if what came is no event stream, though one has begun: its first bytes are kept, to be told.
bool RequestDriver::KeepMisfit() {
  if (!misfit_) return false;
  for (std::string_view piece : pieces_) {
    held_.append(piece.substr(0, kMisfitBytesMax - std::min(kMisfitBytesMax, held_.size())));
  }
  pieces_.clear();
  return true;
}

void RequestDriver::EndEarlyStream(Outcome outcome, const std::string& event) {
  CancelHalves();
  EndUnfinished(outcome, event);
}

}  // namespace gw
