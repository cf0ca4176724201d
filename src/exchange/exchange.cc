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
  rule_ = nullptr;
  pool_ = nullptr;
  request_.api = ApiKind::kOther;
  request_.requested_model.clear();
  request_.target_model.clear();
  request_.model_value = {};
  request_.stream = false;
  request_.prompt_chars = 0;
  request_.prompt_tokens_estimate = 0;
  request_.cache_salt.clear();
  request_.prefix_blocks.clear();
  body_ = {};
  splice_ = {};
  rejection_ = Rejection::kNone;
  detail_.clear();
  decision_ = {};
  tried_slots_.clear();
  tries_ = 0;
  event_stream_ = false;
  upstream_status_ = 0;
  saw_first_byte_ = false;
  series_ = nullptr;
}

Step Exchange::Reject(Rejection rejection) {
  rejection_ = rejection;
  return {Step::Kind::kRespond, rejection};
}

Step Exchange::OnRequestHead(const http::RequestHead& head) {
  head_ = &head;
  const http::HeaderField* id = head.headers.Find("x-request-id");
  if (id != nullptr && !id->value.empty() && id->value.size() <= kRequestIdMax) {
    request_id_.assign(id->value);
  } else {
    request_id_ = NewRequestId(env_.random);
  }
  if (head.upgrade) return Reject(Rejection::kUpgradeRefused);
  std::optional<http::Target> target = http::ParseTarget(head.target);
  if (!target) return Reject(Rejection::kBadRequest);
  target_ = *target;
  request_.api = ClassifyApi(head.method, target_.path);
  return RouteToPool();
}

Step Exchange::RouteToPool() {
  const ListenerEntry* listener = snapshot_ ? snapshot_->FindListener(port_) : nullptr;
  if (listener == nullptr || !listener->routes) return Reject(Rejection::kShuttingDown);
  rule_ = listener->routes->Match(http::HostWithoutPort(head_->authority), target_.path,
                                  target_.query, *head_);
  if (rule_ == nullptr) return Reject(Rejection::kNoRoute);
  if (!rule_->unsupported.empty()) {
    detail_ = rule_->unsupported;
    return Reject(Rejection::kRuleUnsupported);
  }
  const Destination* destination = rule_->Choose(env_.random);
  if (destination == nullptr || destination->kind == Destination::Kind::kInvalid) {
    return Reject(Rejection::kNoValidDestination);
  }
  CHECK(destination->pool < snapshot_->pools.size());
  pool_ = snapshot_->pools[destination->pool].get();
  if (!pool_->unservable.empty()) {
    detail_ = pool_->unservable;
    return Reject(Rejection::kPoolUnservable);
  }
  if (pool_->pool.kind == Pool::Kind::kService) request_.api = ApiKind::kOther;
  return {Step::Kind::kReadBody, Rejection::kNone};
}

Step Exchange::OnRequestBody(std::string_view body, TimePoint now) {
  body_ = body;
  splice_ = {body, "", ""};
  if (request_.api == ApiKind::kModels) return {Step::Kind::kListModels, Rejection::kNone};
  if (request_.api != ApiKind::kOther) {
    Step step = ParseBody();
    if (step.kind == Step::Kind::kRespond) return step;
  }
  return Admit(now);
}

