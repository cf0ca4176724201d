// AgentSessions: users who play sessions of a coding agent, request by request as they were
// recorded: the next one when the answer of the one before is there and the user or the tool has
// taken its time. A closed loop, so that a slow server gets what slow agents ask.
//
// The sessions are those of callanjfox/kv-cache-tester (Claude Code, blocks of 64 tokens), a
// session a line, in a compact form:
//   {"id": "trace_0001", "bs": 64, "tool": 12974, "sys": 4243, "req": [
//     {"i": 71175, "o": 169, "k": 0, "r": [[1, 1112]], "w": 0.0},
//     {"i": 72762, "o": 296, "k": 1112, "r": [[1113, 24]], "w": 12.0},
//     {"sub": [{"i": 9526, ...}, ...], "duration_ms": 126015}]}
// i, o: tokens of prompt and answer; w: seconds since the answer before it, or null. The blocks of
// a prompt are the first k of the request before it in the same list, and then those of r, which
// are runs: a first id, and how many. Other fields are left alone.
//
// Equal ids are equal text within a session. Those up to (tool + sys) / 64, tools and system
// prompt, are so in all sessions, as one deployment's agents share them. What ids do not cover is a
// request's own. Only lengths of answers are played: prompts do not depend on what was answered,
// and after a failed request a session goes on.
//
// "sub" is what a sub-agent asked. Here that comes in sequence and in its place, while in truth
// some ran beside the session; what duration_ms says that it took is therefore taken off the time
// before the session's next request.

#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bench/load/load_workload.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct BlockRun {
  uint64_t first = 0;
  uint64_t count = 0;
};

struct AgentRequest {
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
  uint64_t kept_blocks = 0;  // no more than the one before it has, that is of a sub-agent or is not
  std::vector<BlockRun> blocks = {};  // behind them
  Duration think{};                   // after the answer before it
  bool of_sub_agent = false;
};

struct AgentSession {
  std::string id;
  uint32_t block_tokens = 64;
  uint64_t shared_blocks = 0;  // ids up to it are the same text in all sessions
  std::vector<AgentRequest> requests = {};
};

// An error names the line and what was wanted there.
absl::StatusOr<std::vector<AgentSession>> ReadAgentSessions(std::istream& in);

struct AgentSessionsOptions {
  RequestForm form = {};
  // --users: at a time. Each takes the next session when it is through with one; they begin at
  // once. More than there are sessions have nothing to do.
  uint32_t users = 10;
  double speed = 1;                                // --speed: 2: think times are half as long
  Duration think_max = std::chrono::seconds(120);  // before that
  std::optional<uint64_t> count = {};              // --requests: no more are asked
  uint64_t seed = 1;                               // --seed: of the sessions' order and of texts
};

// What a session is cut down to.
struct AgentLimits {
  uint32_t prompt_tokens_max = UINT32_MAX;  // it ends before its first longer prompt
  size_t requests_max = SIZE_MAX;           // and after so many
  uint32_t output_tokens_max = UINT32_MAX;  // longer answers are as long
};
// Sessions of which nothing is left go.
void LimitAgentSessions(const AgentLimits& limits, std::vector<AgentSession>* sessions);

// Each session is played once. An error names the flag and what was wanted.
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewAgentSessions(std::vector<AgentSession> sessions,
                                                               const AgentSessionsOptions& options);

}  // namespace gw::bench
