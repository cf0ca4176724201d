// A model server in virtual time: the engine model of the simulated ones, which can die and be
// started again.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "bench/virtual/timeline.h"
#include "sim/engine/engine.h"

namespace gw::bench {

// Whose request it is. Told nothing more once the request has finished, broken or been cancelled.
class ReplicaCaller {
 public:
  virtual void OnScheduled(uint32_t cached_tokens) = 0;  // again after a preemption
  virtual void OnToken(uint32_t tokens) = 0;             // so many by now
  virtual void OnFinished() = 0;
  // Has room for the KV of its prompt but for so many tokens, which wait for KvArrived.
  virtual void OnReceiving(uint32_t cached_tokens) {}
  virtual void OnBroken() = 0;  // the server has died

 protected:
  ~ReplicaCaller() = default;
};

class VirtualReplica {
 public:
  VirtualReplica(Timeline& timeline, const sim::ServerSpec& spec);

  // False: it can never run (sim::Engine::Submit). REQUIRES: up(); no other request has its id
  bool Submit(sim::EngineRequest request, ReplicaCaller* caller);
  void Cancel(uint64_t id);  // its client has closed
  // Of halves of disaggregated requests (sim::Engine). REQUIRES: up()
  void KvArrived(uint64_t id);
  void ReleaseHeld(uint64_t id);

  void Kill();   // REQUIRES: up()
  void Start();  // with an empty cache. REQUIRES: !up()
  bool up() const { return engine_ != nullptr; }
  // Times as fast as its spec, from its next step on. REQUIRES: > 0
  void set_speed(double speed) { speed_ = speed; }
  // `tell`: under which names nothing is found any more, after each step.
  void FollowEvictions(std::function<void(std::span<const uint64_t> names)> tell);
  // When the process was started, as its metrics page says; another one for each process.
  double process_start_s() const { return process_start_s_; }
  // REQUIRES: up()
  const sim::Engine& engine() const { return *engine_; }
  const sim::ServerSpec& spec() const { return spec_; }
  // Of all its processes.
  uint64_t submitted() const { return submitted_; }
  uint64_t preemptions() const {
    return preemptions_before_ + (up() ? engine_->counters().preemptions : 0);
  }

 private:
  void BeginStep();
  void EndStep();

  Timeline& timeline_;
  const sim::ServerSpec spec_;
  std::unique_ptr<sim::Engine> engine_;
  double process_start_s_ = 0;
  double speed_ = 1;
  uint64_t submitted_ = 0;
  uint64_t preemptions_before_ = 0;
  std::function<void(std::span<const uint64_t>)> on_evicted_;
  std::vector<uint64_t> evicted_;
  uint64_t process_ = 0;  // steps of an earlier one end in nothing
  std::unordered_map<uint64_t, ReplicaCaller*> callers_;
  std::vector<sim::EngineEvent> happened_;
};

}  // namespace gw::bench
