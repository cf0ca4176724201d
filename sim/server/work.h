// Work: what a simulated model does for a request: how much it answers and what, and under which
// names the blocks of prompt and answer are cached. The same for the servers of `penstock sim` and
// for a replay in virtual time.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/server/request_body.h"

namespace gw::sim {

struct WorkOptions {
  uint64_t seed = 0;  // of what is said, beside the prompt
  uint32_t context_tokens_max = 131072;
  uint32_t block_tokens = 16;
  std::string_view cache;           // whose blocks are found: the model's, or an adapter's
  uint32_t limit_max = UINT32_MAX;  // whatever the request says
  bool embeds = false;              // one token, whose text nobody sees
};

struct Work {
  uint32_t prompt_tokens = 0;
  uint32_t limit = 0;                 // of output tokens, as asked for
  uint32_t output_tokens = 0;         // of each answer
  bool ends_at_limit = false;         // else it has said all
  std::string text;                   // of the answer, or of one that an embedding is made of
  std::vector<uint64_t> block_names;  // of the full blocks of prompt and answer
};

// What prompt and seed say: the same again is the same answer.
uint64_t AnswerSeed(const RequestBody& request, uint64_t seed);

// `request`: the answer is put behind its prompt. REQUIRES: the prompt is not empty and has room
// for a token behind it
void PlanWork(const WorkOptions& options, RequestBody* request, Work* work);

}  // namespace gw::sim
