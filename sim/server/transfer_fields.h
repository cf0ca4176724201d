// What disaggregated serving adds to a request's body: kv_transfer_params of vLLM's NIXL connector,
// and the bootstrap fields of SGLang.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gw::sim {

// kv_transfer_params. All empty if it is absent or null, which is a plain request.
struct NixlParams {
  bool do_remote_decode = false;   // compute, and keep the blocks for another server
  bool do_remote_prefill = false;  // another server has the blocks
  std::string engine_id;           // of that server, and below too
  std::string request_id;
  std::string host;
  uint16_t port = 0;
};

// One entry for each sequence: one for a single prompt, written as scalars or as lists of one.
struct BootstrapFields {
  std::vector<std::string> hosts;
  std::vector<std::optional<uint16_t>> ports;  // null: the prefill server's default
  std::vector<uint64_t> rooms;
};

}  // namespace gw::sim
