#include "cli/bench.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <utility>

#include "api/names.h"
#include "base/clock.h"
#include "base/status.h"
#include "bench/load/agent_sessions.h"
#include "bench/load/compare.h"
#include "bench/load/fixed_prompts.h"
#include "bench/load/labelled.h"
#include "bench/load/multi_round_qa.h"
#include "bench/load/progress.h"
#include "bench/load/report_html.h"
#include "bench/load/report_json.h"
#include "bench/load/report_text.h"
#include "bench/load/runner.h"
#include "bench/load/shared_prefix.h"
#include "bench/load/trace_file.h"
#include "bench/load/trace_formats.h"
#include "bench/load/trace_replay.h"
#include "cli/server_url.h"
#include "config/file/files.h"
#include "server/admin_access.h"

namespace gw {
namespace {

using bench::LoadWorkload;

constexpr size_t kResultBytesMax = size_t{1} << 32;

std::atomic<bool> interrupted{false};

absl::Status Wrong(std::string_view flag, const std::string& message) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", flag, message));
}

template <typename T>
void SetIfGiven(const std::optional<T>& given, T* value) {
  if (given) *value = *given;
}

absl::StatusOr<Duration> TimeOf(std::string_view flag, std::string_view text) {
  const std::optional<Duration> time = api::ParseDuration(text);
  if (time && *time > Duration::zero()) return *time;
  return Wrong(flag, fmt::format("wanted a time such as 20s or 5m, got \"{}\"", text));
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
      return Wrong("--goodput",
                   fmt::format("wanted ttft=TIME, tpot=TIME or e2e=TIME, got \"{}\"", one));
    }
    ASSIGN_OR_RETURN(*target, TimeOf("--goodput", one.substr(equals + 1)));
  }
  return objectives;
}

