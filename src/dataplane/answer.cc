// Acting on what the exchange says: asking an endpoint, or answering the client ourselves.

#include "dataplane/downstream.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {
namespace {

constexpr std::string_view kJson = "application/json";

}  // namespace

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
  SetState(State::kWaiting);
  upstream_status_ = 0;
  BodyEdit& body = exchange_.body();
  // First, as it depends on nothing but the request: the answer must be plain to be begun by us.
  const bool early = StartKeepalive();
  StartTryTimer();
  upstream_ = worker_.upstreams().Send(exchange_.endpoint().address,
                                       ForwardedTry(&body, early || exchange_.asks_usage()),
                                       ReuseOfNextTry(), this);
}

// The request as an endpoint gets it. `read_here`: the answer is read by the gateway, too.
ClientRequest DownstreamConnection::ForwardedTry(BodyEdit* body, bool read_here) {
  std::string_view target = parser_.head().target;
  if (target.front() != '/') {
    // An absolute target is sent on in the one form that servers read alike; its authority goes
    // into Host.
    std::string& origin_form = worker_.origin_form();
    origin_form = exchange_.target().path;
    if (!exchange_.target().query.empty()) {
      origin_form += '?';
      origin_form += exchange_.target().query;
    }
    target = origin_form;
  }
  ClientRequest request = worker_.forwarder().Forward(
      parser_.head(), {target, exchange_.request_id(), client_ip_, body->size() > 0, read_here,
                       exchange_.model_field(), !exchange_.body_codings().empty()});
  request.parts = body->parts();
  return request;
}

void DownstreamConnection::StartTryTimer() {
  if (!exchange_.rule()->try_timeout || try_timer_.active()) return;
  try_timer_.Start(*exchange_.rule()->try_timeout);
}

void DownstreamConnection::Respond(Rejection rejection) {
  const RejectionInfo& info = InfoOf(rejection);
  exchange_.set_rejection(rejection);
  if (early_head_) {
    EndEarlyStream(Outcome::kRejected, EarlyErrorEvent(exchange_, rejection));
    return;
  }
  const std::string body = exchange_.RejectionBody(rejection);
  RespondWith({info.status, kJson, body, info.retry_after_s}, keep_alive_ && !body_unread_,
              Outcome::kRejected);
}

void DownstreamConnection::RespondWith(const Answer& answer, bool keep_alive, Outcome outcome) {
  status_ = answer.status;
  response_keep_alive_ = keep_alive && !draining_;
  std::string head;
  http::AppendStatusLine(&head, answer.status);
  http::AppendHeader(&head, "date", http::DateText(worker_.loop().clock().UnixNanos()));
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
  head += answer.fields;
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
  keepalive_timer_.Stop();
  CancelHalves();
  coded_.reset();
  model_ticket_.reset();
  pieces_.clear();
  pieces_bytes_ = 0;
  held_.clear();
  if (exchange_.active()) exchange_.End(outcome, status_, worker_.loop().now());
  body_.Clear();
  share_.Set(HeldNow());
}

void DownstreamConnection::AfterResponse(bool keep_alive) {
  if (keep_alive) {
    BecomeIdle();
  } else {
    CloseWhenWritten();
  }
}

}  // namespace gw
