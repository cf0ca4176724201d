#include "exchange/exchange.h"

#include <algorithm>

#include "base/check.h"
#include "pool/health.h"
#include "pool/pushback.h"

namespace gw {
namespace {

constexpr size_t kRequestIdMax = 128;

// Whose error shape the client knows: "/v1/messages/count_tokens" is Anthropic's, too.
ApiKind DialectOf(ApiKind api, std::string_view path) {
  const bool anthropic = path.find("/v1/messages") != std::string_view::npos;
  return api == ApiKind::kOther && anthropic ? ApiKind::kMessages : api;
}

// An answer that does not show that there is such a model: a name that it is about must not use up
// the metrics' labels.
bool RefusesName(int status) { return status == 401 || status == 403 || status == 404; }

// "10.0.0.7, 10.0.0.8:3002" in its parts. What is between two commas is nobody's address.
std::vector<std::string_view> AddressesOf(std::string_view list) {
  std::vector<std::string_view> addresses;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string_view address = list.substr(at, end - at);
    while (address.starts_with(' ') || address.starts_with('\t')) address.remove_prefix(1);
    while (address.ends_with(' ') || address.ends_with('\t')) address.remove_suffix(1);
    addresses.push_back(address);
    at = end + 1;
  }
  return addresses;
}

}  // namespace

void Exchange::Begin(std::shared_ptr<const Snapshot> snapshot, const ListenerKey& listener,
                     const ClientIdentity& client, TimePoint now) {
  BeginWith(client, now);
  routed_.Begin(std::move(snapshot), listener);
}

void Exchange::BeginAtPool(std::shared_ptr<const Snapshot> snapshot, std::string_view pool_id,
                           const ClientIdentity& client, TimePoint now) {
  BeginWith(client, now);
  routed_.BeginAtPool(std::move(snapshot), pool_id);
}

void Exchange::BeginWith(const ClientIdentity& client, TimePoint now) {
  CHECK(!active_);
  active_ = true;
  asked_.head = nullptr;
  asked_.target = {};
  asked_.selection = {};
  asked_.request_id.clear();
  asked_.client_ip.assign(client.ip);
  asked_.tls = client.tls;
  asked_.server_name.assign(client.server_name);
  asked_.client_subject.assign(client.subject);
  asked_.began = now;
  traced_ = {};
  rejection_ = Rejection::kNone;
  detail_.clear();
  session_ = {};
  queued_.Reset();
  sticky_.Reset();
  released_.Reset();
  limit_ = {};
  tried_.Take();
  observed_.Take();
}

Step Exchange::Reject(Rejection rejection) {
  rejection_ = rejection;
  return {Step::Kind::kRespond, rejection};
}

Step Exchange::Reject(Refusal refusal) {
  detail_ = std::move(refusal.detail);
  return Reject(refusal.rejection);
}

void Exchange::OnRefusedHead() {
  asked_.request_id = RandomId(env_.random);
  BeginTrace(nullptr);
}

Step Exchange::OnRequestHead(const http::RequestHead& head) {
  asked_.head = &head;
  const http::HeaderField* id = head.headers.Find("x-request-id");
  const bool too_long = id != nullptr && id->value.size() > kRequestIdMax;
  if (too_long) env_.metrics.CountLimit("request_id_bytes");
  if (id != nullptr && !id->value.empty() && !too_long) {
    asked_.request_id.assign(id->value);
  } else {
    asked_.request_id = RandomId(env_.random);
  }
  BeginTrace(&head);
  if (!env_.selection_field.empty()) {
    const http::HeaderField* selection = head.headers.Find(env_.selection_field);
    if (selection != nullptr) asked_.selection = selection->value;
  }
  if (head.upgrade) return Reject(Rejection::kUpgradeRefused);
  std::optional<http::Target> target = http::ParseTarget(head.target);
  if (!target) return Reject(Rejection::kBadRequest);
  asked_.target = *target;
  parsed_.request.api = ClassifyApi(head.method, asked_.target.path);
  if (parsed_.request.api == ApiKind::kModels)
    parsed_.request.requested_model = ModelOfPath(asked_.target.path);
  const Step step = RouteByHead();
  return step.kind == Step::Kind::kReadBody ? ReadCodings() : step;
}

Decision Exchange::Choose(const Pool& pool, const Profile& profile, bool uses_prefix,
                          TimePoint now) {
  if (!SampleHome(pool, now)) TakeSample(pool, now);
  const LeftOuts left_out = env_.candidates.left_out();
  Decision decision = ChooseOfSample(profile, uses_prefix, now);
  decision.left_out = left_out;
  return decision;
}

