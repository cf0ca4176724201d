// `penstock sim`: simulated model servers over HTTP, each on a loopback address of its own.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gw {

// What the user typed; server/options.h of sim says what it means.
struct SimFlags {
  std::string runtime = "vllm";  // words of the metrics page: vllm or sglang
  std::vector<std::string> models = {"/models/Qwen3-32B"};  // the first one, and its aliases
  std::vector<std::string> loras;  // adapters: models with caches of their own
  int replicas = 1;
  // Of the first replica; the next one has the next address, or with port 0 each gets any port.
  std::string listen = "127.0.0.11:8000";
  std::string name = "sim";  // replica i is name-i
  std::string preset = "q32h100";
  double speed = 1;   // 10: everything takes a tenth of its time
  uint64_t seed = 1;  // of the generated text and its length
  // 0: the preset's.
  uint32_t max_num_seqs = 0;
  uint32_t max_num_batched_tokens = 0;
  uint32_t kv_blocks = 0;
  uint32_t block_size = 0;
  uint32_t max_model_len = 131072;
  int threads = 1;
  std::string role = "both";  // of disaggregated serving: both, prefill or decode
  int kv_port = 5600;         // 0: any
  int bootstrap_port = 8998;
  double kv_bandwidth_gb = 25;  // GB per second
  std::string kv_lease = "30s";
  std::string bootstrap_timeout = "300s";
  std::vector<std::string> faults;  // "replica=1:break-after=5"; all replicas without "replica=K:"
  bool print_pods = false;          // print Pod objects for the replicas instead of serving
  std::string labels;               // of those: "k=v,k=v"
};

// "llama-8b-pro6000, ..., instant": what --preset takes.
std::string PresetNames();

// Serves until SIGTERM or SIGINT; 0 then, 1 with a message if it cannot start.
int RunSim(const SimFlags& flags);

}  // namespace gw
