#include "telemetry/trace_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "telemetry/request_spans.h"

namespace gw {
namespace {

// What a burst has needed is not kept for ever.
constexpr size_t kSpareMax = 2 * TraceQueue::kBatchRecords;

}  // namespace

TraceQueue::TraceQueue(size_t records_max, size_t prompt_bytes_max, TraceMetrics& metrics)
    : records_max_(records_max), prompt_bytes_max_(prompt_bytes_max), metrics_(metrics) {}

// A record to copy into, nullptr if there is no room. A prompt that finds none is emptied.
std::unique_ptr<RequestRecord> TraceQueue::Reserve(PromptMessages* prompt) {
  const MutexLock lock(mutex_);
  if (waiting_.size() + reserved_ >= records_max_) return nullptr;
  ++reserved_;
  if (prompt != nullptr && prompt->bytes() > prompt_bytes_max_ - prompt_bytes_) {
    const uint64_t cut_bytes = prompt->cut_bytes + prompt->bytes();
    *prompt = {.cut_bytes = cut_bytes};
    metrics_.queue_bytes_limit.Add();
  }
  if (prompt != nullptr) prompt_bytes_ += prompt->bytes();
  if (spare_.empty()) return std::make_unique<RequestRecord>();
  std::unique_ptr<RequestRecord> record = std::move(spare_.back());
  spare_.pop_back();
  return record;
}

void TraceQueue::Take(const RequestRecord& record, std::unique_ptr<PromptMessages> prompt) {
  std::unique_ptr<RequestRecord> copy = Reserve(prompt.get());
  if (copy == nullptr) {
    metrics_.queue_full.Add(SpanCount(record));
    metrics_.queue_limit.Add();
    return;
  }
  *copy = record;
  bool is_batch = false;
  {
    const MutexLock lock(mutex_);
    --reserved_;
    waiting_.push_back({std::move(copy), std::move(prompt)});
    is_batch = waiting_.size() == kBatchRecords;
  }
  if (is_batch) on_full_batch_();
}

TraceQueue::Requests TraceQueue::TakeOldest(size_t most) {
  const MutexLock lock(mutex_);
  const auto end = waiting_.begin() + static_cast<ptrdiff_t>(std::min(most, waiting_.size()));
  Requests taken(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  for (const TracedRequest& request : taken) {
    if (request.prompt != nullptr) prompt_bytes_ -= request.prompt->bytes();
  }
  return taken;
}

void TraceQueue::GiveBack(Requests requests) {
  const MutexLock lock(mutex_);
  for (TracedRequest& request : requests) {
    if (spare_.size() == kSpareMax) break;
    spare_.push_back(std::move(request.record));
  }
}

size_t TraceQueue::size() const {
  const MutexLock lock(mutex_);
  return waiting_.size();
}

}  // namespace gw
