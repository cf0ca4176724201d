// TraceQueue: records of requests on their way from the workers to the exporter. Bounded: of a
// full one the newest is dropped and counted, so that a collector that takes nothing slows no
// request and costs no more memory than this.

#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "exchange/history.h"
#include "exchange/traced.h"
#include "telemetry/trace_metrics.h"

namespace gw {

class TraceQueue final : public TraceSink {
 public:
  using Records = std::vector<std::unique_ptr<RequestRecord>>;

  // `metrics` outlive it.
  TraceQueue(size_t records_max, TraceMetrics& metrics);

  // A batch's worth is here: called once, until the next TakeAll. Any thread; before the first
  // Take.
  void set_on_full_batch(std::function<void()> on_full_batch) {
    on_full_batch_ = std::move(on_full_batch);
  }

  void Take(const RequestRecord& record) override;
  // The oldest, at most `most`.
  Records TakeOldest(size_t most);
  // Their memory is used again.
  void GiveBack(Records records);
  size_t size() const;

  static constexpr size_t kBatchRecords = 64;

 private:
  std::unique_ptr<RequestRecord> Reserve();

  const size_t records_max_;
  TraceMetrics& metrics_;
  std::function<void()> on_full_batch_ = [] {};
  mutable Mutex mutex_;
  std::deque<std::unique_ptr<RequestRecord>> waiting_ ABSL_GUARDED_BY(mutex_);
  Records spare_ ABSL_GUARDED_BY(mutex_);
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;  // being copied right now
};

}  // namespace gw
