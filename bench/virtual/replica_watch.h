// How one gateway looks at one model server in virtual time: the pace of the scraper, what pages
// say, and the probes of what has failed. Does what collect/scrape_target does over sockets.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "bench/virtual/replica.h"
#include "bench/virtual/timeline.h"
#include "collect/apply_page.h"
#include "collect/scrape_pacer.h"
#include "pool/endpoint.h"
#include "prefix/index.h"

namespace gw::bench {

class ReplicaWatch : public std::enable_shared_from_this<ReplicaWatch> {
 public:
  struct Options {
    const ScrapeOptions& scrape;
    Duration page_time{};  // from the question to the whole page
    Duration metrics_age_max{};
  };

  // `seen`: something about the endpoint is known anew.
  ReplicaWatch(Timeline& timeline, const Options& options, VirtualReplica& replica,
               std::shared_ptr<EndpointState> state, PrefixIndex& index,
               std::function<void()> seen);

  // No later than that. Of several looks that are to come the earliest is taken.
  void LookBy(TimePoint at);
  // A request was dispatched, or failed: it is looked at as what is in use, or in doubt, is.
  void LookSoon();

  const std::shared_ptr<EndpointState>& state() const { return state_; }
  uint64_t pages() const { return pages_; }
  const VirtualReplica& replica() const { return replica_; }

 private:
  void Look();
  void Probe();
  void EndProbe(bool answers);
  void Read();
  void EndPage(bool answers);
  void ApplyTo(EndpointState& state);
  void Fail(EndpointFailure failure);
  Duration Interval() const;

  Timeline& timeline_;
  const Options options_;
  VirtualReplica& replica_;
  const std::shared_ptr<EndpointState> state_;
  PrefixIndex& index_;
  const std::function<void()> seen_;
  ScrapePacer pacer_;
  PageMemory memory_;
  TimePoint began_{};
  TimePoint next_look_ = TimePoint::max();
  int32_t in_flight_at_start_ = 0;
  int64_t tokens_at_start_ = 0;
  double process_start_s_ = 0;
  bool reading_ = false;
  uint64_t pages_ = 0;
};

}  // namespace gw::bench
