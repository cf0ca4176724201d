// Engine: the inside of a model server as a loop of iterations, scheduled like vLLM V1.
//
//   engine.Submit(...);
//   while (engine.busy()) {
//     const Duration duration = engine.BeginStep();
//     <let that much time pass, or skip it>
//     engine.EndStep(&events);
//   }
//
// One iteration gives every running sequence its next tokens: one if it decodes, a chunk of its
// prompt otherwise, in order of arrival, within a budget of tokens. A sequence that needs a KV
// block when none is free preempts the last one that runs, which starts over from the front of the
// queue (its prompt and what it has generated so far, less what is found in the prefix cache). If
// none was preempted and budget is left, requests are admitted first come first served, without
// skipping, as long as blocks for their next chunk are there. The leading blocks found in the cache
// need no computing, but at least one token always does. A request whose tokens are all computed
// gets one more at the end of the step.
//
// Disaggregated serving, as vLLM's KV connectors do it: a request whose KV comes from outside is
// given the blocks of its whole prompt when its turn comes, then waits beside the queue, computing
// nothing, until KvArrived; only its last prompt token is computed here. One that holds its blocks
// keeps them after its last token until ReleaseHeld, for somebody to fetch.
//
// Holds no clock, does no I/O and draws no chance: driven in real time and in virtual time alike.
// One thread at a time.

#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "sim/engine/kv_pool.h"
#include "sim/engine/server_spec.h"

namespace gw::sim {

struct EngineRequest {
  uint64_t id = 0;  // of the caller's choice; not one that is in the engine
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
  // Chained hashes of the leading full blocks of prompt and output, as far as they are known. Full
  // blocks beyond get names that no other request has.
  std::vector<uint64_t> block_names;
  bool kv_from_outside = false;
  bool holds_blocks = false;
};

struct EngineEvent {
  enum class Kind : uint8_t {
    kScheduled,  // admitted; again after a preemption
    kPreempted,
    kToken,      // one output token; the first one ends the TTFT
    kFinished,   // after the last token; the request is gone, but for blocks it holds
    kReceiving,  // has the blocks for its KV from outside, which may come now
  };
  Kind kind;
  // kScheduled, kReceiving: found in the prefix cache; kToken: output tokens so far
  uint32_t tokens;
  uint64_t id;
};

// What happened since the start. Tokens are counted when they are computed.
struct EngineCounters {
  uint64_t steps = 0;
  uint64_t preemptions = 0;
  uint64_t prefix_queries_tokens = 0;  // prompt tokens looked up, first admissions only
  uint64_t prefix_hits_tokens = 0;
  uint64_t prefill_tokens = 0;   // computed, so without hits and with what was computed again
  uint64_t received_tokens = 0;  // whose KV came from outside
  uint64_t generated_tokens = 0;
  uint64_t finished = 0;
  uint64_t cancelled = 0;
  uint64_t refused = 0;
};

class Engine {
 public:
  // REQUIRES: all limits of `spec` are above zero
  explicit Engine(const ServerSpec& spec);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queues a request. False if it can never run: no tokens, or more than the KV cache holds.
  bool Submit(EngineRequest request);
  // Ends a request wherever it is; no further events. In the middle of a step its blocks are given
  // back when the step ends. False if there is no such request.
  bool Cancel(uint64_t id);
  // The KV of a request that is receiving is there. False if there is no such request.
  bool KvArrived(uint64_t id);
  // Gives back the blocks that a finished request holds. False if it holds none.
  bool ReleaseHeld(uint64_t id);
  // The blocks of a finished request that holds them; empty if it does not.
  std::span<const BlockId> HeldBlocks(uint64_t id) const;

  // True while there may be something to compute: not while all that is left waits for its KV, or
  // for blocks that are held.
  bool busy() const {
    return !stalled_ && (!running_.empty() || !waiting_.empty() || !arrived_.empty());
  }
  bool in_step() const { return in_step_; }
  // Schedules an iteration and says how long it takes: no time if there was nothing to compute.
  // REQUIRES: busy() && !in_step()
  Duration BeginStep();
  // Applies its results; appends what happened in the iteration, in order.
  // REQUIRES: in_step()
  void EndStep(std::vector<EngineEvent>* events);

  // Without the cancelled ones that still wait for their step's end.
  uint32_t running() const { return static_cast<uint32_t>(running_.size()) - leaving_; }
  uint32_t waiting() const { return static_cast<uint32_t>(waiting_.size()) + deferred(); }
  // Of those: have their blocks, and wait for their KV or for their first step with it.
  uint32_t deferred() const { return static_cast<uint32_t>(receiving_.size() + arrived_.size()); }
  // Finished requests that hold their blocks.
  uint32_t held() const { return static_cast<uint32_t>(held_.size()); }
  uint32_t used_blocks() const { return pool_.blocks() - pool_.free_blocks(); }
  double kv_utilization_ratio() const { return pool_.utilization_ratio(); }
  // The batch of the last step begun.
  const BatchShape& batch() const { return batch_; }
  const EngineCounters& counters() const { return counters_; }
  const ServerSpec& spec() const { return spec_; }
  // Forgets what is cached. False while blocks are in use.
  bool ResetPrefixCache() { return pool_.Reset(); }
  // Appends the names under which no block is found any more, as it happens in BeginStep. `names`
  // outlives the engine.
  void NoteEvictions(std::vector<uint64_t>* names) { pool_.NoteEvictions(names); }

  // For tests: stops the program if blocks held and references disagree.
  void CheckConsistent() const;

 private:
  struct Sequence;
  using SequencePtr = std::unique_ptr<Sequence>;

  void ScheduleRunning();
  void ScheduleArrived();
  void ScheduleWaiting();
  bool Admit(Sequence* sequence);
  void Grant(Sequence* sequence, uint32_t tokens);
  void NameFullBlocks(Sequence* sequence);
  void PreemptLast();
  void Recycle(SequencePtr sequence);
  uint32_t BlocksFor(uint32_t tokens) const {
    return (tokens + spec_.block_tokens - 1) / spec_.block_tokens;
  }

  const ServerSpec spec_;
  KvPool pool_;
  std::vector<SequencePtr> running_;  // in order of admission
  std::deque<SequencePtr> waiting_;
  std::vector<SequencePtr> receiving_;
  std::vector<SequencePtr> arrived_;  // received, and not yet scheduled
  std::unordered_map<uint64_t, SequencePtr> held_;
  std::unordered_map<uint64_t, Sequence*> by_id_;
  std::vector<SequencePtr> unused_;  // to be used again
  std::vector<BlockId> found_;
  std::vector<EngineEvent> scheduled_;  // events of BeginStep
  uint32_t budget_ = 0;
  uint32_t leaving_ = 0;  // running ones cancelled within the step
  bool preempted_in_step_ = false;
  bool in_step_ = false;
  bool stalled_ = false;  // the last step found nothing to do, and nothing has changed since
  uint64_t next_serial_ = 1;
  BatchShape batch_;
  EngineCounters counters_;
};

}  // namespace gw::sim
