// Exemplars: for each bucket of a histogram the last traced request that fell into it, so that a
// point on a graph leads to a trace.
//
// A slot is written and read without a lock (a sequence lock): its number is odd while somebody
// writes. Who finds it odd goes away, and that exemplar is lost: others follow. Who reads and finds
// another number than before has read halves of two, and reads again. So no request waits, and what
// is shown is whole.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace gw {

// Which request, and when.
struct Exemplar {
  uint64_t trace_high = 0;  // as TraceId
  uint64_t trace_low = 0;
  uint64_t span = 0;
  int64_t unix_ms = 0;

  bool operator==(const Exemplar&) const = default;
};

class Exemplars {
 public:
  struct Kept {
    Exemplar of;
    double value = 0;
  };

  explicit Exemplars(size_t buckets) : slots_(std::make_unique<Slot[]>(buckets)) {}

  // Any thread. REQUIRES: bucket is one of them, here and below
  void Keep(size_t bucket, double value, const Exemplar& exemplar);
  std::optional<Kept> Last(size_t bucket) const;

 private:
  static constexpr size_t kWords = 5;
  struct alignas(64) Slot {
    std::atomic<uint64_t> sequence{0};  // 0: never written
    std::atomic<uint64_t> words[kWords]{};
  };

  std::unique_ptr<Slot[]> slots_;
};

// ` # {trace_id="...",span_id="..."} VALUE TIME`, as it follows a sample in OpenMetrics. The names
// and values of its labels are 63 characters; 128 is what the format allows.
void AppendExemplar(std::string* out, const Exemplars::Kept& kept);

}  // namespace gw
