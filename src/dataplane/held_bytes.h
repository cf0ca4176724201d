// HeldBytes: how many bytes of clients and model servers all workers hold together (bodies of
// requests, answers that are not taken, what is held back or read ahead), under one limit. Each
// limit of a single connection is fine by itself; thousands of connections at theirs are not.
//
// Counted as it arrives, not as it is announced. The first bytes of each connection are free, so
// that small requests, which are most, touch no counter that workers share.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gw {

class HeldBytes {
 public:
  explicit HeldBytes(size_t limit) : limit_(static_cast<int64_t>(limit)) {}
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  // Any thread.
  int64_t held() const { return held_.load(std::memory_order_relaxed); }
  bool full() const { return held() >= limit_; }
  // Only what cannot be refused brings it there: answers that are under way.
  bool over() const { return held() > limit_; }

  // What one connection holds; given back when it is destroyed. Used by one thread.
  class Share {
   public:
    static constexpr size_t kFreeBytes = 4096;

    explicit Share(HeldBytes& all) : all_(all) {}
    ~Share() { Set(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // `bytes` are held from here on. False if that would be over the limit: nothing has changed.
    bool Grow(size_t bytes) {
      const int64_t more = Counted(bytes) - counted_;
      if (more > 0 && all_.held_.fetch_add(more, std::memory_order_relaxed) + more > all_.limit_) {
        all_.held_.fetch_sub(more, std::memory_order_relaxed);
        return false;
      }
      if (more < 0) all_.held_.fetch_add(more, std::memory_order_relaxed);
      counted_ += more;
      return true;
    }
    // The same, whatever the limit says.
    void Set(size_t bytes) {
      const int64_t more = Counted(bytes) - counted_;
      if (more != 0) all_.held_.fetch_add(more, std::memory_order_relaxed);
      counted_ += more;
    }
    int64_t counted() const { return counted_; }

   private:
    static int64_t Counted(size_t bytes) {
      return bytes > kFreeBytes ? static_cast<int64_t>(bytes - kFreeBytes) : 0;
    }

    HeldBytes& all_;
    int64_t counted_ = 0;
  };

 private:
  const int64_t limit_;
  std::atomic<int64_t> held_{0};
};

}  // namespace gw
