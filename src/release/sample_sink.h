// SampleSink: where the requests of one release leave what they came to, from all workers, until
// whoever looks takes it (release/run.h).
//
// A request brings the window that it was routed in. What is of another one than the sink's is left
// out: it was routed by other weights, or the release has begun anew meanwhile.
//
// Thread-safe. Workers have a shard each, as long as they are not more than those; its lock is
// taken once per request that has ended, and contended only by Take.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "release/samples.h"

namespace gw::release {

enum class Version : uint8_t { kStable, kCandidate };

class SampleSink {
 public:
  // Samples of that window count from now on, and no others; 0: none. Of the one before is kept
  // nothing.
  void Open(uint64_t window);

  void AddError(Version version, uint64_t window);
  void AddAnswer(Version version, uint64_t window, double ttft_s, std::optional<double> tpot_s,
                 std::optional<Finish> finish);

  // Since the last Take or Open.
  Samples Take();

 private:
  static constexpr size_t kShards = 16;
  struct alignas(64) Shard {
    Mutex mutex;
    Samples samples ABSL_GUARDED_BY(mutex);
  };

  template <typename Add>
  void AddTo(Version version, uint64_t window, Add add);

  std::array<Shard, kShards> shards_;
};

}  // namespace gw::release
