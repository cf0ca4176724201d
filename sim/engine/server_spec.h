// ServerSpec: one kind of model server, as the engine model sees it: its speed, its KV cache, its
// scheduler's limits. Presets are calibrated on measured runs where there are any; server_spec.cc
// says which are and how well they fit.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/engine/step_timer.h"

namespace gw::sim {

struct ServerSpec {
  std::string name;
  StepTimer timer;
  uint32_t block_tokens = 16;
  uint32_t kv_blocks = 0;
  uint32_t sequences_max = 256;      // vLLM: max_num_seqs
  uint32_t batch_tokens_max = 8192;  // vLLM: max_num_batched_tokens
  // KV of one token on one GPU. Those of a tensor-parallel server send their shares side by side.
  uint32_t kv_token_bytes = 0;
  // What handing KV blocks to another server takes beside the bytes: finding it, telling it.
  Duration kv_handshake{};
};

// How long the KV of so many tokens is on its way, at so many bytes per second and GPU.
Duration KvTransferTime(const ServerSpec& spec, uint32_t tokens, double bytes_per_second);

// The preset of that name: "llama-8b-pro6000", "llama-8b-4090", "qwen3-32b-pro6000-tp2",
// "qwen3-30b-a3b-pro6000", "q32h100", "q32h100-corrected", "q30h200", "q30h200-corrected";
// "instant" takes no time at all.
std::optional<ServerSpec> FindServerSpec(std::string_view name);
std::vector<std::string> ServerSpecNames();

}  // namespace gw::sim
