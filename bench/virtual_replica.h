// A model server in virtual time: the engine model of the simulated ones, which can die and be
// started again.

#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bench/timeline.h"
#include "sim/engine/engine.h"

namespace gw::bench {

// Whose request it is. Told nothing more once the request has finished, broken or been cancelled.
class ReplicaCaller {
 public:
  virtual void OnScheduled(uint32_t cached_tokens) = 0;  // again after a preemption
  virtual void OnToken(uint32_t tokens) = 0;             // so many by now
  virtual void OnFinished() = 0;
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

  void Kill();   // REQUIRES: up()
  void Start();  // with an empty cache. REQUIRES: !up()
  bool up() const { return engine_ != nullptr; }
  // When the process was started, as its metrics page says; another one for each process.
  double process_start_s() const { return process_start_s_; }
  // REQUIRES: up()
  const sim::Engine& engine() const { return *engine_; }

 private:
  void BeginStep();
  void EndStep();

  Timeline& timeline_;
  const sim::ServerSpec spec_;
  std::unique_ptr<sim::Engine> engine_;
  double process_start_s_ = 0;
  uint64_t process_ = 0;  // steps of an earlier one end in nothing
  std::unordered_map<uint64_t, ReplicaCaller*> callers_;
  std::vector<sim::EngineEvent> happened_;
};

}  // namespace gw::bench