Decision Exchange::ChooseOfSample(const Profile& profile, bool uses_prefix, TimePoint now) {
  if (uses_prefix && !parsed_.request.prefix_blocks.empty()) FillPrefixHits();
  if (!tried_->order.empty()) return ChooseInOrder(now);
  if (home_ != nullptr) {
    if (const Decision home = ChooseHome(); home.endpoint != nullptr) return home;
  }
  if (session_.given) {
    if (const Decision held = ChooseOfSession(now); held.endpoint != nullptr) return held;
  }
  return profile.Schedule(parsed_.request, &env_.candidates, env_.random, &env_.scratch,
                          {.now = now, .memory = routed_.pool()->memory.get()});
}

// Of what was not tried; where somebody else has decided, or the client as far as a test lets it,
// of theirs only, which are judged by themselves: if all of them are ejected one of them is asked,
// not none.
void Exchange::TakeSample(const Pool& pool, TimePoint now) {
  // Nobody picks among a Service's endpoints but its own load balancing.
  const bool selects = !asked_.selection.empty() && pool.kind == Pool::Kind::kInferencePool;
  if (tried_->order.empty() && !selects) {
    env_.TakeSample(pool, parsed_.request, now, {.excluded = tried_->slots});
    return;
  }
  const std::vector<std::string_view> addresses =
      tried_->order.empty()
          ? AddressesOf(asked_.selection)
          : std::vector<std::string_view>(tried_->order.begin(), tried_->order.end());
  const std::vector<uint32_t> slots = SlotsOf(pool, addresses);
  env_.TakeSample(pool, parsed_.request, now, {.excluded = tried_->slots, .only = slots});
}

// Of the sample. Where few are in use those that are not are sampled, too (pool/health.h).
// `last`: the last standing that is still meant.
bool Exchange::IsInUse(size_t row, TimePoint now, Standing last) const {
  const EndpointState& state = *env_.candidates.endpoints()[row]->state;
  const int32_t in_flight = env_.candidates.in_flight_requests()[row];
  return StandingOf(state, in_flight, now) <= last && !IsSilent(state);
}

// Somebody else has decided: the first of theirs that is in use, else the first that can be asked.
Decision Exchange::ChooseInOrder(TimePoint now) const {
  const auto endpoints = env_.candidates.endpoints();
  size_t chosen = endpoints.size();
  for (const std::string& address : tried_->order) {
    const auto found =
        std::find_if(endpoints.begin(), endpoints.end(),
                     [&](const Endpoint* candidate) { return candidate->address == address; });
    if (found == endpoints.end()) continue;
    const auto row = static_cast<size_t>(found - endpoints.begin());
    const bool in_use = IsInUse(row, now);
    if (in_use || chosen == endpoints.size()) chosen = row;
    if (in_use) break;
  }
  return chosen == endpoints.size() ? Decision() : DecisionFor(chosen);
}

// Of the sample, for another reason than a profile's.
Decision Exchange::DecisionFor(size_t row) const {
  Decision decision;
  decision.endpoint = env_.candidates.endpoints()[row];
  decision.prefix_hit_blocks = env_.candidates.prefix_hit_blocks()[row];
  decision.candidates = static_cast<uint32_t>(env_.candidates.size());
  decision.in_flight_requests = env_.candidates.in_flight_requests()[row];
  return decision;
}

Step Exchange::ScheduleTry(TimePoint now) {
  const bool fresh = tried_->count == 0;
  const TimePoint began = env_.clock.Now();
  if (env_.heard != nullptr) tried_->heard = env_.heard->At(now);
  const Step step = ScheduleInPool(now);
  tried_->deciding = tried_->deciding.value_or(Duration(0)) + (env_.clock.Now() - began);
  if (step.kind != Step::Kind::kRespond || routed_.Fallback() == nullptr) return step;
  return FallBack(fresh ? FallbackReason::kNoEndpoint : FallbackReason::kTriesFailed, now);
}

Step Exchange::ScheduleInPool(TimePoint now) {
  if (routed_.pool()->disaggregation != nullptr) return ScheduleDisaggregated(now);
  const bool understood = parsed_.request.api != ApiKind::kOther;
  return ScheduleWhole(routed_.pool()->pool,
                       understood ? *routed_.pool()->profile : *routed_.pool()->load_profile,
                       understood && routed_.pool()->uses_prefix, now);
}