Step Exchange::ParseBody() {
  const size_t prompt_chars_max =
      pool_->uses_prefix ? pool_->prefix.block_chars * pool_->prefix.blocks_max : 0;
  const ParseOutcome outcome = env_.parser.Parse(body_, prompt_chars_max, &request_);
  if (outcome != ParseOutcome::kOk) {
    detail_ = MessageOf(outcome);
    if (outcome == ParseOutcome::kBadField) {
      detail_ += ": ";
      detail_ += env_.parser.detail();
    }
    return Reject(Rejection::kMalformedBody);
  }
  request_.target_model = request_.requested_model;
  if (!pool_->models.takes_any_name()) {
    const ModelBinding* binding = pool_->models.Find(request_.requested_model);
    if (binding == nullptr) {
      detail_ = "The model `" + request_.requested_model + "` does not exist.";
      return Reject(Rejection::kUnknownModel);
    }
    request_.target_model = binding->Choose(env_.random);
    if (request_.target_model != request_.requested_model) splice_ = SpliceModel(body_, request_);
  }
  if (pool_->uses_prefix) {
    HashBlocks(env_.parser.prompt(), PrefixSeed(request_.target_model, request_.cache_salt),
               pool_->prefix, &request_.prefix_blocks);
  }
  return {Step::Kind::kForward, Rejection::kNone};
}

Step Exchange::Admit(TimePoint now) {
  Criticality criticality = Criticality::kCritical;
  if (request_.api != ApiKind::kOther && !pool_->models.takes_any_name()) {
    const ModelBinding* binding = pool_->models.Find(request_.requested_model);
    if (binding != nullptr) criticality = binding->criticality;
  }
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
  for (size_t i = 0; i < env_.views.size(); ++i) env_.views[i].prefix_hit_blocks = env_.hits[i];
}

Step Exchange::ScheduleTry(TimePoint now) {
  SampleEndpoints(pool_->pool, request_, now, tried_slots_, &env_.views);
  if (env_.views.empty()) {
    return Reject(tries_ == 0 ? Rejection::kNoEndpoint : Rejection::kConnectFailed);
  }
  const bool understood = request_.api != ApiKind::kOther;
  if (understood && pool_->uses_prefix && !request_.prefix_blocks.empty()) FillPrefixHits();
  const Profile& profile = understood ? *pool_->profile : *pool_->load_profile;
  decision_ = profile.Schedule(request_, &env_.views, env_.random, &env_.scratch);
  if (decision_.endpoint == nullptr) return Reject(Rejection::kNoEndpoint);
  Dispatch(now);
  return {Step::Kind::kForward, Rejection::kNone};
}

void Exchange::Dispatch(TimePoint now) {
  ++tries_;
  dispatched_ = now;
  held_ = decision_.endpoint->state;
  tried_slots_.push_back(held_->slot);
  const size_t blocks = request_.prefix_blocks.size();
  const int64_t tokens = static_cast<int64_t>(request_.prompt_tokens_estimate);
  // The leading blocks believed to be cached there need no prefill.
  const int64_t hit_tokens =
      blocks == 0 ? 0
                  : std::min<int64_t>(tokens, static_cast<int64_t>(decision_.prefix_hit_blocks *
                                                                   pool_->prefix.block_chars / 4));
  held_prompt_tokens_ = tokens - hit_tokens;
  held_context_tokens_ = 0;
  held_->in_flight_requests.fetch_add(1, std::memory_order_relaxed);
  held_->pending_prompt_tokens.fetch_add(held_prompt_tokens_, std::memory_order_relaxed);
  if (blocks != 0) env_.index.Insert(request_.prefix_blocks, held_->slot);
  if (series_ == nullptr) series_ = &env_.metrics.For(pool_->pool.id, request_.requested_model);
  series_->in_flight.Add(1);
  series_->prefix_blocks.Add(blocks);
  series_->prefix_hit_blocks.Add(decision_.prefix_hit_blocks);
}

void Exchange::ReleaseTry() {
  if (!held_) return;
  held_->in_flight_requests.fetch_sub(1, std::memory_order_relaxed);
  held_->pending_prompt_tokens.fetch_sub(held_prompt_tokens_, std::memory_order_relaxed);
  held_->decoding_context_tokens.fetch_sub(held_context_tokens_, std::memory_order_relaxed);
  series_->in_flight.Add(-1);
  held_.reset();
}

