#include "pool/endpoint.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"

namespace gw {

std::string_view NameOf(Runtime runtime) {
  switch (runtime) {
    case Runtime::kVllm:
      return "vllm";
    case Runtime::kSglang:
      return "sglang";
    case Runtime::kTrtLlm:
      return "trt-llm";
    case Runtime::kTriton:
      return "triton";
  }
  CHECK(false);
}

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kBoth:
      return "both";
    case Role::kPrefill:
      return "prefill";
    case Role::kDecode:
      return "decode";
  }
  CHECK(false);
}

uint64_t EndpointState::cache_chars() const {
  const uint64_t tokens = uint64_t{cache_block_tokens.load(std::memory_order_relaxed)} *
                          cache_blocks.load(std::memory_order_relaxed);
  return static_cast<uint64_t>(static_cast<double>(tokens) *
                               chars_per_token.load(std::memory_order_relaxed));
}

// The mean over the last so many tokens, about: a prompt of one line says little. What is beyond
// the limits is no text: an image counts as a few bytes of it and a thousand tokens. An update that
// another thread's overwrites is lost, which is no harm.
void EndpointState::LearnCharsPerToken(uint64_t chars, uint64_t tokens) {
  constexpr float kMin = 1;
  constexpr float kMax = 16;
  constexpr float kTokens = 32768;
  if (chars == 0 || tokens == 0) return;
  const auto count = static_cast<float>(tokens);
  const float one = std::clamp(static_cast<float>(chars) / count, kMin, kMax);
  const float before = chars_per_token.load(std::memory_order_relaxed);
  chars_per_token.store(before + (one - before) * count / (count + kTokens),
                        std::memory_order_relaxed);
}

std::shared_ptr<const LoraAdapters> EndpointState::lora() const {
  const MutexLock lock(lora_mutex_);
  return lora_;
}

void EndpointState::set_lora(std::shared_ptr<const LoraAdapters> lora) {
  static std::atomic<uint32_t> last_version{0};
  uint32_t version = 0;
  if (lora != nullptr) {
    do {
      version = last_version.fetch_add(1, std::memory_order_relaxed) + 1;
    } while (version == 0);  // after four billion changes the counter passes 0, which means "none"
  }
  const MutexLock lock(lora_mutex_);
  lora_ = std::move(lora);
  lora_version.store(version, std::memory_order_release);
}

EndpointTable::EndpointTable() : core_(std::make_shared<Core>()) {}

std::shared_ptr<EndpointState> EndpointTable::Get(std::string_view address) {
  Core& core = *core_;
  const MutexLock lock(core.mutex);
  auto it = core.entries.find(absl::string_view(address.data(), address.size()));
  if (it != core.entries.end()) {
    if (std::shared_ptr<EndpointState> state = it->second.state.lock()) return state;
    // Whoever listens at the address by now need not be who listened there before: what the prefix
    // index holds under the old slot must not pass to it.
  } else {
    it = core.entries.emplace(std::string(address), Entry{}).first;
  }
  if (core.free_slots.empty()) {
    it->second.slot = core.next_slot++;
  } else {
    it->second.slot = core.free_slots.back();
    core.free_slots.pop_back();
  }
  // Not the core itself, whose weak pointer keeps this until the entry goes.
  const auto release = [weak = std::weak_ptr(core_), name = it->first](const EndpointState* state) {
    if (const std::shared_ptr<Core> shared = weak.lock()) {
      const MutexLock gone(shared->mutex);
      shared->gone.emplace_back(name, state->slot);
    }
    delete state;
  };
  std::shared_ptr<EndpointState> state(new EndpointState(it->second.slot), release);
  it->second.state = state;
  return state;
}

std::shared_ptr<EndpointState> EndpointTable::Find(std::string_view address) {
  const MutexLock lock(core_->mutex);
  const auto it = core_->entries.find(absl::string_view(address.data(), address.size()));
  return it == core_->entries.end() ? nullptr : it->second.state.lock();
}

std::vector<uint32_t> EndpointTable::TakeReleasedSlots() {
  Core& core = *core_;
  const MutexLock lock(core.mutex);
  core.free_slots.insert(core.free_slots.end(), core.released_slots.begin(),
                         core.released_slots.end());
  core.released_slots.clear();
  for (const auto& [address, slot] : std::exchange(core.gone, {})) {
    core.released_slots.push_back(slot);
    const auto it = core.entries.find(address);
    // Unless the address is back, with another slot.
    if (it != core.entries.end() && it->second.slot == slot) core.entries.erase(it);
  }
  return core.released_slots;
}

}  // namespace gw