absl::StatusOr<bench::RequestForm> FormOf(const BenchFlags& flags) {
  bench::RequestForm form{.api = flags.api == "chat"          ? ApiKind::kChatCompletions
                                 : flags.api == "completions" ? ApiKind::kCompletions
                                                              : ApiKind::kMessages,
                          .model = flags.model,
                          .ignore_eos = flags.ignore_eos};
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

// Of what came of a file of --trace.
template <typename T>
absl::StatusOr<T> OfTrace(const BenchFlags& flags, absl::StatusOr<T> read) {
  if (read.ok()) return read;
  return Wrong("--trace", fmt::format("{}, as {}: {}", flags.trace_file, flags.trace_format,
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

absl::StatusOr<std::unique_ptr<LoadWorkload>> TraceOf(const BenchFlags& flags) {
  if (flags.trace_file.empty()) return Wrong("--workload trace", "wanted --trace PATH, too");
  absl::StatusOr<std::unique_ptr<std::istream>> in = bench::OpenTrace(flags.trace_file);
  if (!in.ok()) return Wrong("--trace", std::string(in.status().message()));
  if (flags.trace_format == "weka") return SessionsOf(flags, **in);
  if (flags.users) return Wrong("--users", "says something only with --trace-format weka");
  bench::TraceReplayOptions options{.speed = flags.speed, .seed = flags.seed};
  ASSIGN_OR_RETURN(options.form, FormOf(flags));
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

// Somebody believes that they say something.
absl::Status RefuseOthersFlags(const BenchFlags& flags) {
  static const OfWorkloads kAll[] = {
      {"--prompt-tokens", {"random"}},
      {"--range-ratio", {"random"}},
      {"--output-tokens", {"random", "shared-prefix", "multi-round-qa"}},
      {"--system-tokens", {"shared-prefix", "multi-round-qa"}},
      {"--groups", {"shared-prefix"}},
      {"--prompts-per-group", {"shared-prefix"}},
      {"--question-tokens", {"shared-prefix"}},
      {"--users", {"multi-round-qa", "trace"}},
      {"--rounds", {"multi-round-qa"}},
      {"--history-tokens", {"multi-round-qa"}},
      {"--users-before", {"multi-round-qa"}},
      {"--warm-up", {"multi-round-qa"}},
      {"--trace", {"trace"}},
      {"--trace-format", {"trace"}},
      {"--speed", {"trace"}},
      {"--rate", {"random", "shared-prefix", "multi-round-qa"}},
      {"--rate-to", {"random", "shared-prefix"}},
      {"--ladder", {"random", "shared-prefix"}},
      {"--burstiness", {"random", "shared-prefix"}},
      {"--constant", {"random", "shared-prefix"}},
      {"--concurrency", {"random", "shared-prefix"}},
      {"--requests", {"random", "shared-prefix", "trace"}}};
  for (const OfWorkloads& one : kAll) {
    const auto& workloads = one.workloads;
    if (!flags.given.contains(std::string(one.flag)) ||
        std::find(workloads.begin(), workloads.end(), flags.workload) != workloads.end()) {
      continue;
    }
    return Wrong(one.flag, fmt::format("says something only with --workload {}",
                                       fmt::join(workloads, " or ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> UnlabelledOf(const BenchFlags& flags) {
  if (flags.workload == "shared-prefix") return SharedPrefixOf(flags);
  if (flags.workload == "multi-round-qa") return MultiRoundQaOf(flags);
  if (flags.workload == "trace") return TraceOf(flags);
  return RandomOf(flags);
}

absl::StatusOr<std::vector<bench::Label>> LabelsOf(const BenchFlags& flags, std::string_view flag,
                                                   std::string_view text) {
  if (!flags.given.contains(std::string(flag))) return std::vector<bench::Label>{};
  absl::StatusOr<std::vector<bench::Label>> labels = bench::ParseLabels(text);
  if (!labels.ok()) return Wrong(flag, std::string(labels.status().message()));
  return labels;
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> WorkloadOf(const BenchFlags& flags) {
  bench::LabelOptions labels{.seed = flags.seed};
  ASSIGN_OR_RETURN(labels.tenants, LabelsOf(flags, "--tenants", flags.tenants));
  ASSIGN_OR_RETURN(labels.objectives, LabelsOf(flags, "--objectives", flags.objectives));
  ASSIGN_OR_RETURN(std::unique_ptr<LoadWorkload> workload, UnlabelledOf(flags));
  if (labels.tenants.empty() && labels.objectives.empty()) return workload;
  return bench::NewLabelled(std::move(workload), labels);
}

absl::StatusOr<bench::LoadTarget> TargetOf(std::string_view flag, const std::string& text,
                                           const BenchFlags& flags) {
  ASSIGN_OR_RETURN(ServerUrl url, ServerUrlOf(flag, text, flags.trust));
  // SDKs are given it with /v1 at its end.
  if (url.path.ends_with("/v1")) url.path.resize(url.path.size() - 3);
  bench::LoadTarget target{.address = url.address.ToString(),
                           .authority = url.authority,
                           .path = url.path,
                           .tls = url.tls};
  for (const std::string& header : flags.headers) {
    const size_t colon = header.find(':');
    const std::string name = header.substr(0, colon);
    if (colon == header.npos || !api::IsHttpToken(name)) {
      return Wrong("--header", fmt::format("wanted NAME:VALUE, got \"{}\"", header));
    }
    const size_t value = header.find_first_not_of(' ', colon + 1);
    target.fields.emplace_back(name, value == header.npos ? "" : header.substr(value));
  }
  if (!flags.api_key_file.empty()) {
    const absl::StatusOr<std::string> key = ReadToken(flags.api_key_file);
    if (!key.ok()) return Wrong("--api-key-file", std::string(key.status().message()));
    target.fields.emplace_back("authorization", "Bearer " + *key);
  }
  return target;
}

// What runs need, all of it checked.
struct Plan {
  std::vector<std::string> urls;
  std::vector<bench::LoadTarget> targets;  // of those
  bench::Objectives objectives;
  bench::RunnerOptions runner;
  std::string workload;  // described
  std::unique_ptr<EventLoop> loop;
};

absl::StatusOr<Plan> PlanOf(const BenchFlags& flags) {
  RETURN_IF_ERROR(RefuseOthersFlags(flags));
  if (!flags.files.empty()) return Wrong("FILE", "says something only after compare");
  if (flags.model.empty()) return Wrong("--model", "wanted the model that is asked for");
  if ((flags.action == "ab") != !flags.against.empty()) {
    return Wrong("--against", flags.against.empty() ? "is wanted by ab: the other server"
                                                    : "says something only after ab");
  }
  Plan plan;
  plan.urls = {flags.target};
  ASSIGN_OR_RETURN(plan.targets.emplace_back(), TargetOf("--target", flags.target, flags));
  if (!flags.against.empty()) {
    plan.urls.push_back(flags.against);
    ASSIGN_OR_RETURN(plan.targets.emplace_back(), TargetOf("--against", flags.against, flags));
  }
  ASSIGN_OR_RETURN(plan.objectives, ObjectivesOf(flags.goodput));
  ASSIGN_OR_RETURN(plan.runner.patience, TimeOf("--patience", flags.patience));
  if (!flags.duration.empty()) {
    ASSIGN_OR_RETURN(plan.runner.length, TimeOf("--duration", flags.duration));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<LoadWorkload> workload, WorkloadOf(flags));
  plan.workload = workload->Describe();
  ASSIGN_OR_RETURN(plan.loop, EventLoop::New());
  return plan;
}

// Each request in flight has a connection.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The first one ends the run in order, the second one the process.
void HandleSignals() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

// One run with the flags' workload from its beginning. REQUIRES: PlanOf found nothing wrong
bench::RunRecords Run(const BenchFlags& flags, Plan& plan, size_t target) {
  const std::unique_ptr<LoadWorkload> workload = *WorkloadOf(flags);
  bench::RunRecords run;
  bench::Progress progress(std::cerr, isatty(STDERR_FILENO) != 0,
                           plan.runner.length ? plan.runner.length : workload->length());
  bench::LoadRunner runner(*plan.loop, plan.targets[target], plan.runner, *workload, run);
  runner.Run([&progress](const bench::LiveFigures& live) {
    progress.Tell(live);
    return !interrupted;
  });
  progress.End();
  return run;
}

int64_t NowUnixSeconds() { return RealClock().UnixNanos() / 1'000'000'000; }

bench::Result ResultOf(const BenchFlags& flags, const Plan& plan, size_t target,
                       int64_t started_unix_s, bench::RunRecords run) {
  bench::Result result{.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(started_unix_s)),
                       .command = flags.command,
                       .target = plan.urls[target],
                       .workload = plan.workload,
                       .objectives = plan.objectives,
                       .summary = bench::Summarize(run, plan.objectives)};
  result.requests = std::move(run.records);
  result.groups = std::move(run.groups);
  return result;
}

absl::Status WriteFile(std::string_view flag, const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::trunc);
  out << text << std::flush;
  return out ? absl::OkStatus() : Wrong(flag, path + " cannot be written");
}

// Where standard output is a document, text is not.
std::ostream& TextOut(const BenchFlags& flags) {
  return flags.json_file == "-" ? std::cerr : std::cout;
}

absl::Status Write(const BenchFlags& flags, const bench::Result& result) {
  TextOut(flags) << bench::ReportText(result);
  if (!flags.html_file.empty()) {
    RETURN_IF_ERROR(WriteFile("--html", flags.html_file, bench::ReportHtml(result)));
  }
  if (flags.json_file.empty()) return absl::OkStatus();
  const std::string json = bench::ResultJson(result, flags.json_requests);
  if (flags.json_file != "-") return WriteFile("--json", flags.json_file, json);
  std::cout << json << std::flush;
  return std::cout ? absl::OkStatus() : Wrong("--json", "standard output cannot be written");
}

int Fail(const absl::Status& status) {
  std::cerr << "penstock bench: " << status.message() << "\n";
  return 1;
}

int StatusOf(const BenchFlags& flags, const bench::Result& result) {
  const bench::Figures& all = result.summary.all;
  return flags.fail_on_errors && all.completed < all.requests ? 1 : 0;
}

int RunOnce(const BenchFlags& flags, Plan& plan) {
  std::cerr << "Asking " << flags.target << ": " << plan.workload << "\n";
  const int64_t started_unix_s = NowUnixSeconds();
  bench::RunRecords run = Run(flags, plan, 0);
  const bench::Result result = ResultOf(flags, plan, 0, started_unix_s, std::move(run));
  if (const absl::Status written = Write(flags, result); !written.ok()) return Fail(written);
  return StatusOf(flags, result);
}

void PrintComparison(const std::vector<bench::NamedResult>& results, std::ostream& out) {
  Random random(1);
  out << bench::ComparisonText(bench::Compare(results, random));
}

// By turns, each pair the other way round, so that whatever changes meanwhile meets both alike.
int RunAb(const BenchFlags& flags, Plan& plan) {
  const int64_t started_unix_s = NowUnixSeconds();
  bench::RunRecords runs[2];
  BenchFlags turn = flags;
  for (int pair = 0; pair < flags.pairs && !interrupted; ++pair) {
    turn.seed = flags.seed + static_cast<uint64_t>(pair);
    for (const size_t place : {size_t{0}, size_t{1}}) {
      const size_t target = pair % 2 == 0 ? place : 1 - place;
      std::cerr << fmt::format("{}/{} asking {}: {}\n", pair + 1, flags.pairs, plan.urls[target],
                               plan.workload);
      runs[target].Append(Run(turn, plan, target));
    }
  }
  const bench::Result a = ResultOf(flags, plan, 0, started_unix_s, std::move(runs[0]));
  const bench::Result b = ResultOf(flags, plan, 1, started_unix_s, std::move(runs[1]));
  std::cout << bench::ReportText(a) << "\n" << bench::ReportText(b) << "\n";
  PrintComparison({{plan.urls[0], &a}, {plan.urls[1], &b}}, std::cout);
  return std::max(StatusOf(flags, a), StatusOf(flags, b));
}

int RunCompare(const BenchFlags& flags) {
  if (flags.files.size() < 2) return Fail(Wrong("FILE", "compare wants two results at least"));
  std::vector<std::unique_ptr<bench::Result>> results;
  std::vector<bench::NamedResult> named;
  for (const std::string& path : flags.files) {
    std::string json;
    const std::string error = config::ReadFile(path, kResultBytesMax, &json);
    if (!error.empty()) return Fail(Wrong("FILE", error));
    absl::StatusOr<bench::Result> result = bench::ReadResult(json);
    if (!result.ok()) return Fail(Wrong(path, std::string(result.status().message())));
    results.push_back(std::make_unique<bench::Result>(*std::move(result)));
    named.push_back({path, results.back().get()});
  }
  PrintComparison(named, std::cout);
  return 0;
}

}  // namespace

int RunBench(const BenchFlags& flags) {
  if (flags.action == "compare") return RunCompare(flags);
  absl::StatusOr<Plan> plan = PlanOf(flags);
  if (!plan.ok()) return Fail(plan.status());
  if (flags.action == "ab" && !(flags.json_file.empty() && flags.html_file.empty())) {
    return Fail(Wrong(flags.json_file.empty() ? "--html" : "--json", "is of one run, not of ab"));
  }
  RaiseFileLimit();
  HandleSignals();
  return flags.action == "ab" ? RunAb(flags, *plan) : RunOnce(flags, *plan);
}

}  // namespace gw
