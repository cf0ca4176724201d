#include "bench/virtual_replica.h"

#include <algorithm>
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
  ++process_;
  process_start_s_ = static_cast<double>(process_);
}

void VirtualReplica::Kill() {
  CHECK(up());
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
  CHECK(callers_.emplace(id, caller).second);
  BeginStep();
  return true;
}

void VirtualReplica::Cancel(uint64_t id) {
  if (callers_.erase(id) > 0) engine_->Cancel(id);
}

void VirtualReplica::BeginStep() {
  if (engine_->in_step() || !engine_->busy()) return;
  timeline_.After(engine_->BeginStep(), [this, process = process_] {
    if (process == process_) EndStep();
  });
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
    if (event.kind == sim::EngineEvent::Kind::kToken) caller->OnToken(event.tokens);
    if (event.kind == sim::EngineEvent::Kind::kFinished) {
      callers_.erase(found);
      caller->OnFinished();
    }
  }
  BeginStep();
}

}  // namespace gw::bench
