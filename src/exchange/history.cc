#include "exchange/history.h"

#include <utility>

#include "base/mutex.h"

namespace gw {

void RequestHistory::Put(std::unique_ptr<RequestRecord>* record) {
  {
    const MutexLock lock(mutex_);
    std::swap(records_[next_], *record);
    next_ = (next_ + 1) % records_.size();
  }
  if (*record == nullptr) *record = std::make_unique<RequestRecord>();
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
