// Rate limits of one tenant: requests and tokens per minute.
//
// A token bucket for each: it holds a minute's worth, and fills evenly. A request takes one from
// the first; from the second it takes at its start what its prompt is estimated to have, and at its
// end the difference to what it used, prompt and completion: a burst whose usage is known only
// afterwards cannot pass. What was used beyond the reserve may leave the bucket below empty; until
// it has filled again nobody is admitted.
//
// Several gateways grant one limit: each tells the others what it has used, and they take that from
// their own meters of the same tenant (peers/use_topic.h). What is told while they grant something
// themselves is granted beyond the limit for that moment, and made up for.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace gw {

// nullopt: unlimited. Above 0 otherwise.
struct RateLimits {
  std::optional<int64_t> requests_per_minute;
  std::optional<int64_t> tokens_per_minute;

  bool operator==(const RateLimits&) const = default;
};

// What is left of one limit, as the OpenAI clients read it (x-ratelimit-*).
struct RateStanding {
  int64_t limit = 0;
  int64_t remaining = 0;  // whole ones, not below 0
  Duration reset{};       // until all of it is there again, if nothing more is used
};

struct RateVerdict {
  enum class Refused : uint8_t {
    kNo,
    kRequests,
    kTokens,
    kTooLarge,  // the estimate is above a minute's worth: it would never be admitted
  };
  Refused refused = Refused::kNo;
  Duration retry_after{};  // until a request like this could be admitted; 0 for kNo and kTooLarge

  bool admitted() const { return refused == Refused::kNo; }
};

// What was used; tokens below 0: more was given back.
struct RateUse {
  int64_t requests = 0;
  int64_t tokens = 0;

  bool operator==(const RateUse&) const = default;
};

// What is left in the buckets, below 0 where more was used than there was; nullopt: no such limit.
struct RateLevels {
  std::optional<double> requests;
  std::optional<double> tokens;
};

// Of one tenant. Thread-safe; `now` may be a little behind another thread's.
class RateMeter {
 public:
  explicit RateMeter(const RateLimits& limits);

  // Takes nothing unless it admits. `tokens`: the estimate for the prompt.
  RateVerdict Reserve(int64_t tokens, TimePoint now);
  // Once for each that was admitted, whatever became of it.
  void Settle(int64_t reserved, int64_t used, TimePoint now);
  // What is left stays, as far as the new limits have room for it; what is limited anew is full.
  void SetLimits(const RateLimits& limits);

  // What was used of it here since the last call, and what is left at the same moment.
  RateUse TakeUse(TimePoint now, RateLevels* levels = nullptr);
  // Other gateways' use of the same limits; it is not among what TakeUse gives.
  void UsedElsewhere(const RateUse& use, TimePoint now);
  // There is no more left than another gateway has, a moment ago: what it gains by refill in
  // kLevelAge, and what was given back about as lately, it may not have known.
  static constexpr Duration kLevelAge = std::chrono::milliseconds(250);
  void LowerTo(const RateLevels& levels, TimePoint now);

  std::optional<RateStanding> requests(TimePoint now) const;
  std::optional<RateStanding> tokens(TimePoint now) const;

 private:
  class Bucket {
   public:
    void SetLimit(std::optional<int64_t> per_minute);
    void Fill(TimePoint now);
    bool limited() const { return limit_ > 0; }
    double limit() const { return limit_; }
    void Take(double count) { level_ -= limited() ? count : 0; }
    void GiveBack(double count, TimePoint now);
    double level() const { return level_; }
    void LowerTo(double level, TimePoint now);
    bool Has(double count) const { return !limited() || level_ >= count; }
    Duration TimeTo(double count) const;  // until it has so many
    std::optional<RateStanding> Standing() const;

   private:
    double limit_ = 0;  // 0: unlimited
    double level_ = 0;
    TimePoint filled_at_{};
    double given_back_ = 0;  // of late: an e-th of it is left after kLevelAge
    TimePoint given_back_at_{};

    double GivenBackLately(TimePoint now) const;
  };

  RateLevels LevelsAt(TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Use(int64_t tokens, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  mutable Bucket requests_ ABSL_GUARDED_BY(mutex_);
  mutable Bucket tokens_ ABSL_GUARDED_BY(mutex_);
  RateUse use_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> used_{false};  // use_ may be more than nothing
};

// The meters of all tenants, by name. They live as long as anybody holds them: a reload that keeps
// a tenant keeps what it has used. Thread-safe.
class RateMeters {
 public:
  // The tenant's meter with these limits from now on.
  std::shared_ptr<RateMeter> Get(const std::string& tenant, const RateLimits& limits);

  struct Entry {
    std::string tenant;
    std::shared_ptr<RateMeter> meter;
  };
  // In the order of their names.
  std::vector<Entry> All() const;
  // Grows with each meter that is made.
  uint64_t made() const { return made_.load(); }

 private:
  std::atomic<uint64_t> made_{0};
  mutable Mutex mutex_;
  std::map<std::string, std::weak_ptr<RateMeter>> meters_ ABSL_GUARDED_BY(mutex_);
};

// As the OpenAI clients read it: "1s", "6m0s", "120ms".
std::string RateResetText(Duration reset);

}  // namespace gw
