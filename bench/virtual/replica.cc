#include "bench/virtual/replica.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace gw::bench {

VirtualReplica::VirtualReplica(Timeline& timeline, const sim::ServerSpec& spec)
    : timeline_(timeline), spec_(spec) {
  Start();
}

void VirtualReplica::Start() {
  CHECK(!up());
  engine_ = std::make_unique<sim::Engine>(spec_);
  if (on_evicted_) engine_->NoteEvictions(&evicted_);
  ++process_;
  process_start_s_ = static_cast<double>(process_);
}

void VirtualReplica::Kill() {
  CHECK(up());
  preemptions_before_ += engine_->counters().preemptions;
  engine_.reset();
  ++process_;
  // In the order in which they came: that of the table differs from library to library.
  std::vector<std::pair<uint64_t, ReplicaCaller*>> broken(callers_.begin(), callers_.end());
  callers_.clear();
  std::sort(broken.begin(), broken.end());
  for (const auto& [id, caller] : broken) caller->OnBroken();
}

bool VirtualReplica::Submit(sim::EngineRequest request, ReplicaCaller* caller) {
  CHECK(up());
  const uint64_t id = request.id;
  if (!engine_->Submit(std::move(request))) return false;
  ++submitted_;
  CHECK(callers_.emplace(id, caller).second);
  BeginStep();
  return true;
}

void VirtualReplica::FollowEvictions(std::function<void(std::span<const uint64_t> names)> tell) {
  on_evicted_ = std::move(tell);
  if (up()) engine_->NoteEvictions(&evicted_);
}

void VirtualReplica::Cancel(uint64_t id) {
  if (callers_.erase(id) > 0) engine_->Cancel(id);
}

void VirtualReplica::KvArrived(uint64_t id) {
  engine_->KvArrived(id);
  BeginStep();
}

void VirtualReplica::ReleaseHeld(uint64_t id) {
  engine_->ReleaseHeld(id);
  BeginStep();
}

void VirtualReplica::BeginStep() {
  if (engine_->in_step() || !engine_->busy()) return;
  const double time = static_cast<double>(engine_->BeginStep().count()) / speed_;
  timeline_.After(Duration(std::llround(time)), [this, process = process_] {
    if (process == process_) EndStep();
  });
  if (evicted_.empty()) return;
  on_evicted_(evicted_);
  evicted_.clear();
}

void VirtualReplica::EndStep() {
  happened_.clear();
  engine_->EndStep(&happened_);
  // Callers may cancel what is still to be told, and submit more; that begins a step, and tells
  // nothing yet.
  for (const sim::EngineEvent& event : happened_) {
    const auto found = callers_.find(event.id);
    if (found == callers_.end()) continue;
    ReplicaCaller* const caller = found->second;
    if (event.kind == sim::EngineEvent::Kind::kScheduled) caller->OnScheduled(event.tokens);
    if (event.kind == sim::EngineEvent::Kind::kReceiving) caller->OnReceiving(event.tokens);
    if (event.kind == sim::EngineEvent::Kind::kToken) caller->OnToken(event.tokens);
    if (event.kind == sim::EngineEvent::Kind::kFinished) {
      callers_.erase(found);
      caller->OnFinished();
    }
  }
  BeginStep();
}

}  // namespace gw::bench
