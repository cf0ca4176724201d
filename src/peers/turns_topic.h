// TurnsTopic: what tenants were served at pools with a queue, so that whose turn it is (FairQueue)
// is decided by what all gateways have served.
//
//   turns = *( pool, priority, tenant, tokens )
//
// Each tells what it has charged since it last did, over its weight as each gateway knows that;
// below 0 where an end gave back. What is lost shifts turns by as much, once. Who came after it was
// told begins where the others here are, as always.
//
// A Tell locks each queue once, and copies what was served since.

#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "flowcontrol/request_queues.h"
#include "peers/pool_queues.h"
#include "peers/topic.h"

namespace gw::peers {

class TurnsTopic final : public Topic {
 public:
  static constexpr Kind kKind{129};
  // Who was not told for so long was alone: what was served then is nobody else's turn.
  static constexpr Duration kGatheredMax = std::chrono::seconds(2);

  // As UseTopic's.
  TurnsTopic(const RequestQueues& queues, size_t tenants_max, Counter& limit)
      : queues_(queues), tenants_max_(tenants_max), limit_(limit) {}

  Kind kind() const override { return kKind; }
  void Tell(TimePoint now, bool whole, MessageWriter* out) override;
  absl::Status Take(uint64_t peer, std::string_view payload, TimePoint now) override;
  void Forget(uint64_t /*peer*/, TimePoint /*now*/) override {}

 private:
  struct Entry {
    std::string pool;
    FairQueue::Served served;
  };

  void Gather();

  PoolQueues queues_;
  const size_t tenants_max_;
  Counter& limit_;
  std::deque<Entry> untold_;
  size_t next_ = 0;  // the queue that is asked first
  TimePoint told_at_{};
};

}  // namespace gw::peers
