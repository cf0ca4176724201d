#include "flowcontrol/breaker.h"

namespace gw {

// Compared before it is counted: who is refused must at no moment take up the place of another one.
bool LimitedCount::Enter() {
  int64_t now = now_.load(std::memory_order_relaxed);
  do {
    if (now >= max_.load(std::memory_order_relaxed)) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
  } while (!now_.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
  return true;
}

std::shared_ptr<Breaker> Breakers::Get(const std::string& name, const BreakerLimits& limits) {
  const MutexLock lock(mutex_);
  std::erase_if(breakers_, [](const auto& entry) { return entry.second.expired(); });
  const auto known = breakers_.find(name);
  std::shared_ptr<Breaker> breaker = known == breakers_.end() ? nullptr : known->second.lock();
  // Requests of before may have a place in it, and it may get limits again while they are here.
  if (breaker != nullptr) breaker->SetLimits(limits);
  if (!limits.any()) return nullptr;
  if (breaker == nullptr) {
    breaker = std::make_shared<Breaker>();
    breaker->SetLimits(limits);
    breakers_[name] = breaker;
  }
  return breaker;
}

}  // namespace gw
