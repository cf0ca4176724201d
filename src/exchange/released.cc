// What a request leaves at the releases whose versions served it.

#include "exchange/released.h"

#include <algorithm>

#include "exchange/exchange.h"

namespace gw {
namespace {

// That the pool could not serve it; of limits that is so unless they are the route's. What is the
// gateway's own fault, or the client's, says nothing of a version.
bool IsOfVersion(Rejection rejection) {
  switch (rejection) {
    case Rejection::kSaturated:
    case Rejection::kMaxRequests:
    case Rejection::kMaxWaiting:
    case Rejection::kQueueFull:
    case Rejection::kQueueTimeout:
    case Rejection::kPoolUnservable:
    case Rejection::kNoEndpoint:
    case Rejection::kUnreachable:
    case Rejection::kConnectFailed:
    case Rejection::kBadResponse:
    case Rejection::kTlsFailed:
    case Rejection::kTimeout:
    case Rejection::kBootstrapTimeout:
    case Rejection::kNotDisaggregated:
      return true;
    default:
      return false;
  }
}

std::optional<release::Finish> FinishOf(FinishReason reason) {
  switch (reason) {
    case FinishReason::kUnknown:
      return std::nullopt;
    case FinishReason::kStop:
      return release::Finish::kStop;
    case FinishReason::kLength:
      return release::Finish::kLength;
    case FinishReason::kAbnormal:
      return release::Finish::kAbnormal;
  }
  return std::nullopt;
}

}  // namespace

void Released::Reset() {
  route_.share.reset();
  model_.share.reset();
  failed_ = false;
  excused_ = false;
}

void Released::Take(const std::shared_ptr<const release::Split>& share, size_t index, Part* part) {
  part->share.reset();
  if (share == nullptr) return;
  const std::optional<release::Version> version = share->VersionOf(index);
  if (version) *part = {share, *version};
}

void Released::AddError() {
  for (const Part* part : {&route_, &model_}) {
    if (part->share) part->share->sink->AddError(part->version, part->share->window);
  }
}

void Released::CountAnswer(double ttft_s, std::optional<double> tpot_s,
                           std::optional<release::Finish> finish) {
  for (const Part* part : {&route_, &model_}) {
    if (!part->share) continue;
    part->share->sink->AddAnswer(part->version, part->share->window, ttft_s, tpot_s, finish);
  }
}

std::string Released::Text() const {
  std::string text;
  for (const Part* part : {&route_, &model_}) {
    if (!part->share) continue;
    if (!text.empty()) text += ", ";
    text.append(part->share->release).append(" ").append(NameOf(part->version));
  }
  return text;
}

// The model's part, of the pool that the rule has led to.
void Exchange::TakeModelVersion() {
  const ModelBinding* const model = parsed_.model;
  if (model == nullptr || model->release_split == nullptr) return;
  const auto target = std::find_if(
      model->targets.begin(), model->targets.end(),
      [this](const TargetModel& each) { return each.name == parsed_.request.target_model; });
  released_.TakeModel(model->release_split, static_cast<size_t>(target - model->targets.begin()));
}

void Exchange::LeaveSample(Outcome outcome, int status) {
  if (!released_.counts()) return;
  if (outcome == Outcome::kClientLeft || outcome == Outcome::kEvicted) return;
  // What another pool has answered is no answer of the version.
  if (tried_->fell_back_from != nullptr) return released_.CountRefusal();
  if (outcome == Outcome::kRejected) {
    if (IsOfVersion(rejection_)) released_.CountRefusal();
    return;
  }
  const bool failed = outcome == Outcome::kUpstreamBroke || outcome == Outcome::kErrorEvent ||
                      outcome == Outcome::kTimedOut || status >= 400;
  if (failed) return released_.CountError();
  if (!observed_->saw_first_byte) return;  // an answer without a body: to HEAD, or 204
  const bool is_read = parsed_.request.api != ApiKind::kOther;
  const ResponseReader& reader = observed_->response.reader();
  released_.CountAnswer(ToSeconds(observed_->first_byte - asked_.began),
                        is_read ? observed_->TpotSeconds() : std::nullopt,
                        outcome == Outcome::kAborted ? release::Finish::kAbnormal
                        : is_read                    ? FinishOf(reader.finish_reason())
                                                     : std::nullopt);
}

}  // namespace gw
