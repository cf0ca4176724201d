#include "exchange/mirrored.h"

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/tries.h"
#include "pool/health.h"
#include "pool/pushback.h"

namespace gw {

std::string_view NameOf(MirrorResult result) {
  switch (result) {
    case MirrorResult::kAnswered:
      return "answered";
    case MirrorResult::kFailed:
      return "failed";
    case MirrorResult::kTimeout:
      return "timeout";
    case MirrorResult::kCut:
      return "cut";
    case MirrorResult::kStopped:
      return "stopped";
    case MirrorResult::kTooMany:
      return "too_many";
    case MirrorResult::kTooLarge:
      return "too_large";
    case MirrorResult::kNoEndpoint:
      return "no_endpoint";
    case MirrorResult::kUnreadable:
      return "unreadable";
    case MirrorResult::kNoModel:
      return "no_model";
  }
  return "unknown";
}

// As an Exchange would have it read that had come to the pool.
MirrorResult Mirrored::Read(const PoolEntry& pool, const Asked& asked, bool coded,
                            std::string_view body) {
  parsed_.Reset();
  parsed_.bytes = body;
  parsed_.Splice(&body_);
  if (pool.pool.kind == Pool::Kind::kService) return MirrorResult::kAnswered;
  parsed_.request.api = ClassifyApi(asked.head->method, asked.target.path);
  if (parsed_.request.api == ApiKind::kModels) parsed_.request.api = ApiKind::kOther;
  const bool needs_model = !pool.models.takes_any_name() || !pool.rewrites.empty();
  if (parsed_.request.api == ApiKind::kOther && (!needs_model || body.empty())) {
    return MirrorResult::kAnswered;
  }
  if (coded) return MirrorResult::kUnreadable;
  parsed_.Read(asked, 0, &env_.parser);
  env_.parser.DropPrompt();
  if (*parsed_.outcome != ParseOutcome::kOk) return MirrorResult::kUnreadable;
  if (!parsed_.MapModel(pool, std::nullopt, env_.random)) return MirrorResult::kNoModel;
  parsed_.Splice(&body_);
  return MirrorResult::kAnswered;
}

MirrorResult Mirrored::Begin(const PoolEntry& pool, const Asked& asked, bool coded,
                             std::string_view body, TimePoint now) {
  if (!pool.unservable.empty()) return MirrorResult::kNoEndpoint;
  const MirrorResult read = Read(pool, asked, coded, body);
  if (read != MirrorResult::kAnswered) return read;
  // A copy is not split: where requests are, those endpoints get it that do both halves.
  const Pool& from = pool.disaggregation != nullptr ? pool.disaggregation->whole : pool.pool;
  env_.TakeSample(from, parsed_.request, now, {});
  const Decision decision =
      pool.load_profile->Schedule(parsed_.request, &env_.candidates, env_.random, &env_.scratch);
  if (decision.endpoint == nullptr) return MirrorResult::kNoEndpoint;
  address_ = decision.endpoint->address;
  access_ = pool.pool.access;
  pool_id_ = pool.pool.id;
  takes_pushback_ = pool.pool.kind != Pool::Kind::kService;
  dispatched_ = now;
  const auto tokens = static_cast<int64_t>(parsed_.request.prompt_tokens_estimate);
  hold_.Take(*decision.endpoint, {.uncached_tokens = tokens, .tokens = tokens}, now);
  return MirrorResult::kAnswered;
}

void Mirrored::OnFirstByte(TimePoint now) {
  hold_.Answered(now - dispatched_);
  hold_.StartDecoding(static_cast<int64_t>(parsed_.request.prompt_tokens_estimate), now);
}

void Mirrored::OnAnswered(TimePoint now) {
  if (takes_pushback_ && IsPushback(status_)) {
    RecordPushback(hold_.state(), now, dispatched_, std::nullopt);
    if (status_ == 503) DoubtHealth(hold_.state());
    env_.metrics.CountPushback(pool_id_);
    return;
  }
  if (RecordStatus(hold_.state(), status_, now, dispatched_)) env_.metrics.CountEjection(pool_id_);
}

void Mirrored::OnFailed(TryFailure failure, TimePoint now) {
  const EndpointFailure charge = ChargeOf(failure);
  if (charge == EndpointFailure::kNone) return;
  if (RecordFailure(hold_.state(), now, charge)) env_.metrics.CountEjection(pool_id_);
}

}  // namespace gw
