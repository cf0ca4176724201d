#include "exchange/history.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"

namespace gw {

void RequestHistory::Put(std::unique_ptr<RequestRecord>* record) {
  {
    const MutexLock lock(mutex_);
    std::swap(records_[next_], *record);
    next_ = (next_ + 1) % records_.size();
    ++put_;
  }
  if (*record == nullptr) *record = std::make_unique<RequestRecord>();
}

uint64_t RequestHistory::TakeSince(uint64_t* position, size_t max,
                                   std::vector<RequestRecord>* out) const {
  const MutexLock lock(mutex_);
  const uint64_t since = put_ - *position;
  *position = put_;
  const size_t taken = std::min<uint64_t>({since, max, records_.size()});
  for (size_t back = taken; back > 0; --back) {
    out->push_back(*records_[(next_ + records_.size() - back) % records_.size()]);
  }
  return since - taken;
}

template <typename Wanted>
std::optional<RequestRecord> RequestHistory::Newest(Wanted wanted) const {
  const MutexLock lock(mutex_);
  for (size_t back = 1; back <= records_.size(); ++back) {
    const auto& record = records_[(next_ + records_.size() - back) % records_.size()];
    if (record == nullptr) break;
    if (wanted(*record)) return *record;
  }
  return std::nullopt;
}

std::optional<RequestRecord> RequestHistory::Find(std::string_view request_id) const {
  return Newest([&](const RequestRecord& record) { return record.request_id == request_id; });
}

std::optional<RequestRecord> RequestHistory::FindLast(std::string_view pool) const {
  return Newest([&](const RequestRecord& record) { return pool.empty() || record.pool == pool; });
}

}  // namespace gw
