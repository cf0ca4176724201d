#include "sim/engine/server_spec.h"

namespace gw::sim {
namespace {

// The first four are held against runs of vLLM 0.19 by validation_test.cc: 300 requests at 10 per
// second, each. Errors there, on the mean TTFT, TPOT and time to the last token:
//
//   llama-8b-pro6000        -1.9 %  +0.6 %  -0.1 %   kernels measured; h, hseq fitted
//   llama-8b-4090           -1.0 %  -1.9 %  -1.2 %   the same; w0, kv 3 % above the kernels
//   qwen3-32b-pro6000-tp2   -1.3 %  +1.2 %  +0.1 %   kernels measured; h, w0, w1, c0 fitted
//   qwen3-30b-a3b-pro6000   +1.0 %  -0.1 %   0.0 %   all fitted on that run: a calibration, no test
//
// KV bytes of a token are 2 * layers * KV heads * head dimension * 2 bytes / GPUs that share them:
// Llama 3.1 8B 32 * 8 * 128, Qwen3 32B 64 * 8 * 128 on two, Qwen3 30B-A3B 48 * 4 * 128 (each
// data-parallel rank has its own). The hand-over's 5 ms are the middle of the 2 to 10 ms that
// published transfers take beside their bytes.
//
// Where a run's record does not have the KV capacity, it is what 90 % of the GPUs' memory leaves
// beside the weights; those runs never reach it.

constexpr Duration kHandshake = std::chrono::milliseconds(5);

// Llama 3.1 8B, bf16, on one RTX PRO 6000.
ServerSpec Llama8bPro6000() {
  return {.name = "llama-8b-pro6000",
          .timer = {.h_us = 1500,
                    .hseq_us = 20,
                    .w0_us = 10500,
                    .w1_us = 12,
                    .c0_us = 2500,
                    .c_us = 37.3,
                    .kv_ns = 95,
                    .at_ns = 2.2},
          .kv_blocks = 35000,
          .sequences_max = 128,
          .batch_tokens_max = 2048,
          .kv_token_bytes = 2 * 32 * 8 * 128 * 2,
          .kv_handshake = kHandshake};
}

// Llama 3.1 8B, bf16, on one RTX 4090: little memory, so it preempts.
ServerSpec Llama8b4090() {
  return {.name = "llama-8b-4090",
          .timer = {.h_us = 1500,
                    .hseq_us = 20,
                    .w0_us = 16200,
                    .w1_us = 15,
                    .c0_us = 500,
                    .c_us = 88.4,
                    .kv_ns = 150,
                    .at_ns = 4.2},
          .kv_blocks = 2588,
          .sequences_max = 256,
          .batch_tokens_max = 2048,
          .kv_token_bytes = 2 * 32 * 8 * 128 * 2,
          .kv_handshake = kHandshake};
}

// Qwen3 32B, bf16, tensor-parallel on two RTX PRO 6000 joined by PCIe.
ServerSpec Qwen32bPro6000Tp2() {
  return {.name = "qwen3-32b-pro6000-tp2",
          .timer = {.h_us = 2500,
                    .hseq_us = 20,
                    .w0_us = 35000,
                    .w1_us = 90,
                    .c0_us = 15000,
                    .c_us = 150,
                    .kv_ns = 95,
                    .at_ns = 4.3},
          .kv_blocks = 27000,
          .sequences_max = 128,
          .batch_tokens_max = 2048,
          .kv_token_bytes = 2 * 64 * 8 * 128 * 2 / 2,
          .kv_handshake = kHandshake};
}

// Qwen3 30B-A3B, bf16: one of two data-parallel ranks that share the experts of two RTX PRO 6000.
ServerSpec Qwen30bA3bPro6000() {
  return {.name = "qwen3-30b-a3b-pro6000",
          .timer = {.h_us = 2100,
                    .hseq_us = 34,
                    .w0_us = 6500,
                    .w1_us = 4,
                    .wsat_us = 23200,
                    .nsat = 26.3,
                    .c0_us = 15400,
                    .c_us = 73.6,
                    .kv_ns = 58,
                    .at_ns = 3},
          .kv_blocks = 36000,
          .sequences_max = 128,
          .batch_tokens_max = 2048,
          .kv_token_bytes = 2 * 48 * 4 * 128 * 2,
          .kv_handshake = kHandshake};
}

// Qwen3-32B, bf16, tensor-parallel on two H100: compute from the peak token rate and KV capacity
// that the llm-d project published; not fitted to a run. Studies of routing that are published with
// these figures can be compared with; `at` is below what the hardware can do, see the next one.
ServerSpec Q32H100() {
  return {.name = "q32h100",
          .timer = {.h_us = 2000,
                    .hseq_us = 20,
                    .w0_us = 16500,
                    .w1_us = 5,
                    .c0_us = 3000,
                    .c_us = 49,
                    .kv_ns = 48,
                    .at_ns = 0.75},
          .kv_blocks = 307328 / 16,
          .kv_token_bytes = 2 * 64 * 8 * 128 * 2 / 2,
          .kv_handshake = kHandshake};
}

// The same with what attention takes at 60 % of the hardware's peak, and as much less for the rest
// of a prompt. It matters for prompts beyond 16,000 tokens.
ServerSpec Q32H100Corrected() {
  ServerSpec spec = Q32H100();
  spec.name = "q32h100-corrected";
  spec.timer.c_us = 43;
  spec.timer.at_ns = 1.8;
  return spec;
}

// Qwen3-30B-A3B, bf16, on one H200: estimated from the hardware's figures, not fitted.
ServerSpec Q30H200() {
  return {.name = "q30h200",
          .timer = {.h_us = 3000,
                    .hseq_us = 20,
                    .w0_us = 3000,
                    .w1_us = 5,
                    .wsat_us = 12000,
                    .nsat = 24,
                    .c0_us = 4000,
                    .c_us = 22,
                    .kv_ns = 27,
                    .at_ns = 1.0},
          .kv_blocks = 660000 / 16,
          .kv_token_bytes = 2 * 48 * 4 * 128 * 2,
          .kv_handshake = kHandshake};
}

// The same with attention at 60 % of the hardware's peak.
ServerSpec Q30H200Corrected() {
  ServerSpec spec = Q30H200();
  spec.name = "q30h200-corrected";
  spec.timer.at_ns = 1.3;
  return spec;
}

// Answers at once, for measuring what stands in front of it.
ServerSpec Instant() {
  return {.name = "instant",
          .timer = {},
          .kv_blocks = 65536,
          .sequences_max = 4096,
          .batch_tokens_max = 1 << 20};
}

using Make = ServerSpec (*)();
constexpr Make kPresets[] = {Llama8bPro6000,    Llama8b4090,      Qwen32bPro6000Tp2,
                             Qwen30bA3bPro6000, Q32H100,          Q32H100Corrected,
                             Q30H200,           Q30H200Corrected, Instant};

}  // namespace

Duration KvTransferTime(const ServerSpec& spec, uint32_t tokens, double bytes_per_second) {
  const double seconds = static_cast<double>(tokens) * spec.kv_token_bytes / bytes_per_second;
  return spec.kv_handshake + Duration(static_cast<int64_t>(seconds * 1e9));
}

std::optional<ServerSpec> FindServerSpec(std::string_view name) {
  for (const Make make : kPresets) {
    ServerSpec spec = make();
    if (spec.name == name) return spec;
  }
  return std::nullopt;
}

std::vector<std::string> ServerSpecNames() {
  std::vector<std::string> names;
  for (const Make make : kPresets) names.push_back(make().name);
  return names;
}

}  // namespace gw::sim
