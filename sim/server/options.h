// What makes up a fleet of simulated replicas.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sim/engine/server_spec.h"
#include "sim/server/fault.h"
#include "sim/server/metrics_page.h"

namespace gw::sim {

struct SimOptions {
  Runtime runtime = Runtime::kVllm;
  // What the model is called: its name in metrics first, then its aliases. At least one.
  std::vector<std::string> models = {"/models/Qwen3-32B"};
  // Adapters: served as models of their own, which share no cached blocks.
  std::vector<std::string> loras;
  ServerSpec spec;
  double speed = 1;  // everything the engine does takes 1/speed of its time
  uint64_t seed = 1;
  uint32_t context_tokens_max = 131072;

  uint32_t replicas = 1;
  // Of the first replica. The others have the following IPv4 addresses and the same port; with port
  // 0 each has a port of its own.
  std::string listen = "127.0.0.11:8000";
  std::string name = "sim";  // of the replicas: name-0, name-1, ...
  int threads = 1;
  std::vector<FaultOrder> faults;

  Role role = Role::kBoth;
  // Where KV blocks are fetched from, at the replica's own address: NIXL's side channel, or with
  // SGLang the bootstrap server. 0: any port.
  uint16_t kv_port = 5600;
  uint16_t bootstrap_port = 8998;
  double kv_bytes_per_second = 25e9;  // of each GPU's link
  // vLLM: how long blocks are kept for whoever decodes. In real time, whatever the speed.
  Duration kv_lease = std::chrono::seconds(30);
  // SGLang: how long either half waits for the other. In real time, too.
  Duration bootstrap_timeout = std::chrono::seconds(300);

  // uvicorn closes a connection that is idle this long after an answer.
  Duration keep_alive = std::chrono::milliseconds(4850);
  size_t request_body_bytes_max = 256u << 20;
  size_t unsent_bytes_max = 64u << 20;     // of one connection whose client does not read
  size_t pipelined_bytes_max = 64u << 10;  // read ahead while a request is being answered
};

}  // namespace gw::sim
