// RequestDriver reading a request, and ending it.

#include "dataplane/request_driver.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {

RequestDriver::RequestDriver(ProxyWorker& worker)
    : worker_(worker),
      exchange_(worker.environment(), this),
      body_(&worker.spare_bodies()),
      share_(worker.held()),
      request_timer_(worker.loop(), [this] { OnRequestTimeout(); }),
      step_timer_(worker.loop(), [this] { OnStepTimeout(); }),
      keepalive_timer_(worker.loop(), [this] { OnKeepalive(); }),
      bootstrap_timer_(worker.loop(), [this] { OnBootstrapTimeout(); }) {}

void RequestDriver::Serve(const ListenerKey& listener, ResponseSink& sink) {
  DCHECK(!active());
  listener_ = &listener;
  sink_ = &sink;
}

void RequestDriver::SetState(State state) {
  state_ = state;
  if (linked()) Unlink();
}

void RequestDriver::Begin(const http::RequestHead& head) {
  CHECK(!active());
  head_ = &head;
  SetState(State::kBody);
  status_ = 0;
  response_head_sent_ = false;
  early_head_ = false;
  upstream_status_ = 0;
  misfit_ = false;
  exchange_.Begin(worker_.SnapshotFor(*listener_), *listener_, sink_->client(),
                  worker_.loop().now());
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
  if (head.framing != http::BodyFraming::kNone) worker_.EnterBodies(this);
  body_read_at_ = worker_.loop().now();
  body_time_ = Duration(0);
  StartRequestTimers();
}

void RequestDriver::RefuseHead(http::HeadError error) {
  if (!active()) {
    SetState(State::kBody);
    status_ = 0;
    early_head_ = false;
    exchange_.Begin(worker_.SnapshotFor(*listener_), *listener_, sink_->client(),
                    worker_.loop().now());
    exchange_.OnRefusedHead();
  }
  Respond(RejectionFor(error));
}

void RequestDriver::OnBody(std::string_view bytes) {
  DCHECK(wants_body());
  if (body_.size() + bytes.size() > worker_.options().request_body_bytes_max) {
    exchange_.CountLimit("request_body_bytes");
    Respond(Rejection::kBodyTooLarge);
  } else if (!KeepBody(bytes)) {
    RefuseBody();
  }
}

size_t RequestDriver::body_left() const {
  if (!wants_body() || head_->framing != http::BodyFraming::kLength) return 0;
  return head_->content_length - body_.size();
}

std::span<char> RequestDriver::BodyRoom(size_t most) {
  DCHECK(body_left() > 0);
  return body_.Room(body_left(), most);
}

// False if there is no room, not even if newer requests give theirs up.
bool RequestDriver::KeepBody(std::string_view bytes) {
  while (!share_.Grow(HeldNow() + bytes.size())) {
    if (!worker_.RefuseNewerBodyThan(this)) return false;
  }
  body_.Append(bytes);
  return true;
}

void RequestDriver::RefuseBody() {
  exchange_.CountLimit("held_bytes");
  Respond(Rejection::kTooManyBytesHeld);
}

// A body may pause, and it may be slow, but not both for long: it is held all the while.
void RequestDriver::OnBodyPause() {
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
  step_timer_.Start(std::clamp(left, Duration(0), options.client_body_timeout));
}

void RequestDriver::OnBodyTimeout() {
  const Duration pause = worker_.loop().now() - body_read_at_;
  exchange_.CountLimit(pause >= worker_.options().client_body_timeout ? "client_body_timeout"
                                                                      : "body_bytes_per_second");
  Respond(Rejection::kBodyTimeout);
}

void RequestDriver::OnBodyEnd(const http::HeaderList& trailers) {
  for (const http::HeaderField& field : trailers) {
    if (http::MayTrail(field.name)) trailers_.push_back(field);
  }
  step_timer_.Stop();
  if (exchange_.body_codings().empty() || body_.size() == 0) {
    TakeBody();
  } else {
    DecodeBody();
  }
}

void RequestDriver::TakeBody() {
  const Step step = exchange_.OnRequestBody(body_.view(), worker_.loop().now());
  StartRequestTimers();
  Act(step);
}

void RequestDriver::OnClientGone(bool took_all) {
  End(took_all ? exchange_.OutcomeOfLeaving() : Outcome::kClientLeft);
}

void RequestDriver::Abort() {
  if (!active()) return;
  if (waits() && response_head_sent_) {
    BreakOff(Outcome::kUpstreamBroke, Rejection::kShuttingDown);
  } else {
    Respond(Rejection::kShuttingDown);
  }
}

// Gives back what the request holds, whatever ended it.
void RequestDriver::End(Outcome outcome) {
  if (!active()) return;
  request_timer_.Stop();
  keepalive_timer_.Stop();
  CancelHalves();
  coded_.reset();
  model_ticket_.reset();
  pieces_.clear();
  held_.clear();
  trailers_.clear();
  response_trailers_.clear();
  exchange_.End(outcome, status_, worker_.loop().now());
  head_ = nullptr;
  body_.Clear();
  share_.Set(HeldNow());
  SetState(State::kIdle);
}

void RequestDriver::Finish(Outcome outcome, MessageEnd end) {
  End(outcome);
  sink_->Done(end);
}

void RequestDriver::ClearForIdle() {
  gw::ClearForIdle(&held_);
  if (prefill_ != nullptr) prefill_->ClearForIdle();
}

}  // namespace gw
