#include "scheduling/pool_memory.h"

#include <algorithm>

namespace gw {
namespace {

int64_t StepOf(TimePoint now) {
  return now.time_since_epoch().count() / PoolMemory::kWindowStep.count();
}

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void PoolMemory::Mean::Learn(double observed) {
  count = std::min(count + 1, kOutputsKept);
  tokens += (observed - tokens) / count;
}

PoolMemory::OfEndpoint& PoolMemory::Of(uint32_t slot) {
  if (endpoints_.size() <= slot) endpoints_.resize(slot + 1);
  return endpoints_[slot];
}

void PoolMemory::AddToWindow(OfEndpoint& of, int64_t tokens, TimePoint now) {
  const int64_t number = StepOf(now);
  Step& step = of.window[static_cast<size_t>(number) % kWindowSteps];
  if (step.number != number) step = {.number = number};
  step.tokens += static_cast<double>(tokens);
}

void PoolMemory::OnDispatch(const EndpointState& state, int64_t uncached_tokens, TimePoint now) {
  const MutexLock lock(mutex_);
  AddToWindow(Of(state.slot), uncached_tokens, now);
  speeds_.OnDispatch(state);
}

void PoolMemory::OnFirstToken(const EndpointState& state, int64_t uncached_tokens,
                              TimePoint dispatched, TimePoint now) {
  const MutexLock lock(mutex_);
  speeds_.OnFirstToken(state, uncached_tokens, dispatched, now);
  tokens_per_second_.store(static_cast<float>(speeds_.pool()), std::memory_order_relaxed);
  mixed_.store(speeds_.mixed(), std::memory_order_relaxed);
}

void PoolMemory::OnEnd(const EndpointState& state, std::string_view model, int64_t output_tokens,
                       TimePoint now) {
  if (output_tokens <= 0) return;
  const MutexLock lock(mutex_);
  AddToWindow(Of(state.slot), output_tokens, now);
  const auto tokens = static_cast<double>(output_tokens);
  auto found = outputs_by_model_.find(ToAbsl(model));
  if (found == outputs_by_model_.end() && outputs_by_model_.size() < kModelsMax) {
    // As those of the pool's other models, until it shows.
    const Mean first{.tokens = outputs_.tokens};
    found = outputs_by_model_.emplace(std::string(model), first).first;
  }
  if (found != outputs_by_model_.end()) found->second.Learn(tokens);
  outputs_.Learn(tokens);
}

float PoolMemory::OutputTokens(std::string_view model) const {
  const MutexLock lock(mutex_);
  const auto found = outputs_by_model_.find(ToAbsl(model));
  return static_cast<float>(found == outputs_by_model_.end() ? outputs_.tokens
                                                             : found->second.tokens);
}

void PoolMemory::FillSecondsPerToken(const Candidates& candidates, std::span<float> seconds) const {
  if (!mixed_.load(std::memory_order_relaxed)) {
    std::fill(seconds.begin(), seconds.end(), 1 / prefill_tokens_per_second());
    return;
  }
  const MutexLock lock(mutex_);
  for (size_t i = 0; i < seconds.size(); ++i) {
    seconds[i] = static_cast<float>(1 / speeds_.Of(candidates.slots()[i]));
  }
}

void PoolMemory::FillWindows(const Candidates& candidates, TimePoint now,
                             std::span<float> tokens) const {
  const int64_t number = StepOf(now);
  const MutexLock lock(mutex_);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const uint32_t slot = candidates.slots()[i];
    double sum = 0;
    if (slot < endpoints_.size()) {
      for (const Step& step : endpoints_[slot].window) {
        if (step.number > number - static_cast<int64_t>(kWindowSteps)) sum += step.tokens;
      }
    }
    tokens[i] = static_cast<float>(sum);
  }
}

uint64_t PoolMemory::TakeTurn(uint32_t first_slot) {
  const MutexLock lock(mutex_);
  return Of(first_slot).turns++;
}

std::shared_ptr<PoolMemory> PoolMemories::Get(const std::string& pool) {
  const MutexLock lock(mutex_);
  std::erase_if(memories_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<PoolMemory>& known = memories_[pool];
  std::shared_ptr<PoolMemory> memory = known.lock();
  if (memory == nullptr) known = memory = std::make_shared<PoolMemory>();
  return memory;
}

}  // namespace gw
