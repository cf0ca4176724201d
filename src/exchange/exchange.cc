#include "exchange/exchange.h"

#include <algorithm>

#include "base/check.h"
#include "flowcontrol/admission.h"
#include "inference/disaggregation.h"

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
  body_codings_.clear();
  usage_ask_.reset();
  rejection_ = Rejection::kNone;
  detail_.clear();
  decision_ = {};
  tried_slots_.clear();
  tries_ = 0;
  failed_ = {};
  notes_.Reset();
  pair_.Reset();
  response_.Drop();
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
  const Step step = RouteByHead();
  return step.kind == Step::Kind::kReadBody ? ReadCodings() : step;
}

Step Exchange::ReadCodings() {
  if (!reads_body()) return {Step::Kind::kReadBody, Rejection::kNone};
  http::ContentCodings codings = http::ReadContentEncoding(head_->headers);
  if (!codings.unknown.empty()) {
    detail_ = "Content-Encoding `" + codings.unknown + "` is not supported here; send one of ";
    detail_ += http::kContentCodings;
    return Reject(Rejection::kUnknownEncoding);
  }
  body_codings_ = std::move(codings.applied);
  return {Step::Kind::kReadBody, Rejection::kNone};
}

Step Exchange::Admit(TimePoint now) {
  const Criticality criticality = FindCriticality(*pool_, *head_, model_);
  const bool is_short = criticality != Criticality::kCritical && IsShort(criticality, now);
  const Step step = is_short ? Reject(Rejection::kSaturated) : ScheduleTry(now);
  env_.ForgetSamples();
  return step;
}

// In a pool with roles a request needs both, so the one that is short decides: the room of idle
// decode endpoints helps nobody whose prompt waits for prefill.
bool Exchange::IsShort(Criticality criticality, TimePoint now) {
  const auto has_room = [&](const Pool& pool) {
    const std::vector<EndpointView>& views = env_.SampleForDecision(pool, request_, now);
    return gw::Admit(criticality, views, pool_->saturation) == Admission::kAdmitted;
  };
  const Disaggregation* split = pool_->disaggregation.get();
  if (split == nullptr) return !has_room(pool_->pool);
  if (!CanDisaggregate(request_.api)) return !has_room(split->whole);
  if (!has_room(split->decode)) return true;
  bool any_prefill = false;
  for (const auto& [runtime, pool] : split->prefill) {
    if (pool.endpoints.empty()) continue;
    any_prefill = true;
    if (has_room(pool)) return false;
  }
  return any_prefill;
}

Decision Exchange::Choose(const Pool& pool, const Profile& profile, bool uses_prefix,
                          TimePoint now) {
  env_.TakeSample(pool, request_, now, tried_slots_);
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
    return Reject(tries_ == 0 ? Rejection::kNoEndpoint : failed_.AsRejection());
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
  LearnPrefix(decision_, decision_.prefix_hit_blocks);
  CountDispatch(decision_);
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
  response_.Begin(head, request_.api);
  if (asks_usage()) {
    // A "usage" of null stands in every chunk of a completion, asked for or not, and so it does at
    // other model servers than vLLM, if at all; in chats of older vLLM only because it was asked.
    response_.FilterUsage(request_.api == ApiKind::kCompletions ||
                          decision_.endpoint->runtime != Runtime::kVllm);
  }
  pair_.released = false;
  return {Step::Kind::kContinue, Rejection::kNone};
}

void Exchange::OnResponseBody(std::string_view bytes, TimePoint now) {
  response_.Feed(bytes);
  if (!saw_first_byte_) {
    if (!holds_response()) OnFirstByte(now);
  } else if (response_.event_stream()) {
    series_->inter_token.Observe(ToSeconds(now - last_byte_));
  }
  last_byte_ = now;
}

void Exchange::FilterResponse(std::vector<std::string_view>* pieces, bool last) {
  const size_t too_long = response_.Filter(pieces, last);
  for (size_t i = 0; i < too_long; ++i) env_.metrics.CountLimit("usage_event_bytes");
}

void Exchange::OnFirstByte(TimePoint now) {
  saw_first_byte_ = true;
  first_byte_ = now;
  hold_.Answered(now - dispatched_);
  hold_.StartDecoding(static_cast<int64_t>(request_.prompt_tokens_estimate));
  if (pair_.active) OnKvCacheArrived(now);
  series_->ttft.Observe(ToSeconds(now - began_));
}

void Exchange::OnResponseEnd(TimePoint now) {
  response_.Finish();
  if (!hold_.state) return;
  // A stream that begins with 200 and says in its first event that the engine is dead is the 500
  // that it would have been without streaming. An abort is the end of a server that is stopping.
  const bool stream = response_.event_stream();
  const bool failed_in_stream =
      stream && response_.reader().saw_error_event() && response_.reader().output_events() == 0;
  if (stream && response_.reader().saw_abort()) return;
  ChargeStatus(*hold_.state, failed_in_stream && !pair_.active ? 500 : upstream_status_, now);
}

bool Exchange::OnStreamBroken(TimePoint now) {
  if (response_.event_stream())
    response_.Finish();  // the blank line behind [DONE] may be what is missing
  if (response_.saw_last_event()) {
    OnResponseEnd(now);
    return true;
  }
  if (!hold_.state) return false;
  ChargeEndpoint(*hold_.state, TryFailure::kReset, now);
  if (!pair_.active) return false;
  pair_.failed_half = "decode";
  env_.metrics.CountHalfFailure(pool_->pool.id, "decode", TryFailure::kReset);
  return false;
}

Outcome Exchange::OutcomeOfEnd() const {
  if (request_.api == ApiKind::kOther) return Outcome::kComplete;
  if (response_.reader().saw_error_event()) return Outcome::kErrorEvent;
  if (response_.reader().saw_abort()) return Outcome::kAborted;
  return Outcome::kComplete;
}

Outcome Exchange::OutcomeOfLeaving() const {
  return response_.saw_last_event() ? OutcomeOfEnd() : Outcome::kClientLeft;
}

std::string Exchange::ErrorEventFor(Rejection rejection) const {
  // A coded stream cannot be gone on with in plain text.
  if (!response_.plain_stream()) return "";
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorEvent(request_.api, info.status, info.code, info.text,
                    !response_.at_event_boundary());
}

std::string Exchange::RejectionBody(Rejection rejection) const {
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorBody(DialectOf(request_.api, target_.path), info.status, info.code, rejection_text());
}

std::string_view Exchange::rejection_text() const {
  return detail_.empty() ? InfoOf(rejection_).text : detail_;
}

}  // namespace gw