void Exchange::ChargeEndpoint(TryFailure failure, TimePoint now) {
  bool ejected = false;
  switch (failure) {
    case TryFailure::kConnectRefused:
      ejected = RecordFailure(*held_, now, EndpointFailure::kConnectRefused);
      break;
    case TryFailure::kConnectTimeout:
    case TryFailure::kReset:
      ejected = RecordFailure(*held_, now);
      break;
    case TryFailure::kStaleConnection:  // it closed an idle connection, as it may
    case TryFailure::kBadResponse:      // says something about this request, not the endpoint
    case TryFailure::kResponseTimeout:  // a long prompt in a long queue looks the same
      break;
  }
  if (ejected) env_.metrics.CountEjection(pool_->pool.id);
}

Step Exchange::OnTryFailed(TryFailure failure, TimePoint now) {
  CHECK(held_ != nullptr);
  ChargeEndpoint(failure, now);
  ReleaseTry();
  upstream_status_ = 0;
  event_stream_ = false;
  if (failure == TryFailure::kResponseTimeout) return Reject(Rejection::kTimeout);
  if (failure == TryFailure::kBadResponse) return Reject(Rejection::kBadResponse);
  if (tries_ > kRetriesMax) return Reject(Rejection::kConnectFailed);
  // The only endpoint of a pool is worth a fresh connection.
  if (failure == TryFailure::kStaleConnection && pool_->pool.endpoints.size() == 1) {
    tried_slots_.clear();
  }
  env_.metrics.CountRetry(pool_->pool.id, failure);
  return ScheduleTry(now);
}

void Exchange::OnResponseHead(const http::ResponseHead& head) {
  upstream_status_ = head.status;
  const http::HeaderField* type = head.headers.Find("content-type");
  event_stream_ = type != nullptr && type->value.size() >= 17 &&
                  http::EqualsIgnoreCase(type->value.substr(0, 17), "text/event-stream");
  reader_.Reset(request_.api, event_stream_);
}

void Exchange::OnResponseBody(std::string_view bytes, TimePoint now) {
  if (!saw_first_byte_) {
    saw_first_byte_ = true;
    first_byte_ = now;
    RecordSuccess(*held_);
    held_->pending_prompt_tokens.fetch_sub(held_prompt_tokens_, std::memory_order_relaxed);
    held_prompt_tokens_ = 0;
    held_context_tokens_ = static_cast<int64_t>(request_.prompt_tokens_estimate);
    held_->decoding_context_tokens.fetch_add(held_context_tokens_, std::memory_order_relaxed);
    series_->ttft.Observe(ToSeconds(now - began_));
  } else if (event_stream_) {
    series_->inter_token.Observe(ToSeconds(now - last_byte_));
  }
  last_byte_ = now;
  if (request_.api != ApiKind::kOther) reader_.Feed(bytes);
}

void Exchange::OnResponseEnd() {
  if (held_) RecordSuccess(*held_);
  if (request_.api != ApiKind::kOther && upstream_status_ != 0) reader_.Finish();
}

void Exchange::OnStreamBroken(TimePoint now) {
  if (held_ && RecordFailure(*held_, now)) env_.metrics.CountEjection(pool_->pool.id);
}

Outcome Exchange::OutcomeOfEnd() const {
  if (request_.api == ApiKind::kOther) return Outcome::kComplete;
  if (reader_.saw_error_event()) return Outcome::kErrorEvent;
  if (reader_.saw_abort()) return Outcome::kAborted;
  return Outcome::kComplete;
}

std::string Exchange::ErrorEventFor(Rejection rejection) const {
  if (!event_stream_) return "";
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorEvent(request_.api, info.status, info.code, info.text, !reader_.at_event_boundary());
}

std::string Exchange::RejectionBody(Rejection rejection) const {
  const RejectionInfo& info = InfoOf(rejection);
  return ErrorBody(request_.api, info.status, info.code, detail_.empty() ? info.text : detail_);
}

}  // namespace gw
