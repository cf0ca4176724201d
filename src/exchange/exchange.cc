#include "exchange/exchange.h"

#include <algorithm>

#include "base/check.h"
#include "flowcontrol/admission.h"
#include "pool/health.h"

namespace gw {
namespace {

constexpr size_t kRequestIdMax = 128;

// 32 hexadecimal digits.
std::string NewRequestId(Random& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id(32, '0');
  for (int half = 0; half < 2; ++half) {
    uint64_t word = random.Next();
    for (int i = 0; i < 16; ++i, word >>= 4) id[half * 16 + i] = kHex[word & 15];
  }
  return id;
}

// Whose error shape the client knows: "/v1/messages/count_tokens" is Anthropic's, too.
ApiKind DialectOf(ApiKind api, std::string_view path) {
  const bool anthropic = path.find("/v1/messages") != std::string_view::npos;
  return api == ApiKind::kOther && anthropic ? ApiKind::kMessages : api;
}

// An answer that does not show that there is such a model: a name that it is about must not use up
// the metrics' labels.
bool RefusesName(int status) { return status == 401 || status == 403 || status == 404; }

// The objective that the client names decides, else the InferenceModel.
Criticality FindCriticality(const PoolEntry& pool, const http::RequestHead& head,
                            const ModelBinding* model) {
  for (std::string_view field : {"x-llm-d-inference-objective", "x-gateway-inference-objective"}) {
    if (pool.priorities.empty()) break;
    const http::HeaderField* named = head.headers.Find(field);
    if (named == nullptr) continue;
    const auto priority = pool.priorities.find(named->value);
    if (priority != pool.priorities.end()) return CriticalityOf(priority->second);
  }
  return model == nullptr ? Criticality::kCritical : model->criticality;
}

}  // namespace

void Exchange::Begin(std::shared_ptr<const Snapshot> snapshot, uint16_t port,
                     std::string_view client_ip, TimePoint now) {
  CHECK(!active_);
  active_ = true;
  snapshot_ = std::move(snapshot);
  port_ = port;
  client_ip_.assign(client_ip);
  began_ = now;
  head_ = nullptr;
  target_ = {};
  request_id_.clear();
  routes_ = nullptr;
  rule_ = nullptr;
  model_rules_.clear();
  pool_ = nullptr;
  body_outcome_.reset();
  names_model_field_ = false;
  model_ = nullptr;
  request_.api = ApiKind::kOther;
  request_.requested_model.clear();
  request_.target_model.clear();
  request_.model_value = {};
  request_.stream = false;
  request_.prompts = 1;
  request_.samples = 1;
  request_.prompt_chars = 0;
  request_.prompt_tokens_estimate = 0;
  request_.cache_salt.clear();
  request_.prefix_blocks.clear();
  body_ = {};
  edit_.Begin({});
  rejection_ = Rejection::kNone;
  detail_.clear();
  decision_ = {};
  tried_slots_.clear();
  tries_ = 0;
  stale_tries_ = 0;
  notes_.Reset();
  pair_.Reset();
  event_stream_ = false;
  content_coded_ = false;
  upstream_status_ = 0;
  saw_first_byte_ = false;
  series_ = nullptr;
}

Step Exchange::Reject(Rejection rejection) {
  rejection_ = rejection;
  return {Step::Kind::kRespond, rejection};
}

void Exchange::OnRefusedHead() { request_id_ = NewRequestId(env_.random); }

Step Exchange::OnRequestHead(const http::RequestHead& head) {
  head_ = &head;
  const http::HeaderField* id = head.headers.Find("x-request-id");
  const bool too_long = id != nullptr && id->value.size() > kRequestIdMax;
  if (too_long) env_.metrics.CountLimit("request_id_bytes");
  if (id != nullptr && !id->value.empty() && !too_long) {
    request_id_.assign(id->value);
  } else {
    request_id_ = NewRequestId(env_.random);
  }
  if (head.upgrade) return Reject(Rejection::kUpgradeRefused);
  std::optional<http::Target> target = http::ParseTarget(head.target);
  if (!target) return Reject(Rejection::kBadRequest);
  target_ = *target;
  request_.api = ClassifyApi(head.method, target_.path);
  if (request_.api == ApiKind::kModels) request_.requested_model = ModelOfPath(target_.path);
  return RouteByHead();
}

Step Exchange::Admit(TimePoint now) {
  const Criticality criticality = FindCriticality(*pool_, *head_, model_);
  if (criticality != Criticality::kCritical) {
    SampleEndpoints(pool_->pool, request_, now, {}, &env_.views);
    if (gw::Admit(criticality, env_.views, pool_->saturation) != Admission::kAdmitted) {
      return Reject(Rejection::kSaturated);
    }
  }
  return ScheduleTry(now);
}

void Exchange::FillPrefixHits() {
  env_.slots.clear();
  for (const EndpointView& view : env_.views) env_.slots.push_back(view.slot);
  env_.hits.assign(env_.slots.size(), 0);
  env_.index.Match(request_.prefix_blocks, env_.slots, env_.hits);
  for (size_t i = 0; i < env_.views.size(); ++i) {
    env_.views[i].prefix_hit_blocks = env_.hits[i];
    env_.views[i].prefix_hit_tokens = static_cast<uint32_t>(pool_->prefix.TokensOf(env_.hits[i]));
  }
}

Decision Exchange::Choose(const Pool& pool, const Profile& profile, bool uses_prefix,
                          TimePoint now) {
  SampleEndpoints(pool, request_, now, tried_slots_, &env_.views);
  if (uses_prefix && !request_.prefix_blocks.empty()) FillPrefixHits();
  return profile.Schedule(request_, &env_.views, env_.random, &env_.scratch);
}

Step Exchange::ScheduleTry(TimePoint now) {
  if (pool_->disaggregation != nullptr) return ScheduleDisaggregated(now);
  const bool understood = request_.api != ApiKind::kOther;
  return ScheduleWhole(pool_->pool, understood ? *pool_->profile : *pool_->load_profile,
                       understood && pool_->uses_prefix, now);
}

Step Exchange::ScheduleWhole(const Pool& pool, const Profile& profile, bool uses_prefix,
                             TimePoint now) {
  decision_ = Choose(pool, profile, uses_prefix, now);
  if (decision_.endpoint == nullptr) {
    return Reject(tries_ == 0 ? Rejection::kNoEndpoint : Rejection::kConnectFailed);
  }
  DispatchWhole(now);
  return {Step::Kind::kForward, Rejection::kNone};
}

void Exchange::DispatchWhole(TimePoint now) {
  ++tries_;
  dispatched_ = now;
  hold_.Take(*decision_.endpoint, UncachedTokens(decision_));
  notes_.Dispatch(decision_, nullptr, now);
  tried_slots_.push_back(hold_.state->slot);
  LearnPrefix(decision_);
  CountDispatch(decision_);
}

// The endpoint is going to have the prompt's blocks.
void Exchange::LearnPrefix(const Decision& decision) {
  if (request_.prefix_blocks.empty()) return;
  env_.index.Insert(request_.prefix_blocks, decision.endpoint->state->slot,
                    decision.prefix_hit_blocks);
}

// `decision`: whose prefix cache is to be used.
void Exchange::CountDispatch(const Decision& decision) {
  if (series_ == nullptr) FindSeries(ExchangeMetrics::ModelName::kUnproven);
  series_->in_flight.Add(1);
  series_->prefix_blocks.Add(request_.prefix_blocks.size());
  series_->prefix_hit_blocks.Add(decision.prefix_hit_blocks);
}

// `invented`: what is known of a name of the client's own choice.
void Exchange::FindSeries(ExchangeMetrics::ModelName invented) {
  const bool configured = !pool_->models.takes_any_name() || request_.requested_model.empty();
  std::shared_ptr<ExchangeSeries> series =
      env_.metrics.For(pool_->pool.id, request_.requested_model, request_.target_model,
                       configured ? ExchangeMetrics::ModelName::kConfigured : invented);
  if (series == series_) return;
  if (series_ != nullptr && hold_.state != nullptr) {
    // The pool may have gone and come back: its gauge need not be the same.
    series_->in_flight.Add(-1);
    series->in_flight.Add(1);
  }
  series_ = std::move(series);
}

void Exchange::ReleaseTry() {
  if (hold_.state) series_->in_flight.Add(-1);
  hold_.Release();
  pair_.hold.Release();
}

void Exchange::ChargeEndpoint(EndpointState& state, TryFailure failure, TimePoint now) {
  bool ejected = false;
  switch (failure) {
    case TryFailure::kConnectRefused:
      ejected = RecordFailure(state, now, EndpointFailure::kConnectRefused);
      // Nobody is there, so what it held is gone, and what was claimed for this try never came.
      env_.index.RemoveEndpoint(state.slot);
      break;
    case TryFailure::kConnectTimeout:
    case TryFailure::kReset:
      ejected = RecordFailure(state, now);
      break;
    case TryFailure::kStaleConnection:   // it closed an idle connection, as it may
    case TryFailure::kBadResponse:       // says something about this request, not the endpoint
    case TryFailure::kErrorStatus:       // the same, or back-pressure
    case TryFailure::kResponseTimeout:   // a long prompt in a long queue looks the same
    case TryFailure::kBootstrapTimeout:  // and so it does between two endpoints
    case TryFailure::kLocalResources:    // ours, not its
      break;
  }
  if (ejected) env_.metrics.CountEjection(pool_->pool.id);
}

Step Exchange::OnTryFailed(TryFailure failure, TimePoint now) {
  CHECK(hold_.state != nullptr);
  notes_.Fail(NameOf(failure), now);
  if (failure == TryFailure::kConnectTimeout) notes_.Limit("connect_timeout");
  if (failure == TryFailure::kResponseTimeout) notes_.Limit("response_headers_timeout");
  if (pair_.active) return OnHalfFailed(Half::kDecode, failure, now);
  if (failure == TryFailure::kStaleConnection && stale_tries_ < kStaleTriesMax) {
    // It is most likely there: asked again at once, over a fresh connection.
    ++stale_tries_;
    ++tries_;
    notes_.Again(now);
    env_.metrics.CountRetry(pool_->pool.id, failure);
    return {Step::Kind::kForward, Rejection::kNone};
  }
  ChargeEndpoint(*hold_.state, failure, now);
  ReleaseTry();
  upstream_status_ = 0;
  event_stream_ = false;
  if (failure == TryFailure::kResponseTimeout) return Reject(Rejection::kTimeout);
  if (failure == TryFailure::kBadResponse) return Reject(Rejection::kBadResponse);
  if (failure == TryFailure::kLocalResources) return Reject(Rejection::kLocalResources);
  if (tries_ - stale_tries_ > kRetriesMax) return Reject(Rejection::kConnectFailed);
  env_.metrics.CountRetry(pool_->pool.id, failure);
  return ScheduleTry(now);
}

Step Exchange::OnResponseHead(const http::ResponseHead& head, TimePoint now) {
  if (pair_.active && head.status >= 400) {
    const Step step = OnDecodeRefused(head.status, now);
    if (step.kind != Step::Kind::kContinue) return step;
  }
  upstream_status_ = head.status;
  notes_.Responded(now);
  if (pool_->models.takes_any_name() && !RefusesName(head.status)) {
    FindSeries(ExchangeMetrics::ModelName::kInvented);
  }
  const http::HeaderField* type = head.headers.Find("content-type");
  event_stream_ = type != nullptr && type->value.size() >= 17 &&
                  http::EqualsIgnoreCase(type->value.substr(0, 17), "text/event-stream");
  const http::HeaderField* coding = head.headers.Find("content-encoding");
  content_coded_ = coding != nullptr && !http::EqualsIgnoreCase(coding->value, "identity");
  reader_.Reset(request_.api, event_stream_);
  pair_.released = false;
  return {Step::Kind::kContinue, Rejection::kNone};
}

void Exchange::OnResponseBody(std::string_view bytes, TimePoint now) {
  if (request_.api != ApiKind::kOther) reader_.Feed(bytes);
  if (!saw_first_byte_) {
    if (!holds_response()) OnFirstByte(now);
  } else if (event_stream_) {
    series_->inter_token.Observe(ToSeconds(now - last_byte_));
  }
  last_byte_ = now;
}

void Exchange::OnFirstByte(TimePoint now) {
  saw_first_byte_ = true;
  first_byte_ = now;
  RecordSuccess(*hold_.state);
  hold_.Answered(now - dispatched_);
  hold_.StartDecoding(static_cast<int64_t>(request_.prompt_tokens_estimate));
  if (pair_.active) OnKvCacheArrived(now);
  series_->ttft.Observe(ToSeconds(now - began_));
}

void Exchange::OnResponseEnd() {
  if (hold_.state) RecordSuccess(*hold_.state);
  if (request_.api != ApiKind::kOther && upstream_status_ != 0) reader_.Finish();
}

void Exchange::OnStreamBroken(TimePoint now) {
  if (!hold_.state) return;
  if (RecordFailure(*hold_.state, now)) env_.metrics.CountEjection(pool_->pool.id);
  if (!pair_.active) return;
  pair_.failed_half = "decode";
  env_.metrics.CountHalfFailure(pool_->pool.id, "decode", TryFailure::kReset);
}

Outcome Exchange::OutcomeOfEnd() const {
  if (request_.api == ApiKind::kOther) return Outcome::kComplete;
  if (reader_.saw_error_event()) return Outcome::kErrorEvent;
  if (reader_.saw_abort()) return Outcome::kAborted;
  return Outcome::kComplete;
}

Outcome Exchange::OutcomeOfLeaving() const {
  return event_stream_ && reader_.saw_done() ? OutcomeOfEnd() : Outcome::kClientLeft;
}

std::string Exchange::ErrorEventFor(Rejection rejection) const {
  // A coded stream cannot be gone on with in plain text.
  if (!event_stream_ || content_coded_) return "";
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorEvent(request_.api, info.status, info.code, info.text, !reader_.at_event_boundary());
}

bool Exchange::may_try_again() const {
  if (pair_.active || pool_ == nullptr) return true;
  if (tries_ - stale_tries_ > kRetriesMax) return false;
  return tried_slots_.size() < pool_->pool.endpoints.size();
}

std::string Exchange::RejectionBody(Rejection rejection) const {
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorBody(DialectOf(request_.api, target_.path), info.status, info.code, rejection_text());
}

std::string_view Exchange::rejection_text() const {
  return detail_.empty() ? InfoOf(rejection_).text : detail_;
}

}  // namespace gw
