// Workloads as clients make them: conversations, in tokens, and what of their prompts is common.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace gw::bench {

// A stretch of a prompt. Equal ids are equal text.
struct Part {
  uint64_t id = 0;
  uint32_t tokens = 0;
};

struct Turn {
  Duration pause{};  // from the end of the answer before it; of the first turn: none
  uint32_t question_tokens = 0;
  uint32_t answer_tokens = 0;
};

// Each turn's prompt is the opening and all that was said until then.
struct Conversation {
  Duration begins{};  // ascending from one to the next
  std::vector<Part> opening;
  std::vector<Turn> turns;
};

// Single requests, `per_second` of them at random times: 150 system prompts of 6,000 tokens, each
// with 5 questions of 1,200, answers of 1,000. What the llm-d project publishes its figures on
// (llm-d-kv-cache, benchmarking/73-capacity).
std::vector<Conversation> SharedPrefixes(double per_second, Duration lasts, Random& random);

// Conversations of 4 turns, 45 s apart, `per_second` turns in all: one system prompt of 1,000
// tokens, questions of 1,000, answers of 300; so 4,000 tokens of prompt on average. The
// interactive-chat of inference-perf's catalogue.
std::vector<Conversation> Chats(double per_second, Duration lasts, Random& random);

// The prompt of a turn, as parts.
std::vector<Part> PromptOf(const Conversation& conversation, uint64_t number, size_t turn);
// The id of what was answered in it.
uint64_t AnswerId(uint64_t number, size_t turn);

// Four characters for each token.
std::string TextOf(const std::vector<Part>& parts);
// Chained names of the full blocks of that text.
std::vector<uint64_t> BlockNamesOf(const std::vector<Part>& parts, uint32_t block_tokens);

}  // namespace gw::bench
