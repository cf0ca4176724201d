// Time is passed in, so that everything above net runs in virtual time unchanged.

#pragma once

#include <chrono>
#include <cstdint>

namespace gw {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// A monotonic clock, and the wall clock for log lines and protocol fields only.
// Any thread may read it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  virtual int64_t UnixNanos() const = 0;
};

// The machine's clocks. Lives for the whole process.
Clock& RealClock();

// Time that moves only when told to. Not synchronised: one thread at a time.
class ManualClock final : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  int64_t UnixNanos() const override { return now_.time_since_epoch().count(); }
  void Advance(Duration by) { now_ += by; }
  void Set(TimePoint now) { now_ = now; }

 private:
  TimePoint now_{Duration(1'000'000'000)};
};

inline double ToMillis(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }
inline double ToSeconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace gw
