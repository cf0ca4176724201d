#include "bench/replay/workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "bench/load/agent_sessions.h"
#include "bench/load/chats.h"
#include "bench/load/fixed_prompts.h"
#include "bench/load/log_trace.h"
#include "bench/load/multi_round_qa.h"
#include "bench/load/shared_prefix.h"
#include "bench/load/trace_file.h"
#include "bench/load/trace_formats.h"
#include "bench/load/trace_replay.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

Objectives Within(Duration ttft, Duration tpot) { return {.ttft = ttft, .tpot = tpot}; }

absl::StatusOr<std::unique_ptr<std::istream>> Open(const StudyWorkloadOptions& options,
                                                   std::string_view name) {
  if (options.trace_file.empty()) {
    return Wrong(fmt::format("--workload {}: wanted --trace PATH, too", name));
  }
  absl::StatusOr<std::unique_ptr<std::istream>> in = OpenTrace(options.trace_file);
  if (!in.ok()) return Wrong("--trace: " + std::string(in.status().message()));
  return in;
}

using Trace = std::vector<TraceRequest>;
using ReadTraceFile = absl::StatusOr<Trace> (*)(std::istream&, std::optional<uint64_t>);

// Each request up to `jitter` later, by the seed: a recorder that wrote every few seconds has put
// together what came apart.
Trace Jittered(Trace trace, Duration jitter, uint64_t seed) {
  if (jitter == Duration{}) return trace;
  Random random(seed);
  for (TraceRequest& request : trace) {
    request.at += std::chrono::duration_cast<Duration>(jitter * random.Unit());
  }
  OrderTrace(&trace);
  return trace;
}

struct TraceKind {
  ReadTraceFile read = ReadTrace;
  Duration jitter{};
};

absl::Status WrongTrace(const absl::Status& why) {
  return Wrong("--trace: " + std::string(why.message()));
}

MakeWorkload ReplayOf(Trace read, const RequestForm& form, uint32_t block_tokens, Duration jitter) {
  return [trace = std::make_shared<const Trace>(std::move(read)), form, block_tokens, jitter](
             double load, uint64_t seed) {
    return NewTraceReplay(
        Jittered(*trace, jitter, seed),
        {.form = form, .speed = load, .block_tokens = block_tokens, .seed = seed});
  };
}

constexpr uint32_t kMooncakeBlock = 512;

absl::StatusOr<StudyWorkload> OfTrace(StudyWorkload workload, const TraceKind& kind,
                                      const StudyWorkloadOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<std::istream> in, Open(options, workload.name));
  absl::StatusOr<Trace> read = kind.read(*in, std::nullopt);
  if (!read.ok()) return WrongTrace(read.status());
  workload.make = ReplayOf(*std::move(read), options.form, kMooncakeBlock, kind.jitter);
  return workload;
}

absl::StatusOr<StudyWorkload> OfLog(StudyWorkload workload, const StudyWorkloadOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<std::istream> in, Open(options, workload.name));
  absl::StatusOr<LogTrace> read = ReadLogTrace(*in, options.trace_pool, std::nullopt);
  if (!read.ok()) return WrongTrace(read.status());
  workload.make = ReplayOf(std::move(read->requests), options.form, read->block_tokens, {});
  return workload;
}

// That a number has room for; so many are refused.
constexpr double kUsersMost = 4e9;

absl::StatusOr<StudyWorkload> Agents(StudyWorkload workload, const StudyWorkloadOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<std::istream> in, Open(options, workload.name));
  absl::StatusOr<std::vector<AgentSession>> read = ReadAgentSessions(*in);
  if (!read.ok()) return WrongTrace(read.status());
  constexpr AgentLimits kLimits = {
      .prompt_tokens_max = 120'000, .requests_max = 60, .output_tokens_max = 2'000};
  LimitAgentSessions(kLimits, &*read);
  workload.make = [sessions = std::make_shared<const std::vector<AgentSession>>(*std::move(read)),
                   form = options.form](double load, uint64_t seed) {
    const double users = std::clamp(load, 0.0, kUsersMost);
    return NewAgentSessions(*sessions,
                            {.form = form, .users = static_cast<uint32_t>(users), .seed = seed});
  };
  return workload;
}

constexpr double kB2bWarmUpRate = 15;
constexpr Duration kB2bWarmUp = seconds(50);
constexpr Duration kB2bPause = seconds(120);
constexpr Duration kB2bLasts = seconds(25);

MakeWorkload B2b(const RequestForm& form) {
  return [form](double load, uint64_t seed) {
    SharedPrefixOptions options{.form = form, .seed = seed};
    options.pace.arrivals.ladder = {
        {kB2bWarmUpRate, kB2bWarmUpRate, kB2bWarmUp}, {0, 0, kB2bPause}, {load, load, kB2bLasts}};
    return NewSharedPrefix(options);
  };
}

MakeWorkload Catalogued(const RequestForm& form, const ChatsOptions& each, Duration lasts) {
  return [form, each, lasts](double load, uint64_t seed) {
    ChatsOptions options = each;
    options.form = form;
    options.per_second = load;
    options.lasts = lasts;
    options.seed = seed;
    return NewChats(options);
  };
}

struct CatalogueEntry {
  const char* name;
  ChatsOptions chats;
  Duration ttft;
  std::optional<Duration> tpot;
  double load;
};

