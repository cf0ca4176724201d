#include "cli/bench_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>

#include "api/names.h"
#include "bench/load/agent_sessions.h"
#include "bench/load/fixed_prompts.h"
#include "bench/load/labelled.h"
#include "bench/load/log_trace.h"
#include "bench/load/multi_round_qa.h"
#include "bench/load/share_gpt.h"
#include "bench/load/shared_prefix.h"
#include "bench/load/trace_file.h"
#include "bench/load/trace_formats.h"
#include "bench/load/trace_replay.h"

namespace gw {
namespace {

using bench::LoadWorkload;

template <typename T>
void SetIfGiven(const std::optional<T>& given, T* value) {
  if (given) *value = *given;
}

absl::StatusOr<bench::RequestForm> FormOf(const BenchFlags& flags) {
  bench::RequestForm form{
      .api = ApiNamed(flags.api), .model = flags.model, .ignore_eos = flags.ignore_eos};
  RETURN_IF_ERROR(bench::CheckForm(form));
  return form;
}

absl::StatusOr<bench::PaceOptions> PaceOf(const BenchFlags& flags) {
  bench::PaceOptions pace;
  pace.concurrency = flags.concurrency;
  pace.arrivals.per_second = flags.rate;
  pace.arrivals.to_per_second = flags.rate_to;
  pace.arrivals.count = flags.requests;
  pace.arrivals.burstiness =
      flags.constant ? std::numeric_limits<double>::infinity() : flags.burstiness;
  if (!flags.ladder.empty()) {
    ASSIGN_OR_RETURN(pace.arrivals.ladder, bench::ParseLadder(flags.ladder));
  } else if (flags.concurrency == 0 && !flags.rate) {
    pace.arrivals.per_second = 1;
  }
  if (!flags.duration.empty()) {
    ASSIGN_OR_RETURN(pace.arrivals.duration, TimeOf("--duration", flags.duration));
  }
  return pace;
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> RandomOf(const BenchFlags& flags) {
  bench::FixedPromptsOptions options{.range_ratio = flags.range_ratio, .seed = flags.seed};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
  ASSIGN_OR_RETURN(options.pace, PaceOf(flags));
  SetIfGiven(flags.prompt_tokens, &options.prompt_tokens);
  SetIfGiven(flags.output_tokens, &options.output_tokens);
  return bench::NewFixedPrompts(options);
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> SharedPrefixOf(const BenchFlags& flags) {
  bench::SharedPrefixOptions options{.seed = flags.seed};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
  ASSIGN_OR_RETURN(options.pace, PaceOf(flags));
  SetIfGiven(flags.groups, &options.groups);
  SetIfGiven(flags.prompts_per_group, &options.prompts_per_group);
  SetIfGiven(flags.system_tokens, &options.system_tokens);
  SetIfGiven(flags.question_tokens, &options.question_tokens);
  SetIfGiven(flags.output_tokens, &options.output_tokens);
  return bench::NewSharedPrefix(options);
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> MultiRoundQaOf(const BenchFlags& flags) {
  bench::MultiRoundQaOptions options{.users_before = flags.users_before};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
  if (!flags.duration.empty()) {
    ASSIGN_OR_RETURN(options.duration, TimeOf("--duration", flags.duration));
  }
  SetIfGiven(flags.users, &options.users);
  SetIfGiven(flags.rounds, &options.rounds);
  SetIfGiven(flags.rate, &options.per_second);
  SetIfGiven(flags.system_tokens, &options.system_tokens);
  SetIfGiven(flags.history_tokens, &options.history_tokens);
  SetIfGiven(flags.output_tokens, &options.output_tokens);
  SetIfGiven(flags.warm_up, &options.warm_up);
  return bench::NewMultiRoundQa(options);
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> ShareGptOf(const BenchFlags& flags) {
  if (flags.dataset_file.empty()) {
    return WrongFlag("--workload sharegpt", "wanted --dataset PATH, too");
  }
  if (flags.output_tokens && (*flags.output_tokens == 0 || *flags.output_tokens >= 2048)) {
    return WrongFlag("--output-tokens", "wanted 1 to 2047");
  }
  bench::ShareGptOptions options{.seed = flags.seed};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
  ASSIGN_OR_RETURN(options.pace, PaceOf(flags));
  absl::StatusOr<std::unique_ptr<std::istream>> in = bench::OpenTrace(flags.dataset_file);
  if (!in.ok()) return WrongFlag("--dataset", std::string(in.status().message()));
  auto prompts = bench::ReadShareGpt(**in, flags.output_tokens);
  if (prompts.ok()) return bench::NewShareGpt(*std::move(prompts), options);
  return WrongFlag("--dataset", fmt::format("{}: {}", flags.dataset_file,
                                            std::string(prompts.status().message())));
}

// Of what came of a file of --trace.
template <typename T>
absl::StatusOr<T> OfTrace(const BenchFlags& flags, absl::StatusOr<T> read) {
  if (read.ok()) return read;
  return WrongFlag("--trace", fmt::format("{}, as {}: {}", flags.trace_file, flags.trace_format,
                                          std::string(read.status().message())));
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> SessionsOf(const BenchFlags& flags,
                                                         std::istream& trace) {
  bench::AgentSessionsOptions options{
      .speed = flags.speed, .count = flags.requests, .seed = flags.seed};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
  SetIfGiven(flags.users, &options.users);
  ASSIGN_OR_RETURN(auto sessions, OfTrace(flags, bench::ReadAgentSessions(trace)));
  return bench::NewAgentSessions(std::move(sessions), options);
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> LogOf(const BenchFlags& flags, std::istream& log,
                                                    bench::TraceReplayOptions options) {
  ASSIGN_OR_RETURN(bench::LogTrace trace,
                   OfTrace(flags, bench::ReadLogTrace(log, flags.trace_pool, flags.requests)));
  options.block_tokens = trace.block_tokens;
  return bench::NewTraceReplay(std::move(trace.requests), options);
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> TraceOf(const BenchFlags& flags) {
  if (flags.trace_file.empty()) return WrongFlag("--workload trace", "wanted --trace PATH, too");
  absl::StatusOr<std::unique_ptr<std::istream>> in = bench::OpenTrace(flags.trace_file);
  if (!in.ok()) return WrongFlag("--trace", std::string(in.status().message()));
  if (!flags.trace_pool.empty() && flags.trace_format != "log") {
    return WrongFlag("--trace-pool", "says something only with --trace-format log");
  }
  if (flags.trace_format == "weka") return SessionsOf(flags, **in);
  if (flags.users) return WrongFlag("--users", "says something only with --trace-format weka");
  bench::TraceReplayOptions options{.speed = flags.speed, .seed = flags.seed};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
  if (flags.trace_format == "log") return LogOf(flags, **in, options);
  const auto read = flags.trace_format == "azure"     ? bench::ReadAzureTrace
                    : flags.trace_format == "lmcache" ? bench::ReadLmcacheTrace
                                                      : bench::ReadTrace;
  ASSIGN_OR_RETURN(auto trace, OfTrace(flags, read(**in, flags.requests)));
  return bench::NewTraceReplay(std::move(trace), options);
}

// Flags that only some workloads have use for.
struct OfWorkloads {
  std::string_view flag;
  std::vector<std::string_view> workloads;
};

absl::StatusOr<std::unique_ptr<LoadWorkload>> UnlabelledOf(const BenchFlags& flags) {
  if (flags.workload == "shared-prefix") return SharedPrefixOf(flags);
  if (flags.workload == "multi-round-qa") return MultiRoundQaOf(flags);
  if (flags.workload == "sharegpt") return ShareGptOf(flags);
  if (flags.workload == "trace") return TraceOf(flags);
  return RandomOf(flags);
}

absl::StatusOr<std::vector<bench::Label>> LabelsOf(const BenchFlags& flags, std::string_view flag,
                                                   std::string_view text) {
  if (!flags.given.contains(std::string(flag))) return std::vector<bench::Label>{};
  absl::StatusOr<std::vector<bench::Label>> labels = bench::ParseLabels(text);
  if (!labels.ok()) return WrongFlag(flag, std::string(labels.status().message()));
  return labels;
}

}  // namespace

absl::Status WrongFlag(std::string_view flag, const std::string& message) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", flag, message));
}

absl::StatusOr<Duration> TimeOf(std::string_view flag, std::string_view text) {
  const std::optional<Duration> time = api::ParseDuration(text);
  if (time && *time > Duration::zero()) return *time;
  return WrongFlag(flag, fmt::format("wanted a time such as 20s or 5m, got \"{}\"", text));
}

ApiKind ApiNamed(std::string_view name) {
  if (name == "chat") return ApiKind::kChatCompletions;
  return name == "completions" ? ApiKind::kCompletions : ApiKind::kMessages;
}

absl::Status WriteFile(std::string_view flag, const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::trunc);
  out << text << std::flush;
  return out ? absl::OkStatus() : WrongFlag(flag, path + " cannot be written");
}

absl::StatusOr<bench::Objectives> ObjectivesOf(std::string_view text) {
  bench::Objectives objectives;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t equals = one.find('=');
    const std::string_view name = one.substr(0, equals);
    std::optional<Duration>* const target = name == "ttft"   ? &objectives.ttft
                                            : name == "tpot" ? &objectives.tpot
                                            : name == "e2e"  ? &objectives.e2e
                                                             : nullptr;
    if (equals == one.npos || target == nullptr) {
      return WrongFlag("--goodput",
                       fmt::format("wanted ttft=TIME, tpot=TIME or e2e=TIME, got \"{}\"", one));
    }
    ASSIGN_OR_RETURN(*target, TimeOf("--goodput", one.substr(equals + 1)));
  }
  return objectives;
}

absl::Status RefuseOthersFlags(const BenchFlags& flags) {
  static const OfWorkloads kAll[] = {
      {"--prompt-tokens", {"random"}},
      {"--range-ratio", {"random"}},
      {"--output-tokens", {"random", "shared-prefix", "multi-round-qa", "sharegpt"}},
      {"--system-tokens", {"shared-prefix", "multi-round-qa"}},
      {"--groups", {"shared-prefix"}},
      {"--prompts-per-group", {"shared-prefix"}},
      {"--question-tokens", {"shared-prefix"}},
      {"--users", {"multi-round-qa", "trace"}},
      {"--rounds", {"multi-round-qa"}},
      {"--history-tokens", {"multi-round-qa"}},
      {"--users-before", {"multi-round-qa"}},
      {"--warm-up", {"multi-round-qa"}},
      {"--dataset", {"sharegpt"}},
      {"--trace", {"trace"}},
      {"--trace-format", {"trace"}},
      {"--trace-pool", {"trace"}},
      {"--speed", {"trace"}},
      {"--rate", {"random", "shared-prefix", "multi-round-qa", "sharegpt"}},
      {"--rate-to", {"random", "shared-prefix", "sharegpt"}},
      {"--ladder", {"random", "shared-prefix", "sharegpt"}},
      {"--burstiness", {"random", "shared-prefix", "sharegpt"}},
      {"--constant", {"random", "shared-prefix", "sharegpt"}},
      {"--concurrency", {"random", "shared-prefix", "sharegpt"}},
      {"--requests", {"random", "shared-prefix", "sharegpt", "trace"}}};
  for (const OfWorkloads& one : kAll) {
    const auto& workloads = one.workloads;
    if (!flags.given.contains(std::string(one.flag)) ||
        std::find(workloads.begin(), workloads.end(), flags.workload) != workloads.end()) {
      continue;
    }
    return WrongFlag(one.flag, fmt::format("says something only with --workload {}",
                                           fmt::join(workloads, " or ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> WorkloadOf(const BenchFlags& flags) {
  bench::LabelOptions labels{.seed = flags.seed};
  ASSIGN_OR_RETURN(labels.tenants, LabelsOf(flags, "--tenants", flags.tenants));
  ASSIGN_OR_RETURN(labels.objectives, LabelsOf(flags, "--objectives", flags.objectives));
  ASSIGN_OR_RETURN(std::unique_ptr<LoadWorkload> workload, UnlabelledOf(flags));
  if (labels.tenants.empty() && labels.objectives.empty()) return workload;
  return bench::NewLabelled(std::move(workload), labels);
}

}  // namespace gw
