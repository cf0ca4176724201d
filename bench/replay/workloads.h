// The workloads of studies, by name: what published figures are of, with their objectives, and the
// knob that loads the engines more.
//
//   conversation, synthetic  Mooncake's traces, those of the first jittered within their 3 s ticks
//   agents                   sessions of coding agents (bench/load/agent_sessions.h), a closed
//   loop:
//                            think times of 120 s at most, sessions up to 120,000 tokens of prompt
//                            or 60 requests, answers up to 2,000 tokens; 30 minutes, 5 of them
//                            warm-up
//   azure-conversation, azure-code  Azure's traces of 2023; prompts have nothing in common
//   lmcache                  LMCache's agents, with the texts as they were
//   b2b                      llm-d's: 150 groups of 5 users, 6,000 + 1,200 tokens of prompt, 1,000
//   of
//                            answer; 50 s at 15/s, a pause, and 25 s at the rate that counts
//   interactive-chat, code-generation, reasoning, deep-research, batch-summarization
//                            inference-perf's catalogue
//   multi-round-qa           the vLLM production stack's
//   random                   prompts of 1,024 tokens with nothing in common, answers of 128
//   trace                    another trace in Mooncake's format, as it is
//   log                      the log of a gateway (bench/load/log_trace.h)

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bench/load/load_workload.h"
#include "bench/load/request_body.h"
#include "bench/load/summary.h"
#include "bench/replay/study.h"

namespace gw::bench {

struct StudyWorkload {
  std::string name;
  LoadAxis axis = LoadAxis::kSpeed;
  double load = 1;  // where a search begins
  Objectives objectives;
  Duration warm_up{};
  std::optional<Duration> length = std::nullopt;  // nothing is asked after it
  MakeWorkload make;
};

struct StudyWorkloadOptions {
  std::string trace_file = {};  // --trace
  std::string trace_pool = {};  // --trace-pool: of a log with several
  RequestForm form = {};
  std::optional<Duration> duration = std::nullopt;  // --duration
};

std::vector<std::string> StudyWorkloadNames();
// Reads its trace, once for all runs. An error names the flag and what was wanted.
absl::StatusOr<StudyWorkload> FindStudyWorkload(const std::string& name,
                                                const StudyWorkloadOptions& options);

}  // namespace gw::bench