Step Exchange::ScheduleWhole(const Pool& pool, const Profile& profile, bool uses_prefix,
                             TimePoint now) {
  tried_->decision = Choose(pool, profile, uses_prefix, now);
  if (tried_->decision.endpoint == nullptr) {
    return Reject(tried_->count == tried_->count_before_fallback ? Rejection::kNoEndpoint
                                                                 : tried_->failed.AsRejection());
  }
  DispatchWhole(now);
  return {Step::Kind::kForward, Rejection::kNone};
}

void Exchange::DispatchWhole(TimePoint now) {
  ++tried_->count;
  tried_->dispatched = now;
  TakeHold(tried_->decision, now, &tried_->hold);
  tried_->notes.Dispatch(tried_->decision, nullptr, now);
  NameTrySpans(/*with_prefill=*/false);
  tried_->slots.push_back(tried_->hold.state().slot);
  LearnPrefix(tried_->decision);
  CountDispatch(tried_->decision);
}

// `decision`: whose prefix cache is to be used.
void Exchange::CountDispatch(const Decision& decision) {
  if (observed_->series == nullptr) FindSeries(ExchangeMetrics::ModelName::kUnproven);
  observed_->series->in_flight.Add(1);
  observed_->series->prefix_blocks.Add(parsed_.request.prefix_blocks.size());
  observed_->series->prefix_hit_blocks.Add(decision.prefix_hit_blocks);
  EndpointState& state = *decision.endpoint->state;
  state.prefix_blocks.fetch_add(parsed_.request.prefix_blocks.size(), std::memory_order_relaxed);
  state.prefix_hit_blocks.fetch_add(decision.prefix_hit_blocks, std::memory_order_relaxed);
}

// `invented`: what is known of a name of the client's own choice.
void Exchange::FindSeries(ExchangeMetrics::ModelName invented) {
  const bool configured =
      !routed_.pool()->models.takes_any_name() || parsed_.request.requested_model.empty();
  std::shared_ptr<ExchangeSeries> series = env_.metrics.For(
      routed_.pool()->pool.id, parsed_.request.requested_model, parsed_.request.target_model,
      configured ? ExchangeMetrics::ModelName::kConfigured : invented);
  if (series == observed_->series) return;
  if (observed_->series != nullptr && tried_->hold.held()) {
    // The pool may have gone and come back: its gauge need not be the same.
    observed_->series->in_flight.Add(-1);
    series->in_flight.Add(1);
  }
  observed_->series = std::move(series);
}

void Exchange::ReleaseTry(TimePoint now) {
  if (tried_->hold.held()) observed_->series->in_flight.Add(-1);
  tried_->hold.Release(now);
  tried_->pair.hold.Release(now);
}

Step Exchange::OnResponseHead(const http::ResponseHead& head, TimePoint now) {
  if (IsPushback(head.status)) {
    const http::HeaderField* const field = head.headers.Find("retry-after");
    TakePushback(tried_->hold.state(), head.status,
                 field == nullptr ? std::string_view() : field->value, tried_->dispatched, now);
  }
  if (head.status >= 400 && retry_policy() != nullptr) {
    const Step step = RetryStatus(head.status, now);
    if (step.kind != Step::Kind::kContinue) return step;
  }
  if (tried_->pair.active && head.status >= 400) {
    const Step step = OnDecodeRefused(head.status, now);
    if (step.kind != Step::Kind::kContinue) return step;
  } else if (const Step step = TryElsewhere(head.status, now); step.kind != Step::Kind::kContinue) {
    return step;
  }
  observed_->status = head.status;
  tried_->notes.Responded(now);
  if (routed_.pool()->models.takes_any_name() && !RefusesName(head.status)) {
    FindSeries(ExchangeMetrics::ModelName::kInvented);
  }
  observed_->response.Begin(head, parsed_.request.api);
  if (asks_usage()) {
    // A "usage" of null stands in every chunk of a completion, asked for or not, and so it does at
    // other model servers than vLLM, if at all; in chats of older vLLM only because it was asked.
    observed_->response.FilterUsage(parsed_.request.api == ApiKind::kCompletions ||
                                    tried_->decision.endpoint->runtime != Runtime::kVllm);
  }
  tried_->pair.released = false;
  return {Step::Kind::kContinue, Rejection::kNone};
}

