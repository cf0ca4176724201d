#include "release/sample_sink.h"

#include <atomic>

namespace gw::release {
namespace {

// Of this thread, the same in every sink.
size_t OwnShard() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t own = threads.fetch_add(1, std::memory_order_relaxed);
  return own;
}

}  // namespace

template <typename Add>
void SampleSink::AddTo(Version version, uint64_t window, Add add) {
  if (window == 0) return;
  Shard& shard = shards_[OwnShard() % kShards];
  const MutexLock lock(shard.mutex);
  if (shard.samples.window != window) return;
  add(version == Version::kStable ? shard.samples.stable : shard.samples.candidate);
}

void SampleSink::Open(uint64_t window) {
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    if (shard.samples.window == window) continue;
    shard.samples = {};
    shard.samples.window = window;
  }
}

void SampleSink::AddError(Version version, uint64_t window) {
  AddTo(version, window, [](VersionSamples& samples) { samples.AddError(); });
}

void SampleSink::AddAnswer(Version version, uint64_t window, double ttft_s,
                           std::optional<double> tpot_s, std::optional<Finish> finish) {
  AddTo(version, window,
        [&](VersionSamples& samples) { samples.AddAnswer(ttft_s, tpot_s, finish); });
}

Samples SampleSink::Take() {
  Samples all;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    all.window = shard.samples.window;
    all.Merge(shard.samples);
    shard.samples.stable = {};
    shard.samples.candidate = {};
  }
  return all;
}

}  // namespace gw::release
