// Acting on what the exchange says: asking an endpoint, or answering the client ourselves.

#include "dataplane/rate_fields.h"
#include "dataplane/request_driver.h"
#include "dataplane/worker.h"

namespace gw {
namespace {

constexpr std::string_view kJson = "application/json";

}  // namespace

void RequestDriver::Act(const Step& step) {
  switch (step.kind) {
    case Step::Kind::kContinue:
    case Step::Kind::kReadBody:
      break;
    case Step::Kind::kWait:
      Wait();
      break;
    case Step::Kind::kForward:
      if (exchange_.awaits_kv_cache()) StartBootstrapTimer();
      Dispatch();
      SendCopies();
      break;
    case Step::Kind::kPrefill:
      DispatchPrefill();
      SendCopies();
      break;
    case Step::Kind::kForwardPair:
      DispatchPrefill();
      Dispatch();
      SendCopies();
      break;
    case Step::Kind::kRelay:
      Relay(exchange_.held_answer());
      break;
    case Step::Kind::kBackOff:
      BackOff();
      break;
    case Step::Kind::kListModels:
      ListModels();
      break;
    case Step::Kind::kAnswer:
      AnswerByFilter();
      break;
    case Step::Kind::kRespond:
      Respond(step.rejection);
      break;
  }
}

// Behind the request itself, and once: further tries are the request's own business.
void RequestDriver::SendCopies() {
  const FilterChain filters = exchange_.filters();
  if (!filters.has_mirrors() || !exchange_.is_first_try()) return;
  const bool coded =
      exchange_.body_codings().empty() && head_->headers.Find("content-encoding") != nullptr;
  std::shared_ptr<const Mirrors::Body> kept;
  for (const RouteFilters* of : {filters.rule, filters.destination}) {
    if (of == nullptr) continue;
    for (const Mirror& mirror : of->mirrors) {
      if (!mirror.Draw(worker_.environment().random)) continue;
      const PoolEntry* const pool = exchange_.PoolById(mirror.pool);
      // Spoken to as the mirror's own endpoints want it: nothing of the request's pool goes there.
      const ClientRequest request =
          ForwardedTry(pool == nullptr ? nullptr : pool->pool.access.get(), &exchange_.body(),
                       false, exchange_.traced().context.span);
      worker_.mirrors().Send(
          {exchange_.rule()->route, pool, exchange_.asked(), coded, body_.view(), request}, &kept);
    }
  }
}

// The route's time for the request runs meanwhile.
void RequestDriver::Wait() {
  SetState(State::kWaiting);
  StartKeepalive();
  if (exchange_.queues()) {
    step_timer_.Start(std::max(Duration(0), exchange_.queue_deadline() - worker_.loop().now()));
  }
}

void RequestDriver::BackOff() {
  SetState(State::kWaiting);
  StartKeepalive();
  step_timer_.Start(exchange_.back_off());
}

void RequestDriver::OnGateAnswer(GateAnswer answer) {
  step_timer_.Stop();
  Act(exchange_.OnGateAnswer(worker_.newest_snapshot(), std::move(answer), worker_.loop().now()));
}

// The connection to the endpoint is closed, so that it computes nothing more.
void RequestDriver::OnEvicted(int for_priority) {
  const Step step = exchange_.OnEvicted(for_priority);
  if (step.kind == Step::Kind::kContinue) return;
  if (response_head_sent_) {
    BreakOff(Outcome::kEvicted, step.rejection);
  } else {
    ActOnHalf(step);
  }
}

void RequestDriver::Dispatch() {
  SetState(State::kWaiting);
  upstream_status_ = 0;
  BodyEdit& body = exchange_.body();
  // First, as it depends on nothing but the request: the answer must be plain to be begun by us.
  const bool early = StartKeepalive();
  StartTryTimer();
  upstream_ =
      worker_.upstreams().Send(TargetOf(exchange_.endpoint()),
                               ForwardedTry(exchange_.pool()->pool.access.get(), &body,
                                            early || exchange_.asks_usage(), exchange_.try_span()),
                               ReuseOfNextTry(), this);
}

ClientTarget RequestDriver::TargetOf(const Endpoint& endpoint) const {
  const EndpointAccess* const access = exchange_.pool()->pool.access.get();
  return {endpoint.address, access == nullptr ? nullptr : access->tls};
}

// The request as an endpoint gets it. `read_here`: the answer is read by the gateway, too. `span`:
// its parent, where requests are traced.
ClientRequest RequestDriver::ForwardedTry(const EndpointAccess* access, BodyEdit* body,
                                          bool read_here, SpanId span) {
  std::string_view target = head_->target;
  const FilterChain filters = exchange_.filters();
  const PathEdit* const path_edit = filters.path();
  const bool is_prefixed = access != nullptr && !access->path_prefix.empty();
  if (target.front() != '/' || path_edit != nullptr || is_prefixed) {
    // An absolute target is sent on in the one form that servers read alike; its authority goes
    // into Host.
    std::string& origin_form = worker_.origin_form();
    origin_form = is_prefixed ? std::string_view(access->path_prefix) : std::string_view();
    if (path_edit != nullptr) {
      path_edit->Append(exchange_.target().path, &origin_form);
    } else {
      origin_form += exchange_.target().path;
    }
    if (!exchange_.target().query.empty()) {
      origin_form += '?';
      origin_form += exchange_.target().query;
    }
    target = origin_form;
  }
  const Traced& traced = exchange_.traced();
  ForwardedRequest forwarded = {target,
                                exchange_.request_id(),
                                sink_->client(),
                                body->size() > 0,
                                read_here,
                                exchange_.model_field(),
                                !exchange_.body_codings().empty(),
                                filters,
                                exchange_.authorized().drops_credentials(),
                                access};
  if (traced.active()) forwarded.trace = traced.As(span);
  forwarded.keeps_trace_state = traced.keeps_state;
  ClientRequest request = worker_.forwarder().Forward(*head_, forwarded);
  request.parts = body->parts();
  request.trailers = trailers_;
  return request;
}

void RequestDriver::Respond(Rejection rejection) {
  const RejectionInfo& info = InfoOf(rejection);
  exchange_.set_rejection(rejection);
  const Outcome outcome = rejection == Rejection::kEvicted ? Outcome::kEvicted : Outcome::kRejected;
  if (early_head_) {
    EndEarlyStream(outcome, EarlyErrorEvent(exchange_, rejection));
    return;
  }
  const std::string body = exchange_.RejectionBody(rejection);
  RespondWith({info.status, body, {}}, kJson, exchange_.RetryAfterSeconds(rejection), outcome);
}

void RequestDriver::AnswerByFilter() {
  const FilterAnswer& answer = exchange_.filter_answer();
  const http::HeaderField location{"location", answer.location};
  std::span<const http::HeaderField> fields;
  if (!answer.location.empty()) fields = {&location, 1};
  RespondWith({answer.status, "", fields}, "", 0, Outcome::kComplete);
}

void RequestDriver::RespondWith(OwnAnswer answer, std::string_view content_type, int retry_after_s,
                                Outcome outcome) {
  status_ = answer.status;
  std::vector<http::HeaderField> fields;
  // To HEAD no body is sent. Some clients parse what is said to be JSON before they look whether
  // there is any; what is known of a body only by making it may be left out (RFC 9110 9.3.2).
  const bool has_body = head_ == nullptr || head_->method != "HEAD";
  if (!content_type.empty() && has_body) fields.push_back({"content-type", content_type});
  if (outcome == Outcome::kRejected && answer.status == 415) {
    fields.push_back({"accept-encoding", http::kContentCodings});
  }
  if (outcome == Outcome::kRejected && answer.status == 401) {
    fields.push_back({"www-authenticate", "Bearer"});
  }
  if (!exchange_.request_id().empty()) fields.push_back({"x-request-id", exchange_.request_id()});
  const RateFields rates(exchange_.authorized().meter(), worker_.loop().now());
  rates.SetIn(&fields);
  const std::string retry_after = std::to_string(retry_after_s);
  if (retry_after_s > 0) fields.push_back({"retry-after", retry_after});
  fields.insert(fields.end(), answer.fields.begin(), answer.fields.end());
  if (head_ != nullptr) exchange_.filters().EditOwnAnswer(*head_, &fields);
  answer.fields = fields;
  if (sink_->Answer(answer)) Finish(outcome, MessageEnd::kWhole);
}

}  // namespace gw