void Exchange::OnResponseBody(std::string_view bytes, TimePoint now) {
  observed_->response.Feed(bytes);
  if (parsed_.request.api == ApiKind::kResponses) LearnHome();
  if (!observed_->saw_first_byte) {
    if (!holds_response()) OnFirstByte(now);
  } else if (observed_->response.event_stream()) {
    observed_->series->inter_token.Observe(ToSeconds(now - observed_->last_byte));
  }
  observed_->last_byte = now;
  if (observed_->saw_first_byte && tried_->hold.held()) {
    tried_->hold.Generated(observed_->response.reader().output_events());
  }
}

void Exchange::FilterResponse(std::vector<std::string_view>* pieces, bool last) {
  const size_t too_long = observed_->response.Filter(pieces, last);
  for (size_t i = 0; i < too_long; ++i) env_.metrics.CountLimit("usage_event_bytes");
}

void Exchange::OnFirstByte(TimePoint now) {
  observed_->saw_first_byte = true;
  observed_->first_byte = now;
  SetStage(observed_->response.event_stream() ? Victims::Stage::kStreams : Victims::Stage::kFixed);
  tried_->hold.Answered(now - tried_->dispatched);
  tried_->hold.StartDecoding(static_cast<int64_t>(parsed_.request.prompt_tokens_estimate), now);
  LearnFirstToken(now);
  if (tried_->pair.active) OnKvCacheArrived(now);
  observed_->series->ttft.Observe(ToSeconds(now - asked_.began), ExemplarNow());
}

void Exchange::OnResponseEnd(TimePoint now) {
  observed_->response.Finish();
  if (!tried_->hold.held()) return;
  // A stream that begins with 200 and says in its first event that the engine is dead is the 500
  // that it would have been without streaming. An abort is the end of a server that is stopping.
  const bool stream = observed_->response.event_stream();
  const bool failed_in_stream = stream && observed_->response.reader().saw_error_event() &&
                                observed_->response.reader().output_events() == 0;
  if (stream && observed_->response.reader().saw_abort()) return;
  ChargeStatus(tried_->hold.state(),
               failed_in_stream && !tried_->pair.active ? 500 : observed_->status, now);
}

bool Exchange::OnStreamBroken(TimePoint now) {
  if (observed_->response.event_stream())
    observed_->response.Finish();  // the blank line behind [DONE] may be what is missing
  if (observed_->response.saw_last_event()) {
    OnResponseEnd(now);
    return true;
  }
  if (!tried_->hold.held()) return false;
  ChargeEndpoint(tried_->hold.state(), TryFailure::kReset, now);
  if (!tried_->pair.active) return false;
  tried_->pair.failed_half = "decode";
  env_.metrics.CountHalfFailure(routed_.pool()->pool.id, "decode", TryFailure::kReset);
  return false;
}

Outcome Exchange::OutcomeOfEnd() const {
  if (parsed_.request.api == ApiKind::kOther) return Outcome::kComplete;
  if (observed_->response.reader().saw_error_event()) return Outcome::kErrorEvent;
  if (observed_->response.reader().saw_abort()) return Outcome::kAborted;
  return Outcome::kComplete;
}

Outcome Exchange::OutcomeOfLeaving() const {
  return observed_->response.saw_last_event() ? OutcomeOfEnd() : Outcome::kClientLeft;
}

std::string Exchange::ErrorEventFor(Rejection rejection) const {
  // A coded stream cannot be gone on with in plain text.
  if (!observed_->response.plain_stream()) return "";
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorEvent(parsed_.request.api, info.status, info.code, info.text,
                    !observed_->response.at_event_boundary());
}

std::string Exchange::RejectionBody(Rejection rejection) const {
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorBody(DialectOf(parsed_.request.api, asked_.target.path), info.status, info.code,
                   rejection_text());
}

int Exchange::RetryAfterSeconds(Rejection rejection) const {
  if (rejection == Rejection::kQueueFull || rejection == Rejection::kQueueTimeout ||
      rejection == Rejection::kEvicted) {
    return queued_.retry_after_s;
  }
  if (rejection != Rejection::kRequestRate && rejection != Rejection::kTokenRate) {
    return InfoOf(rejection).retry_after_s;
  }
  const auto wait = std::chrono::ceil<std::chrono::seconds>(authorized_.retry_after());
  return static_cast<int>(std::min<int64_t>(wait.count(), INT32_MAX));
}

std::string_view Exchange::rejection_text() const {
  return detail_.empty() ? InfoOf(rejection_).text : detail_;
}

}  // namespace gw
