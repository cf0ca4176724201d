#include "flowcontrol/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace gw {
namespace {

constexpr double kMinuteNs = 60e9;
constexpr double kLevelAgeS = std::chrono::duration<double>(RateMeter::kLevelAge).count();
// Levels are sums of fractions: what is missing by rounding is there.
constexpr double kRounding = 1e-6;
// Whoever is told to wait longer than a year need not know it more exactly.
constexpr double kWaitMaxNs = 365.0 * 86400e9;

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

void RateMeter::Bucket::GiveBack(double count, TimePoint now) {
  if (!limited()) return;
  level_ = std::min(limit_, level_ + count);
  given_back_ = GivenBackLately(now) + count;
  given_back_at_ = std::max(given_back_at_, now);
}

double RateMeter::Bucket::GivenBackLately(TimePoint now) const {
  if (given_back_ == 0) return 0;
  return given_back_ * std::exp(std::min(0.0, -ToSeconds(now - given_back_at_) / kLevelAgeS));
}

void RateMeter::Bucket::LowerTo(double level, TimePoint now) {
  if (!limited()) return;
  const double unknown = limit_ * kLevelAgeS / 60 + GivenBackLately(now);
  level_ = std::min(level_, level + unknown);
}

Duration RateMeter::Bucket::TimeTo(double count) const {
  if (Has(count)) return Duration(0);
  const double ns = std::ceil((count - level_) / limit_ * kMinuteNs);
  return Duration(static_cast<int64_t>(std::min(ns, kWaitMaxNs)));
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
  ++use_.requests;
  use_.tokens += tokens;
  used_.store(true, std::memory_order_relaxed);
  return {};
}

void RateMeter::Settle(int64_t reserved, int64_t used, TimePoint now) {
  const MutexLock lock(mutex_);
  tokens_.Fill(now);
  // The difference alone: what was reserved may long have filled again, as it may for anybody.
  Use(used - reserved, now);
  use_.tokens += used - reserved;
  used_.store(true, std::memory_order_relaxed);
}

void RateMeter::Use(int64_t tokens, TimePoint now) {
  const auto count = static_cast<double>(tokens);
  if (tokens >= 0) return tokens_.Take(count);
  tokens_.GiveBack(-count, now);
}

RateUse RateMeter::TakeUse(TimePoint now, RateLevels* levels) {
  if (levels == nullptr && !used_.load(std::memory_order_relaxed)) return {};
  const MutexLock lock(mutex_);
  if (levels != nullptr) *levels = LevelsAt(now);
  used_.store(false, std::memory_order_relaxed);
  return std::exchange(use_, {});
}

void RateMeter::UsedElsewhere(const RateUse& use, TimePoint now) {
  const MutexLock lock(mutex_);
  requests_.Fill(now);
  tokens_.Fill(now);
  requests_.Take(static_cast<double>(use.requests));
  Use(use.tokens, now);
}

RateLevels RateMeter::LevelsAt(TimePoint now) const {
  requests_.Fill(now);
  tokens_.Fill(now);
  RateLevels levels;
  if (requests_.limited()) levels.requests = requests_.level();
  if (tokens_.limited()) levels.tokens = tokens_.level();
  return levels;
}

void RateMeter::LowerTo(const RateLevels& levels, TimePoint now) {
  const MutexLock lock(mutex_);
  requests_.Fill(now);
  tokens_.Fill(now);
  if (levels.requests) requests_.LowerTo(*levels.requests, now);
  if (levels.tokens) tokens_.LowerTo(*levels.tokens, now);
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
    ++made_;
  } else {
    meter->SetLimits(limits);
  }
  return meter;
}

std::vector<RateMeters::Entry> RateMeters::All() const {
  const MutexLock lock(mutex_);
  std::vector<Entry> all;
  for (const auto& [tenant, kept] : meters_) {
    if (std::shared_ptr<RateMeter> meter = kept.lock()) all.push_back({tenant, std::move(meter)});
  }
  return all;
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
