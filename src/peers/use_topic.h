// UseTopic: the rate limits of tenants (flowcontrol/rate_limit.h) as one for all gateways.
//
//   use = *( tenant, requests, tokens, levels, [ level of requests ], [ level of tokens ] )
//
// Each tells what was used of its meters since it last did; the others take that from theirs. With
// a whole it tells what is left, too, in thousandths, and nobody goes on with much more than
// another one has: so what was lost on the way is made good, a gateway that was just started grants
// no minute's worth again, and after a partition the side holds that has less. Nothing is kept of
// peers, and no clocks are compared.
//
// What one gateway uses while another one's word is under way is used beyond the limit, and made up
// for, as all take it from what they have. A give-back that crosses a whole may be lost: less is
// granted then.
//
// `tenant` is the meter's name, `levels` says which follow (1: requests, 2: tokens). A tenant that
// has no meter here is left out.
//
// A Tell reads one flag of each meter, and locks those that were used.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "flowcontrol/rate_limit.h"
#include "peers/topic.h"

namespace gw::peers {

class UseTopic final : public Topic {
 public:
  static constexpr Kind kKind{128};
  // Who was not told for so long was alone: what is left says all about that time.
  static constexpr Duration kGatheredMax = std::chrono::seconds(2);

  // Both outlive it. Of more than `tenants_max` at once the others wait for the next Tell, which
  // `limit` counts.
  UseTopic(const RateMeters& meters, size_t tenants_max, Counter& limit)
      : meters_(meters), tenants_max_(tenants_max), limit_(limit) {}

  Kind kind() const override { return kKind; }
  void Tell(TimePoint now, bool whole, MessageWriter* out) override;
  absl::Status Take(uint64_t peer, std::string_view payload, TimePoint now) override;
  void Forget(uint64_t /*peer*/, TimePoint /*now*/) override {}

 private:
  struct Row {
    RateMeters::Entry of;
    bool tells_levels = false;  // they are due
  };

  void Refresh();
  static bool TellRow(Row& row, TimePoint now, MessageWriter* out);
  RateMeter* Find(std::string_view tenant);

  const RateMeters& meters_;
  const size_t tenants_max_;
  Counter& limit_;
  std::vector<Row> rows_;  // by name
  uint64_t made_ = 0;      // RateMeters::made() that they are of
  size_t next_ = 0;        // the row that is told of first
  TimePoint told_at_{};
};

}  // namespace gw::peers
