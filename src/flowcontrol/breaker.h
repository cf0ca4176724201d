// Breaker: a circuit breaker, as Envoy calls it: how many requests of one pool or one route may be
// here at once, and how many of these may wait in a queue. Beyond that a request is refused at once
// and nothing is done for it. A request has a Place in what it counts in, from its admission to its
// end.
//
// All workers count in the same numbers, exactly: of requests that come at the same moment as many
// get in as there are places, and no more are refused. Nothing is locked.

#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.h"

namespace gw {

// nullopt: as many as there are.
struct BreakerLimits {
  std::optional<int64_t> requests_max = std::nullopt;  // at once, those that wait among them
  std::optional<int64_t> waiting_max = std::nullopt;   // of these, in a queue

  bool any() const { return requests_max || waiting_max; }
  bool operator==(const BreakerLimits&) const = default;
};

// A number of requests that has a limit. Thread-safe.
class LimitedCount {
 public:
  // Who is in already stays in.
  void SetMax(std::optional<int64_t> max) {
    max_.store(max.value_or(kNoLimit), std::memory_order_relaxed);
  }

  // False: it is full, and that is counted.
  bool Enter();
  void Leave() { now_.fetch_sub(1, std::memory_order_relaxed); }

  int64_t now() const { return now_.load(std::memory_order_relaxed); }
  std::optional<int64_t> max() const {
    const int64_t max = max_.load(std::memory_order_relaxed);
    return max == kNoLimit ? std::nullopt : std::optional<int64_t>(max);
  }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  std::atomic<int64_t> now_{0};
  std::atomic<int64_t> max_{kNoLimit};
  std::atomic<uint64_t> refused_{0};
};

struct Breaker {
  LimitedCount requests;
  LimitedCount waiting;

  void SetLimits(const BreakerLimits& limits) {
    requests.SetMax(limits.requests_max);
    waiting.SetMax(limits.waiting_max);
  }

  // One request's place in one of these, given back by whoever drops it. It keeps the breaker, so
  // that one whose pool is gone is still counted down. Moved; one thread at a time.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      if (this == &other) return *this;
      GiveBack();
      count_ = std::move(other.count_);
      return *this;
    }
    ~Place() { GiveBack(); }

    // In place of the one that it has. False: there is none, and so it has none; true without a
    // breaker.
    bool Take(const std::shared_ptr<Breaker>& breaker, LimitedCount Breaker::* count) {
      GiveBack();
      if (breaker == nullptr) return true;
      if (!(breaker.get()->*count).Enter()) return false;
      count_ = std::shared_ptr<LimitedCount>(breaker, &(breaker.get()->*count));
      return true;
    }
    void GiveBack() {
      if (count_ == nullptr) return;
      count_->Leave();
      count_.reset();
    }
    bool held() const { return count_ != nullptr; }

   private:
    std::shared_ptr<LimitedCount> count_;
  };
};

// The breakers of all pools and routes, by name. One lives as long as anybody holds it: a reload
// that keeps the limits, or changes them, keeps who is counted. Thread-safe.
class Breakers {
 public:
  // The one of that name, with these limits from now on; nullptr if there are none.
  std::shared_ptr<Breaker> Get(const std::string& name, const BreakerLimits& limits);

 private:
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<Breaker>> breakers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
