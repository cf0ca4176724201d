#include "flowcontrol/rate_limit.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace gw {
namespace {

constexpr double kMinuteNs = 60e9;
// Levels are sums of fractions: what is missing by rounding is there.
constexpr double kRounding = 1e-6;

}  // namespace

void RateMeter::Bucket::SetLimit(std::optional<int64_t> per_minute) {
  CHECK(!per_minute || *per_minute > 0);
  const bool was_limited = limited();
  limit_ = per_minute ? static_cast<double>(*per_minute) : 0;
  level_ = was_limited ? std::min(level_, limit_) : limit_;
}

void RateMeter::Bucket::Fill(TimePoint now) {
  if (!limited() || now <= filled_at_) return;
  const auto passed = static_cast<double>((now - filled_at_).count());
  level_ = std::min(limit_, level_ + limit_ * passed / kMinuteNs);
  filled_at_ = now;
}

void RateMeter::Bucket::GiveBack(double count) {
  if (limited()) level_ = std::min(limit_, level_ + count);
}

Duration RateMeter::Bucket::TimeTo(double count) const {
  if (Has(count)) return Duration(0);
  return Duration(static_cast<int64_t>(std::ceil((count - level_) / limit_ * kMinuteNs)));
}

std::optional<RateStanding> RateMeter::Bucket::Standing() const {
  if (!limited()) return std::nullopt;
  return RateStanding{static_cast<int64_t>(limit_),
                      static_cast<int64_t>(std::max(0.0, std::floor(level_ + kRounding))),
                      TimeTo(limit_)};
}

RateMeter::RateMeter(const RateLimits& limits) { SetLimits(limits); }

RateVerdict RateMeter::Reserve(int64_t tokens, TimePoint now) {
  using Refused = RateVerdict::Refused;
  DCHECK(tokens >= 0);
  const auto wanted = static_cast<double>(tokens);
  const MutexLock lock(mutex_);
  requests_.Fill(now);
  tokens_.Fill(now);
  if (tokens_.limited() && wanted > tokens_.limit()) return {Refused::kTooLarge, Duration(0)};
  // Whoever has used more than there was waits until it is made up for, however small the prompt.
  const double needed = std::max(wanted, kRounding);
  const Duration for_requests = requests_.TimeTo(1 - kRounding);
  const Duration for_tokens = tokens_.TimeTo(needed - kRounding);
  if (for_requests > Duration(0) || for_tokens > Duration(0)) {
    const bool of_requests = for_requests >= for_tokens;
    return {of_requests ? Refused::kRequests : Refused::kTokens,
            std::max(for_requests, for_tokens)};
  }
  requests_.Take(1);
  tokens_.Take(wanted);
  return {};
}

void RateMeter::Settle(int64_t reserved, int64_t used, TimePoint now) {
  const MutexLock lock(mutex_);
  tokens_.Fill(now);
  // The difference alone: what was reserved may long have filled again, as it may for anybody.
  if (used >= reserved) return tokens_.Take(static_cast<double>(used - reserved));
  tokens_.GiveBack(static_cast<double>(reserved - used));
}

void RateMeter::SetLimits(const RateLimits& limits) {
  const MutexLock lock(mutex_);
  requests_.SetLimit(limits.requests_per_minute);
  tokens_.SetLimit(limits.tokens_per_minute);
}

std::optional<RateStanding> RateMeter::requests(TimePoint now) const {
  const MutexLock lock(mutex_);
  requests_.Fill(now);
  return requests_.Standing();
}

std::optional<RateStanding> RateMeter::tokens(TimePoint now) const {
  const MutexLock lock(mutex_);
  tokens_.Fill(now);
  return tokens_.Standing();
}

std::shared_ptr<RateMeter> RateMeters::Get(const std::string& tenant, const RateLimits& limits) {
  const MutexLock lock(mutex_);
  std::erase_if(meters_,
                [&](const auto& entry) { return entry.second.expired() && entry.first != tenant; });
  std::weak_ptr<RateMeter>& kept = meters_[tenant];
  std::shared_ptr<RateMeter> meter = kept.lock();
  if (meter == nullptr) {
    meter = std::make_shared<RateMeter>(limits);
    kept = meter;
  } else {
    meter->SetLimits(limits);
  }
  return meter;
}

std::string RateResetText(Duration reset) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(reset).count();
  if (ms < 1000) return std::to_string(ms) + "ms";
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(reset).count();
  std::string text;
  if (seconds >= 60) text += std::to_string(seconds / 60) + "m";
  return text + std::to_string(seconds % 60) + "s";
}

}  // namespace gw
