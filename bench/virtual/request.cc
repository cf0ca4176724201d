#include "bench/virtual/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "bench/virtual/gateway.h"

namespace gw::bench {
namespace {

constexpr std::string_view kToken = "data: {\"choices\":[{\"text\":\"a\"}]}\n\n";
constexpr std::string_view kChatToken = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
// What vLLM answers a prefill half with, as far as a gateway looks at it.
constexpr char kHandedOver[] = R"({"kv_transfer_params":{"do_remote_prefill":true}})";
constexpr double kKvBytesPerSecond = 25e9;  // of each GPU's link
// Of the prefill half, which may be at the same server.
constexpr uint64_t kPrefillId = uint64_t{1} << 63;

// As vLLM refuses what is longer than its context.
constexpr std::string_view kTooLong =
    R"({"error":{"message":"longer than the KV cache","type":"BadRequestError","code":400}})";

http::ResponseHead HeadOf(int status, std::string_view content_type) {
  http::ResponseHead head;
  head.status = status;
  head.headers.Add("content-type", content_type);
  return head;
}

const http::ResponseHead& TooLongHead() {
  static const http::ResponseHead head = HeadOf(400, "application/json");
  return head;
}

const http::ResponseHead& StreamHead() {
  static const http::ResponseHead head = HeadOf(200, "text/event-stream");
  return head;
}

}  // namespace

void VirtualRequest::After(Duration time, void (VirtualRequest::*then)()) {
  timeline_.After(time, [this, then, move = ++moves_] {
    if (move == moves_) (this->*then)();
  });
}

void VirtualRequest::Send(uint64_t id, FleetRequest request) {
  CHECK(!active());
  request_ = std::move(request);
  request_.body.reserve(request_.body.size() + Exchange::kBodyPadding);
  answer_ = {.id = id, .arrived = timeline_.now()};
  is_chat_ = request_.path.ends_with("/chat/completions");
  head_ = fmt::format("POST {} HTTP/1.1\r\nHost: a\r\n{}Content-Length: {}\r\n\r\n", request_.path,
                      request_.fields, request_.body.size());
  parser_.Reset();
  CHECK(parser_.Next(head_).event == http::H1Event::kHead);
  exchange_.Begin(gateway_.snapshot(), {VirtualGateway::kPort}, "127.0.0.1", timeline_.now());
  const Step step = exchange_.OnRequestHead(parser_.head());
  if (step.kind != Step::Kind::kReadBody) return Act(step);
  if (request_.body_time > Duration(0)) {
    After(request_.body_time, &VirtualRequest::TakeBody);
  } else {
    TakeBody();
  }
}

void VirtualRequest::TakeBody() {
  const bool has_room = gateway_.HasRoom(exchange_.pool());
  const Step step = exchange_.OnRequestBody(request_.body, timeline_.now());
  const RouteRule* const rule = exchange_.rule();
  // Not modelled.
  CHECK(rule == nullptr || (!rule->request_timeout && !rule->try_timeout));
  if (step.kind == Step::Kind::kForward && !has_room) gateway_.OnRoomPassed(answer_.id);
  Act(step);
}

void VirtualRequest::Act(const Step& step) {
  switch (step.kind) {
    case Step::Kind::kWait:
      CHECK(exchange_.queues());
      answer_.waited = true;
      return After(exchange_.queue_deadline() - timeline_.now(), &VirtualRequest::OnQueueTimeout);
    case Step::Kind::kForward:
      return Dispatch();
    case Step::Kind::kPrefill:
      return DispatchPrefill();
    case Step::Kind::kBackOff:
      return After(exchange_.back_off(), &VirtualRequest::OnBackOffOver);
    case Step::Kind::kRespond:
      return Respond(step.rejection);
    case Step::Kind::kRelay:
      answer_.status = exchange_.held_answer().status;
      return End(Outcome::kComplete);
    default:
      CHECK(step.kind == Step::Kind::kContinue);  // no lists, no filters, no pairs of SGLang's
  }
}

void VirtualRequest::OnQueueTimeout() { Act(exchange_.OnQueueTimeout(timeline_.now())); }

void VirtualRequest::OnBackOffOver() { Act(exchange_.OnBackOffOver(timeline_.now())); }

void VirtualRequest::OnGateAnswer(GateAnswer answer) {
  ++moves_;
  CHECK(exchange_.waits());
  if (gateway_.runs_turn_without_room()) gateway_.OnRoomPassed(answer_.id);
  Act(exchange_.OnGateAnswer(gateway_.snapshot(), std::move(answer), timeline_.now()));
}

void VirtualRequest::OnEvicted(int for_priority) {
  const Step step = exchange_.OnEvicted(for_priority);
  if (step.kind == Step::Kind::kContinue) return;
  CHECK(step.kind == Step::Kind::kRespond);
  if (!answer_.first_token) return Respond(step.rejection);
  answer_.rejection = step.rejection;
  End(Outcome::kEvicted);
}

void VirtualRequest::Dispatch() {
  if (++answer_.tries == 1) answer_.dispatched = timeline_.now();
  replica_ = &gateway_.ReplicaAt(exchange_.endpoint().address);
  // Its first request ends the idle time of an endpoint at once.
  gateway_.LookSoon(*exchange_.endpoint().state);
  if (!replica_->up()) return After(Duration(0), &VirtualRequest::OnRefused);
  gateway_.NameBlocks(exchange_.request().prefix_blocks, request_.block_names);
  const bool fits = replica_->Submit({.id = answer_.id,
                                      .prompt_tokens = request_.prompt_tokens,
                                      .output_tokens = request_.output_tokens,
                                      .block_names = request_.block_names,
                                      .kv_from_outside = prefill_.holds_blocks()},
                                     this);
  if (!fits) After(Duration(0), &VirtualRequest::OnTooLong);
}

// The server's cache has no room for it, and never will have.
void VirtualRequest::OnTooLong() {
  const TimePoint now = timeline_.now();
  replica_ = nullptr;
  const Step step = exchange_.OnResponseHead(TooLongHead(), now);
  if (step.kind != Step::Kind::kContinue) return Act(step);
  answer_.status = TooLongHead().status;
  exchange_.OnResponseBody(kTooLong, now);
  exchange_.OnResponseEnd(now);
  End(exchange_.OutcomeOfEnd());
}

void VirtualRequest::OnRefused() {
  replica_ = nullptr;
  const std::shared_ptr<EndpointState> state = exchange_.endpoint().state;
  const Step step =
      exchange_.OnTryFailed(TryFailure::kConnectRefused, false, timeline_.now(), "refused");
  gateway_.LookSoon(*state);
  Act(step);
}

// Where the prompt is computed elsewhere, what was cached there counts.
void VirtualRequest::OnScheduled(uint32_t cached_tokens) {
  if (!answer_.cached_tokens) answer_.cached_tokens = cached_tokens;
}

void VirtualRequest::DispatchPrefill() {
  if (++answer_.tries == 1) answer_.dispatched = timeline_.now();
  VirtualReplica& replica = gateway_.ReplicaAt(exchange_.prefill_endpoint().address);
  gateway_.LookSoon(*exchange_.prefill_endpoint().state);
  if (!replica.up()) return After(Duration(0), &VirtualRequest::OnPrefillRefused);
  const size_t blocks = request_.prompt_tokens / replica.spec().block_tokens;
  std::vector<uint64_t> names = request_.block_names;
  names.resize(std::min(names.size(), blocks));
  const bool fits =
      prefill_.Send(replica, answer_.id | kPrefillId, request_.prompt_tokens, std::move(names));
  if (!fits) After(Duration(0), &VirtualRequest::OnPrefillTooLong);
}

void VirtualRequest::OnPrefillTooLong() {
  HeldAnswer answer{.status = TooLongHead().status,
                    .content_type = "application/json",
                    .body = std::string(kTooLong)};
  Act(exchange_.OnPrefillEnd(std::move(answer), timeline_.now()));
}

void VirtualRequest::OnPrefillRefused() {
  const std::shared_ptr<EndpointState> state = exchange_.prefill_endpoint().state;
  const Step step =
      exchange_.OnPrefillFailed(TryFailure::kConnectRefused, false, timeline_.now(), "refused");
  gateway_.LookSoon(*state);
  Act(step);
}

void VirtualRequest::OnPrefilled() {
  if (!answer_.cached_tokens) answer_.cached_tokens = prefill_.cached_tokens();
  HeldAnswer answer{.status = 200, .content_type = "application/json", .body = kHandedOver};
  Act(exchange_.OnPrefillEnd(std::move(answer), timeline_.now()));
}

void VirtualRequest::OnPrefillBroken() {
  const std::shared_ptr<EndpointState> state = exchange_.prefill_endpoint().state;
  const Step step = exchange_.OnPrefillFailed(TryFailure::kReset, true, timeline_.now(), "closed");
  gateway_.LookSoon(*state);
  Act(step);
}

void VirtualRequest::OnReceiving(uint32_t cached_tokens) {
  const uint32_t tokens = request_.prompt_tokens - std::min(cached_tokens, request_.prompt_tokens);
  After(sim::KvTransferTime(replica_->spec(), tokens, kKvBytesPerSecond),
        &VirtualRequest::OnKvArrived);
}

void VirtualRequest::OnKvArrived() {
  // Whose blocks are gone is computed again where it is decoded, as the engine sees no difference
  // between both but the time, which is that of a lost server.
  prefill_.Release();
  replica_->KvArrived(answer_.id);
}

void VirtualRequest::OnToken(uint32_t tokens) {
  const TimePoint now = timeline_.now();
  if (!answer_.first_token) {
    answer_.first_token = now;
    answer_.status = StreamHead().status;
    CHECK(exchange_.OnResponseHead(StreamHead(), now).kind == Step::Kind::kContinue);
  }
  if (answer_.tokens > 0) answer_.gap_max = std::max(answer_.gap_max, now - answer_.last_token);
  answer_.last_token = now;
  ++answer_.tokens;
  CHECK(answer_.tokens == tokens);
  exchange_.OnResponseBody(is_chat_ ? kChatToken : kToken, now);
}

void VirtualRequest::OnFinished() {
  const TimePoint now = timeline_.now();
  replica_ = nullptr;
  const std::string usage = fmt::format(
      "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{},\"completion_tokens\":{}}}}}\n\n"
      "data: [DONE]\n\n",
      request_.prompt_tokens, answer_.tokens);
  exchange_.OnResponseBody(usage, now);
  exchange_.OnResponseEnd(now);
  End(exchange_.OutcomeOfEnd());
}

void VirtualRequest::OnBroken() {
  const TimePoint now = timeline_.now();
  replica_ = nullptr;
  const std::shared_ptr<EndpointState> state = exchange_.endpoint().state;
  if (answer_.first_token) {
    CHECK(!exchange_.OnStreamBroken(now));
    gateway_.LookSoon(*state);
    return End(Outcome::kUpstreamBroke);
  }
  const Step step = exchange_.OnTryFailed(TryFailure::kReset, true, now, "closed");
  gateway_.LookSoon(*state);
  Act(step);
}

void VirtualRequest::Respond(Rejection rejection) {
  exchange_.set_rejection(rejection);
  answer_.rejection = rejection;
  answer_.status = InfoOf(rejection).status;
  End(rejection == Rejection::kEvicted ? Outcome::kEvicted : Outcome::kRejected);
}

void VirtualRequest::Leave() {
  CHECK(active());
  End(exchange_.OutcomeOfLeaving());
}

void VirtualRequest::Abort() {
  CHECK(active());
  if (answer_.first_token) return End(Outcome::kUpstreamBroke);
  Respond(Rejection::kShuttingDown);
}

void VirtualRequest::End(Outcome outcome) {
  ++moves_;
  prefill_.Release();
  if (replica_ != nullptr) std::exchange(replica_, nullptr)->Cancel(answer_.id);
  exchange_.End(outcome, answer_.status, timeline_.now());
  answer_.outcome = outcome;
  answer_.ended = timeline_.now();
  gateway_.OnEnded(this, answer_);
}

}  // namespace gw::bench