// kubernetes-sigs/inference-perf, its catalogue of use cases. Where that names a percentile of
// TTFT, the bound is each request's here.
const std::vector<CatalogueEntry>& Catalogue() {
  static const std::vector<CatalogueEntry> all = {
      {"interactive-chat",
       {.rounds = 4,
        .gap = seconds(45),
        .system_tokens = 1000,
        .question_tokens = 1000,
        .output_tokens = 300},
       seconds(1),
       milliseconds(50),
       10},
      {"code-generation",
       {.rounds = 60,
        .gap = seconds(15),
        .system_tokens = 20'000,
        .question_tokens = 4'250,
        .output_tokens = 425},
       seconds(30),
       milliseconds(50),
       1},
      {"reasoning",
       {.rounds = 1, .system_tokens = 200, .question_tokens = 800, .output_tokens = 8'000},
       seconds(2),
       milliseconds(50),
       2},
      {"deep-research",
       {.rounds = 15,
        .gap = seconds(10),
        .system_tokens = 2'000,
        .question_tokens = 5'800,
        .output_tokens = 300},
       seconds(10),
       milliseconds(100),
       4},
      {"batch-summarization",
       {.rounds = 1, .system_tokens = 500, .question_tokens = 14'500, .output_tokens = 500},
       seconds(15),
       std::nullopt,
       4},
  };
  return all;
}

constexpr Duration kCatalogueLasts = minutes(10);
constexpr Duration kSingleLasts = minutes(5);

std::optional<StudyWorkload> WithoutTrace(const std::string& name,
                                          const StudyWorkloadOptions& options) {
  StudyWorkload workload{.name = name, .axis = LoadAxis::kRate, .warm_up = seconds(60)};
  const RequestForm form = options.form;
  if (name == "b2b") {
    workload.load = 50;
    workload.objectives = Within(seconds(5), milliseconds(100));
    workload.warm_up = kB2bWarmUp + kB2bPause / 2;
    workload.make = B2b(form);
    return workload;
  }
  if (name == "multi-round-qa") {
    workload.load = 4;
    workload.objectives = Within(seconds(2), milliseconds(50));
    const Duration lasts = options.duration.value_or(kCatalogueLasts);
    workload.make = [form, lasts](double load, uint64_t) {
      return NewMultiRoundQa({.form = form,
                              .users = 100,
                              .rounds = 10,
                              .per_second = load,
                              .history_tokens = 10'000,
                              .duration = lasts,
                              .warm_up = 0});
    };
    return workload;
  }
  if (name == "random") {
    workload.load = 10;
    workload.objectives = Within(seconds(2), milliseconds(50));
    const Duration lasts = options.duration.value_or(kSingleLasts);
    workload.make = [form, lasts](double load, uint64_t seed) {
      FixedPromptsOptions prompts{.form = form, .seed = seed};
      prompts.pace.arrivals.per_second = load;
      prompts.pace.arrivals.duration = lasts;
      return NewFixedPrompts(prompts);
    };
    return workload;
  }
  for (const CatalogueEntry& entry : Catalogue()) {
    if (name != entry.name) continue;
    workload.load = entry.load;
    workload.objectives = {.ttft = entry.ttft, .tpot = entry.tpot};
    workload.make = Catalogued(form, entry.chats, options.duration.value_or(kCatalogueLasts));
    return workload;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> StudyWorkloadNames() {
  std::vector<std::string> names = {"conversation", "synthetic", "agents", "azure-conversation",
                                    "azure-code",   "lmcache",   "b2b"};
  for (const CatalogueEntry& entry : Catalogue()) names.emplace_back(entry.name);
  for (const char* const name : {"multi-round-qa", "random", "trace", "log"})
    names.emplace_back(name);
  return names;
}

absl::StatusOr<StudyWorkload> FindStudyWorkload(const std::string& name,
                                                const StudyWorkloadOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  if (std::optional<StudyWorkload> known = WithoutTrace(name, options)) return *std::move(known);
  StudyWorkload workload{.name = name,
                         .load = 1,
                         .objectives = Within(seconds(2), milliseconds(50)),
                         .warm_up = seconds(60),
                         .length = options.duration};
  if (name == "agents") {
    workload.axis = LoadAxis::kUsers;
    workload.load = 60;
    workload.objectives.ttft = seconds(5);
    workload.warm_up = minutes(5);
    workload.length = options.duration.value_or(minutes(30));
    return Agents(std::move(workload), options);
  }
  if (name == "conversation" || name == "synthetic") workload.load = 5;
  if (name == "azure-conversation" || name == "azure-code") {
    return OfTrace(std::move(workload), {.read = ReadAzureTrace}, options);
  }
  if (name == "log") {
    workload.warm_up = {};
    return OfLog(std::move(workload), options);
  }
  if (name == "lmcache") return OfTrace(std::move(workload), {.read = ReadLmcacheTrace}, options);
  if (name == "conversation") {
    return OfTrace(std::move(workload), {.jitter = seconds(3)}, options);
  }
  if (name == "synthetic" || name == "trace") return OfTrace(std::move(workload), {}, options);
  return Wrong(fmt::format("--workload: wanted one of {}", fmt::join(StudyWorkloadNames(), ", ")));
}

}  // namespace gw::bench
