#include "bench/virtual/replica_watch.h"

#include <algorithm>
#include <utility>

#include "pool/health.h"

namespace gw::bench {

ReplicaWatch::ReplicaWatch(Timeline& timeline, const Options& options, VirtualReplica& replica,
                           std::shared_ptr<EndpointState> state, PrefixIndex& index,
                           std::function<void()> seen)
    : timeline_(timeline),
      options_(options),
      replica_(replica),
      state_(std::move(state)),
      index_(index),
      seen_(std::move(seen)),
      pacer_(options.scrape) {}

Duration ReplicaWatch::Interval() const {
  return pacer_.Interval(state_->in_flight_requests > 0, options_.metrics_age_max);
}

void ReplicaWatch::LookBy(TimePoint at) {
  at = std::max(at, timeline_.now());
  if (at >= next_look_) return;
  next_look_ = at;
  timeline_.At(at, [watch = weak_from_this(), at] {
    const std::shared_ptr<ReplicaWatch> held = watch.lock();
    if (held != nullptr && held->next_look_ == at && !held->reading_) held->Look();
  });
}

void ReplicaWatch::LookSoon() {
  if (!reading_) LookBy(began_ + Interval());
}

// In the order of ScrapeTarget::Tick.
void ReplicaWatch::Look() {
  const TimePoint now = timeline_.now();
  next_look_ = TimePoint::max();
  if (IsEjected(*state_) && !IsProbeDue(*state_, now)) {
    return LookBy(TimePoint(Duration(state_->ejected_until_ns.load())));
  }
  reading_ = true;
  began_ = now;
  process_start_s_ = replica_.process_start_s();
  if (IsEjected(*state_) || TakeDoubt(*state_)) {
    Probe();
  } else {
    Read();
  }
}

void ReplicaWatch::Probe() {
  timeline_.After(options_.page_time, [watch = weak_from_this()] {
    const std::shared_ptr<ReplicaWatch> held = watch.lock();
    if (held != nullptr) held->EndProbe(held->replica_.up());
  });
}

void ReplicaWatch::EndProbe(bool answers) {
  const TimePoint now = timeline_.now();
  reading_ = false;
  if (answers) {
    if (IsEjected(*state_)) RecordProbeSuccess(*state_, now);
    LookBy(now);
  } else {
    index_.RemoveEndpoint(state_->slot);
    RecordProbeFailure(*state_, now);
    LookBy(now + Interval());
  }
  seen_();
}

void ReplicaWatch::Read() {
  if (!replica_.up()) return Fail(EndpointFailure::kConnectRefused);
  in_flight_at_start_ = state_->in_flight_requests;
  tokens_at_start_ = state_->own_tokens();
  timeline_.After(options_.page_time, [watch = weak_from_this()] {
    const std::shared_ptr<ReplicaWatch> held = watch.lock();
    if (held == nullptr) return;
    const VirtualReplica& replica = held->replica_;
    held->EndPage(replica.up() && replica.process_start_s() == held->process_start_s_);
  });
}

void ReplicaWatch::EndPage(bool answers) {
  if (!answers) return Fail(EndpointFailure::kNoAnswer);
  reading_ = false;
  ++pages_;
  ApplyTo(*state_);
  LookBy(began_ + Interval());
  seen_();
}

void ReplicaWatch::ApplyTo(EndpointState& state) {
  const sim::Engine& engine = replica_.engine();
  MetricsSample sample;
  sample.waiting_found = sample.running_found = sample.kv_cache_found = true;
  sample.cache_config_found = true;
  sample.waiting_requests = static_cast<float>(engine.waiting());
  sample.running_requests = static_cast<float>(engine.running());
  sample.kv_cache_utilization_ratio = static_cast<float>(engine.kv_utilization_ratio());
  sample.cache_block_tokens = engine.spec().block_tokens;
  sample.cache_blocks = engine.spec().kv_blocks;
  sample.process_start_s = replica_.process_start_s();
  pacer_.OnAnswer(options_.page_time, engine.waiting() + engine.running() == 0);
  state.scrape_failures = 0;
  state.unanswered_scrapes = 0;
  state.paced_age_ns = pacer_.PacedAge(options_.metrics_age_max, Duration(0)).count();
  const PageReading reading{in_flight_at_start_, tokens_at_start_, true, timeline_.now()};
  if (ApplyPage(sample, reading, &memory_, &state).restarted) index_.RemoveEndpoint(state.slot);
}

void ReplicaWatch::Fail(EndpointFailure failure) {
  reading_ = false;
  if (failure == EndpointFailure::kConnectRefused) {
    index_.RemoveEndpoint(state_->slot);
  } else {
    ++state_->unanswered_scrapes;
  }
  pacer_.OnFailure();
  ++state_->scrape_failures;
  RecordFailure(*state_, timeline_.now(), failure);
  LookBy(began_ + Interval());
  seen_();
}

}  // namespace gw::bench
