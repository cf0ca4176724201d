#include "sim/engine/engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw::sim {
namespace {

constexpr size_t kUnusedMax = 1024;

// Takes a sequence out of a container of pointers; nullptr if it is not in it.
template <typename Container>
auto Take(Container& sequences, const void* sequence) -> typename Container::value_type {
  const auto it = std::find_if(sequences.begin(), sequences.end(),
                               [&](const auto& s) { return s.get() == sequence; });
  if (it == sequences.end()) return nullptr;
  auto taken = std::move(*it);
  sequences.erase(it);
  return taken;
}

// A name that no other block has: serial and block number through a bijective mixer.
uint64_t UniqueName(uint64_t serial, uint64_t block) {
  uint64_t z = (serial << 24) + block + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

struct Engine::Sequence {
  EngineRequest request;
  uint64_t serial = 0;
  uint32_t generated = 0;
  uint32_t computed = 0;    // tokens whose KV is in the blocks, or will be when the step ends
  uint32_t granted = 0;     // of them, in this step
  uint32_t hit_tokens = 0;  // found in the prefix cache when it was admitted
  uint32_t named = 0;       // leading blocks that have their name
  bool admitted_before = false;
  bool running = false;
  bool cancelled = false;
  std::vector<BlockId> blocks;

  uint32_t total() const { return request.prompt_tokens + generated; }
};

Engine::Engine(const ServerSpec& spec) : spec_(spec), pool_(spec.kv_blocks) {
  CHECK(spec.block_tokens > 0 && spec.sequences_max > 0 && spec.batch_tokens_max > 0);
}

Engine::~Engine() = default;

bool Engine::Submit(EngineRequest request) {
  // The last output token is never computed: nothing follows it.
  const uint64_t kv_tokens = uint64_t{request.prompt_tokens} + request.output_tokens - 1;
  if (request.prompt_tokens == 0 || request.output_tokens == 0 ||
      kv_tokens > uint64_t{spec_.kv_blocks} * spec_.block_tokens) {
    ++counters_.refused;
    return false;
  }
  SequencePtr sequence;
  if (unused_.empty()) {
    sequence = std::make_unique<Sequence>();
  } else {
    sequence = std::move(unused_.back());
    unused_.pop_back();
    std::vector<BlockId> blocks = std::move(sequence->blocks);
    blocks.clear();
    *sequence = {};
    sequence->blocks = std::move(blocks);
  }
  sequence->request = std::move(request);
  sequence->serial = next_serial_++;
  const bool is_new = by_id_.emplace(sequence->request.id, sequence.get()).second;
  CHECK(is_new);
  waiting_.push_back(std::move(sequence));
  stalled_ = false;
  return true;
}

bool Engine::Cancel(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  Sequence* const sequence = found->second;
  by_id_.erase(found);
  ++counters_.cancelled;
  stalled_ = false;
  if (sequence->running && in_step_) {
    sequence->cancelled = true;
    ++leaving_;
    return true;
  }
  SequencePtr taken = sequence->running ? Take(running_, sequence) : Take(waiting_, sequence);
  if (taken == nullptr) taken = Take(receiving_, sequence);
  if (taken == nullptr) taken = Take(arrived_, sequence);
  Recycle(std::move(taken));
  return true;
}

bool Engine::KvArrived(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  SequencePtr sequence = Take(receiving_, found->second);
  if (sequence == nullptr) return false;
  const uint32_t computed = sequence->total() - 1;
  counters_.received_tokens += computed - sequence->computed;
  sequence->computed = computed;
  // Computed here if it is preempted: what was sent is gone then.
  sequence->request.kv_from_outside = false;
  NameFullBlocks(sequence.get());
  arrived_.push_back(std::move(sequence));
  stalled_ = false;
  return true;
}

bool Engine::ReleaseHeld(uint64_t id) {
  const auto found = held_.find(id);
  if (found == held_.end()) return false;
  Recycle(std::move(found->second));
  held_.erase(found);
  stalled_ = false;
  return true;
}

std::span<const BlockId> Engine::HeldBlocks(uint64_t id) const {
  const auto found = held_.find(id);
  if (found == held_.end()) return {};
  return found->second->blocks;
}

// Gives back the blocks of a sequence that is nowhere any more.
void Engine::Recycle(SequencePtr sequence) {
  pool_.Release(sequence->blocks);
  if (unused_.size() < kUnusedMax) unused_.push_back(std::move(sequence));
}

Duration Engine::BeginStep() {
  CHECK(!in_step_ && busy());
  in_step_ = true;
  ++counters_.steps;
  batch_ = {};
  budget_ = spec_.batch_tokens_max;
  preempted_in_step_ = false;
  ScheduleRunning();
  if (!preempted_in_step_) ScheduleArrived();
  if (!preempted_in_step_) ScheduleWaiting();
  if (batch_.tokens > 0) return spec_.timer.Of(batch_);
  // Submit refuses what could never run, so other requests hold blocks or are receiving, and what
  // waits cannot go on before they change. That goes for one that has just preempted itself, too:
  // it would only begin again and get as far as before.
  CHECK(running_.empty() && (deferred() > 0 || held() > 0));
  stalled_ = true;
  return {};
}

void Engine::ScheduleRunning() {
  for (size_t i = 0; i < running_.size() && budget_ > 0; ++i) {
    Sequence* const sequence = running_[i].get();
    const uint32_t tokens = std::min(sequence->total() - sequence->computed, budget_);
    const uint32_t held = static_cast<uint32_t>(sequence->blocks.size());
    const uint32_t wanted = BlocksFor(sequence->computed + tokens);
    while (wanted > held + pool_.free_blocks() && i < running_.size()) PreemptLast();
    if (i == running_.size()) return;  // it was the last, and preempted itself
    if (wanted > held) pool_.Allocate(wanted - held, &sequence->blocks);
    Grant(sequence, tokens);
  }
}

void Engine::PreemptLast() {
  SequencePtr last = std::move(running_.back());
  running_.pop_back();
  pool_.Release(last->blocks);
  last->blocks.clear();
  last->computed = 0;
  last->named = 0;
  last->running = false;
  preempted_in_step_ = true;
  ++counters_.preemptions;
  scheduled_.push_back({EngineEvent::Kind::kPreempted, 0, last->request.id});
  waiting_.push_front(std::move(last));
}

void Engine::ScheduleArrived() {
  size_t scheduled = 0;
  while (scheduled < arrived_.size() && budget_ > 0 && running_.size() < spec_.sequences_max) {
    SequencePtr& sequence = arrived_[scheduled++];
    sequence->running = true;
    scheduled_.push_back(
        {EngineEvent::Kind::kScheduled, sequence->hit_tokens, sequence->request.id});
    Grant(sequence.get(), sequence->total() - sequence->computed);
    running_.push_back(std::move(sequence));
  }
  arrived_.erase(arrived_.begin(), arrived_.begin() + static_cast<ptrdiff_t>(scheduled));
}

void Engine::ScheduleWaiting() {
  while (!waiting_.empty() && budget_ > 0 && running_.size() < spec_.sequences_max) {
    Sequence* const sequence = waiting_.front().get();
    if (!Admit(sequence)) return;
    (sequence->running ? running_ : receiving_).push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// Starts the head of the queue, if there are blocks for its first chunk.
bool Engine::Admit(Sequence* sequence) {
  const std::vector<uint64_t>& names = sequence->request.block_names;
  const size_t known = std::min<size_t>(names.size(), (sequence->total() - 1) / spec_.block_tokens);
  found_.clear();
  const uint32_t found_free = pool_.Find({names.data(), known}, &found_);
  const auto found = static_cast<uint32_t>(found_.size());
  const uint32_t hit_tokens = found * spec_.block_tokens;
  const uint32_t rest = sequence->total() - hit_tokens;
  const bool receives = sequence->request.kv_from_outside;
  const uint32_t tokens = receives ? rest : std::min(rest, budget_);
  const uint32_t wanted = BlocksFor(hit_tokens + tokens) - found;
  if (wanted + found_free > pool_.free_blocks()) return false;

  pool_.Share(found_);
  sequence->blocks = found_;
  pool_.Allocate(wanted, &sequence->blocks);
  sequence->computed = hit_tokens;
  sequence->hit_tokens = hit_tokens;
  sequence->named = found;
  if (!sequence->admitted_before) {
    sequence->admitted_before = true;
    counters_.prefix_queries_tokens += sequence->request.prompt_tokens;
    counters_.prefix_hits_tokens += hit_tokens;
  }
  sequence->running = !receives;
  const auto kind = receives ? EngineEvent::Kind::kReceiving : EngineEvent::Kind::kScheduled;
  scheduled_.push_back({kind, hit_tokens, sequence->request.id});
  if (!receives) Grant(sequence, tokens);
  return true;
}

// Puts the next `tokens` of a sequence, for which it has the blocks, into this step's batch.
void Engine::Grant(Sequence* sequence, uint32_t tokens) {
  const bool decodes = sequence->generated > 0 && tokens == 1;
  ++batch_.sequences;
  batch_.tokens += tokens;
  if (decodes) {
    batch_.decode_context_tokens += sequence->total();
  } else {
    batch_.prefill_attention += tokens * (sequence->computed + tokens / 2.0);
    counters_.prefill_tokens += tokens;
  }
  budget_ -= tokens;
  sequence->granted = tokens;
  sequence->computed += tokens;
  NameFullBlocks(sequence);
}

// Blocks get their names when their last token is scheduled: a request admitted later in the same
// step shares them, since each layer writes its KV before it reads any.
void Engine::NameFullBlocks(Sequence* sequence) {
  const uint32_t full = sequence->computed / spec_.block_tokens;
  std::vector<uint64_t>& names = sequence->request.block_names;
  for (; sequence->named < full; ++sequence->named) {
    const uint32_t i = sequence->named;
    // Kept, so that the sequence finds its own blocks again after a preemption.
    if (i == names.size()) names.push_back(UniqueName(sequence->serial, i));
    pool_.Name(sequence->blocks[i], names[i]);
  }
}

void Engine::EndStep(std::vector<EngineEvent>* events) {
  CHECK(in_step_);
  in_step_ = false;
  for (const EngineEvent& event : scheduled_) {
    if (by_id_.contains(event.id)) events->push_back(event);
  }
  scheduled_.clear();
  size_t kept = 0;
  for (SequencePtr& sequence : running_) {
    bool ends = sequence->cancelled;
    if (!ends && sequence->granted > 0 && sequence->computed == sequence->total()) {
      const uint64_t id = sequence->request.id;
      ++sequence->generated;
      ++counters_.generated_tokens;
      events->push_back({EngineEvent::Kind::kToken, sequence->generated, id});
      if (sequence->generated == sequence->request.output_tokens) {
        ends = true;
        ++counters_.finished;
        by_id_.erase(id);
        events->push_back({EngineEvent::Kind::kFinished, sequence->generated, id});
      }
    }
    sequence->granted = 0;
    if (!ends) {
      std::swap(running_[kept++], sequence);
      continue;
    }
    if (!sequence->cancelled && sequence->request.holds_blocks) {
      const uint64_t id = sequence->request.id;
      held_.emplace(id, std::move(sequence));
    } else {
      Recycle(std::move(sequence));
    }
  }
  running_.resize(kept);
  leaving_ = 0;
}

void Engine::CheckConsistent() const {
  pool_.CheckConsistent();
  std::vector<uint32_t> held(pool_.blocks());
  const auto count = [&](const Sequence& sequence) {
    CHECK(sequence.blocks.size() >= BlocksFor(sequence.computed));
    for (const BlockId block : sequence.blocks) ++held[block];
  };
  for (const SequencePtr& sequence : running_) {
    CHECK(sequence->running);
    count(*sequence);
  }
  for (const auto* const others : {&receiving_, &arrived_}) {
    for (const SequencePtr& sequence : *others) {
      CHECK(!sequence->running && sequence->blocks.size() == BlocksFor(sequence->total()));
      count(*sequence);
    }
  }
  for (const auto& [id, sequence] : held_) count(*sequence);
  for (const SequencePtr& sequence : waiting_) CHECK(sequence->blocks.empty());
  for (BlockId block = 0; block < pool_.blocks(); ++block) {
    CHECK(pool_.references(block) == held[block]);
  }
  CHECK(by_id_.size() + leaving_ == running_.size() + waiting());
}

}  // namespace gw::sim
