// TraceQueue: records of requests on their way from the workers to the exporter, and the prompts
// that their spans carry. Bounded: of a full one the newest is dropped and counted, so that a
// collector that takes nothing slows no request and costs no more memory than this. Of a prompt
// that finds no room the record is kept.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "exchange/history.h"
#include "exchange/traced.h"
#include "telemetry/trace_metrics.h"

namespace gw {

struct TracedRequest {
  std::unique_ptr<RequestRecord> record;
  std::unique_ptr<PromptMessages> prompt;  // nullptr: its spans carry none
};

class TraceQueue final : public TraceSink {
 public:
  using Requests = std::vector<TracedRequest>;

  // `prompt_bytes_max`: of all prompts that wait. `metrics` outlive it.
  TraceQueue(size_t records_max, size_t prompt_bytes_max, TraceMetrics& metrics);

  // A batch's worth is here: called once, until the next TakeAll. Any thread; before the first
  // Take.
  void set_on_full_batch(std::function<void()> on_full_batch) {
    on_full_batch_ = std::move(on_full_batch);
  }

  void Take(const RequestRecord& record, std::unique_ptr<PromptMessages> prompt) override;
  // The oldest, at most `most`.
  Requests TakeOldest(size_t most);
  // The memory of their records is used again.
  void GiveBack(Requests requests);
  size_t size() const;

  static constexpr size_t kBatchRecords = 64;

 private:
  std::unique_ptr<RequestRecord> Reserve(PromptMessages* prompt);

  const size_t records_max_;
  const size_t prompt_bytes_max_;
  TraceMetrics& metrics_;
  std::function<void()> on_full_batch_ = [] {};
  mutable Mutex mutex_;
  std::deque<TracedRequest> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<RequestRecord>> spare_ ABSL_GUARDED_BY(mutex_);
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;  // being copied right now
  size_t prompt_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gw
