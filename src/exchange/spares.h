// Spares: what requests need for a part of their way only, kept by their worker between two of
// them: it costs a request that waits nothing, and no request an allocation once the worker has
// seen as many at once. The one that was given back last is taken first, as its memory is still in
// the cache.
//
// Of one worker, on its thread. What is kept is bounded (spare_requests): by as many as the front
// end keeps of what it needs for a request itself, and counts when there are more.

#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace gw {

// T has Reset(), after which it is as a new one, but may have kept memory.
template <typename T>
class Spares {
 public:
  // One of them, or none. Who only reads sees a new T where there is none.
  class Held {
   public:
    explicit Held(Spares& spares) : spares_(spares) {}
    ~Held() { GiveBack(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    // REQUIRES: there is none
    void Take() {
      DCHECK(object_ == nullptr);
      object_ = spares_.Take();
    }
    void GiveBack() {
      if (object_ != nullptr) spares_.Keep(std::move(object_));
    }

    // REQUIRES: there is one
    T* operator->() {
      DCHECK(object_ != nullptr);
      return object_.get();
    }
    const T* operator->() const { return object_ != nullptr ? object_.get() : &spares_.blank_; }

   private:
    Spares& spares_;
    std::unique_ptr<T> object_;
  };

  // Outlives all Held.
  explicit Spares(size_t kept_max) : kept_max_(kept_max) {}

 private:
  std::unique_ptr<T> Take() {
    if (kept_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> object = std::move(kept_.back());
    kept_.pop_back();
    return object;
  }

  void Keep(std::unique_ptr<T> object) {
    object->Reset();
    if (kept_.size() >= kept_max_) return;
    kept_.push_back(std::move(object));
  }

  const size_t kept_max_;
  const T blank_{};
  std::vector<std::unique_ptr<T>> kept_;
};

}  // namespace gw
