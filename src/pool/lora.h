// LoRA adapters of an endpoint, and how it stands to the one that a request asks for.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gw {

// As the model server reports them; replaced as a whole.
struct LoraAdapters {
  uint32_t max_active = 0;
  std::string base_model = {};  // the model without an adapter; empty if not reported
  std::vector<std::string> running = {};
  std::vector<std::string> waiting = {};

  bool operator==(const LoraAdapters&) const = default;
};

// How an endpoint stands to the adapter that a request asks for.
enum class LoraAffinity : uint8_t { kNotLora, kActive, kWaiting, kRoom, kFull };

}  // namespace gw
