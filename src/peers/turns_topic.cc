#include "peers/turns_topic.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "peers/varint.h"

namespace gw::peers {
namespace {

constexpr int64_t kTokensMax = int64_t{1} << 48;
constexpr int64_t kPriorityMax = std::numeric_limits<int>::max();
constexpr int64_t kPriorityMin = std::numeric_limits<int>::min();

}  // namespace

void TurnsTopic::Tell(TimePoint now, bool whole, MessageWriter* out) {
  if (whole) queues_.Refresh();
  if (now - std::exchange(told_at_, now) > kGatheredMax) {
    untold_.clear();
    for (const RequestQueues::Entry& entry : queues_.all()) entry.queue->TakeServed();
  }
  Gather();
  std::string entry;
  for (size_t told = 0; !untold_.empty(); ++told) {
    if (told == tenants_max_) return limit_.Add();
    const auto& [pool, served] = untold_.front();
    entry.clear();
    PutText(pool, &entry);
    PutSigned(served.priority, &entry);
    PutText(served.tenant, &entry);
    PutSigned(std::clamp(served.tokens, -kTokensMax, kTokensMax), &entry);
    out->Entry(kKind, entry);
    untold_.pop_front();
  }
}

// What cannot be told at once stays with the queues, where a tenant's sums grow and not their
// number.
void TurnsTopic::Gather() {
  const std::vector<RequestQueues::Entry>& all = queues_.all();
  for (size_t i = 0; i < all.size() && untold_.size() < tenants_max_; ++i) {
    if (next_ >= all.size()) next_ = 0;
    const auto& [pool, queue] = all[next_++];
    for (FairQueue::Served& served : queue->TakeServed()) {
      if (served.tokens == 0 || served.tenant.size() > kNameMax) continue;
      untold_.push_back({pool, std::move(served)});
    }
  }
}

absl::Status TurnsTopic::Take(uint64_t /*peer*/, std::string_view payload, TimePoint /*now*/) {
  while (!payload.empty()) {
    std::string_view pool;
    std::string_view tenant;
    int64_t priority = 0;
    int64_t tokens = 0;
    if (!TakeText(&payload, kNameMax, &pool)) {
      return absl::InvalidArgumentError("malformed turns: pool");
    }
    if (!TakeSigned(&payload, -kPriorityMin, &priority) || priority > kPriorityMax) {
      return absl::InvalidArgumentError("malformed turns: priority");
    }
    if (!TakeText(&payload, kNameMax, &tenant)) {
      return absl::InvalidArgumentError("malformed turns: tenant");
    }
    if (!TakeSigned(&payload, kTokensMax, &tokens)) {
      return absl::InvalidArgumentError("malformed turns: tokens");
    }
    RequestQueue* const queue = queues_.Find(pool);
    if (queue != nullptr) queue->ServedElsewhere(static_cast<int>(priority), tenant, tokens);
  }
  return absl::OkStatus();
}

}  // namespace gw::peers
