#include "sim/server/work.h"

#include <algorithm>

#include "prefix/block_hash.h"

namespace gw::sim {

uint64_t AnswerSeed(const RequestBody& request, uint64_t seed) {
  return PrefixSeed(request.prompt.bytes(), {}) + seed;
}

void PlanWork(const WorkOptions& options, RequestBody* request, Work* work) {
  const uint64_t seed = AnswerSeed(*request, options.seed);
  work->prompt_tokens = request->prompt.size();
  const uint32_t room = options.context_tokens_max - work->prompt_tokens;
  const uint32_t natural = std::min(NaturalOutputTokens(seed), room);
  // Without a limit and with ignore_eos, a real one would fill its context.
  work->limit = request->output_tokens_max.value_or(request->ignore_eos ? natural : room);
  work->limit = std::min(work->limit, options.limit_max);
  work->ends_at_limit = false;
  if (options.embeds) {
    work->output_tokens = 1;
  } else if (request->ignore_eos || natural >= work->limit) {
    work->output_tokens = work->limit;
    work->ends_at_limit = true;
  } else {
    work->output_tokens = natural;
  }
  work->text.clear();
  for (uint32_t i = 0; i < work->output_tokens; ++i) AppendOutputToken(seed, i, &work->text);
  // The answer is known already, so its blocks have their names, under which the next turn of the
  // conversation will look for them.
  if (!options.embeds) request->prompt.AddSegment(work->text);
  work->block_names.clear();
  HashBlocks(request->prompt.bytes(), PrefixSeed(options.cache, request->cache_salt),
             {.block_chars = options.block_tokens * kTokenBytes}, &work->block_names);
}

}  // namespace gw::sim
