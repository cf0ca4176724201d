#include "cli/replay.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "bench/replay/engine_file.h"
#include "bench/replay/report.h"
#include "bench/replay/report_html.h"
#include "bench/replay/workloads.h"
#include "cli/bench_workload.h"
#include "config/file/files.h"

namespace gw {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr uint64_t kSeedsMax = 1000;

volatile std::sig_atomic_t interrupted = 0;

absl::StatusOr<std::string> FileOf(std::string_view flag, const std::string& path) {
  std::string text;
  const std::string error = config::ReadFile(path, kFileBytesMax, &text);
  if (!error.empty()) return WrongFlag(flag, error);
  return text;
}

// "1,2,3", "1-5"
absl::StatusOr<std::vector<uint64_t>> SeedsOf(std::string_view text) {
  std::vector<uint64_t> seeds;
  const auto number = [](std::string_view from, uint64_t* value) {
    return absl::SimpleAtoi(absl::string_view(from.data(), from.size()), value);
  };
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const size_t dash = one.find('-');
    uint64_t first = 0;
    uint64_t last = 0;
    if (!number(one.substr(0, dash), &first) ||
        !number(dash == one.npos ? one : one.substr(dash + 1), &last) || last < first ||
        last - first >= kSeedsMax) {
      return WrongFlag("--seeds", fmt::format("wanted such as 1,2,3 or 1-5, got \"{}\"", text));
    }
    for (uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
  }
  if (seeds.empty()) return WrongFlag("--seeds", "wanted one at least");
  return seeds;
}

// Names of curves in the result, and of pairs of which an interval is said: of each there is one.
template <typename Value>
absl::Status CheckOnce(std::string_view flag, std::vector<Value> values) {
  std::sort(values.begin(), values.end());
  const auto twice = std::adjacent_find(values.begin(), values.end());
  if (twice == values.end()) return absl::OkStatus();
  return WrongFlag(flag, fmt::format("wanted each of them once, got {} twice", *twice));
}

// Before anything is replayed: what the workload refuses would be found out an hour later.
absl::Status CheckLoads(const bench::StudyPlan& plan) {
  for (const double load : plan.loads) {
    if (!(load > 0) || std::isinf(load)) return WrongFlag("--load", "wanted numbers above 0");
    const auto workload = plan.workload(load, plan.seeds[0]);
    if (workload.ok()) continue;
    // It names the flag that the figure has in `penstock bench`.
    const std::string why(workload.status().message());
    const size_t flag = why.find(": ");
    return WrongFlag("--load",
                     fmt::format("{:g}: {}", load, flag == why.npos ? why : why.substr(flag + 2)));
  }
  return absl::OkStatus();
}

absl::StatusOr<bench::Scenario> ScenarioOf(const ReplayFlags& flags) {
  bench::Scenario scenario;
  std::vector<sim::ServerSpec> own;
  for (const std::string& path : flags.engine_files) {
    ASSIGN_OR_RETURN(const std::string json, FileOf("--engine-file", path));
    absl::StatusOr<sim::ServerSpec> spec = bench::ReadEngine(json);
    if (!spec.ok()) {
      return WrongFlag("--engine-file",
                       fmt::format("{}: {}", path, std::string(spec.status().message())));
    }
    if (sim::FindServerSpec(spec->name) ||
        std::ranges::find(own, spec->name, &sim::ServerSpec::name) != own.end()) {
      return WrongFlag("--engine-file",
                       fmt::format("{}: name: another engine is called {}", path, spec->name));
    }
    own.push_back(*std::move(spec));
  }
  ASSIGN_OR_RETURN(scenario.engines,
                   bench::EnginesOf(flags.engine, flags.engines, own, flags.cache_scale));
  scenario.prefill_engines = flags.prefill_engines;
  if (scenario.prefill_engines >= flags.engines) {
    return WrongFlag("--prefill-engines", "wanted fewer than --engines");
  }
  if (scenario.prefill_engines > 0 && flags.api == "messages") {
    return WrongFlag("--prefill-engines", "messages are not split, wanted another --api");
  }
  scenario.gateways = flags.gateways;
  if (flags.share) {
    scenario.peers.emplace();
    ASSIGN_OR_RETURN(scenario.peers->gather, TimeOf("--peer-gather", flags.peer_gather));
    scenario.peers->lost = flags.peer_lost;
  }
  scenario.foreign_share = flags.foreign_share;
  ASSIGN_OR_RETURN(scenario.metrics_age, TimeOf("--metrics-age", flags.metrics_age));
  scenario.gateway_time = std::chrono::microseconds(flags.gateway_us);
  scenario.index =
      flags.index == "precise" ? bench::IndexMode::kPrecise : bench::IndexMode::kEstimated;
  if (!flags.events_file.empty()) {
    ASSIGN_OR_RETURN(const std::string script, FileOf("--events", flags.events_file));
    ASSIGN_OR_RETURN(scenario.events, bench::ReadFleetEvents(script, flags.engines));
  }
  return scenario;
}

absl::StatusOr<bench::StudyPlan> PlanOf(const ReplayFlags& flags) {
  bench::StudyPlan plan;
  ASSIGN_OR_RETURN(plan.scenario, ScenarioOf(flags));
  ASSIGN_OR_RETURN(plan.seeds, SeedsOf(flags.seeds));
  RETURN_IF_ERROR(CheckOnce("--seeds", plan.seeds));
  ASSIGN_OR_RETURN(plan.policies, bench::ReadPolicies(flags.policies));
  RETURN_IF_ERROR(CheckOnce("--policy", plan.policies));
  if (!flags.trace_pool.empty() && flags.workload != "log") {
    return WrongFlag("--trace-pool", "says something only with --workload log");
  }
  if (!flags.duration.empty() && flags.workload == "b2b") {
    return WrongFlag("--duration", "b2b has stages of its own");
  }
  bench::StudyWorkloadOptions options{.trace_file = flags.trace_file,
                                      .trace_pool = flags.trace_pool};
  options.form = {.api = ApiNamed(flags.api), .model = "model"};
  if (!flags.duration.empty()) {
    ASSIGN_OR_RETURN(options.duration, TimeOf("--duration", flags.duration));
  }
  ASSIGN_OR_RETURN(bench::StudyWorkload workload,
                   bench::FindStudyWorkload(flags.workload, options));
  plan.axis = workload.axis;
  plan.workload = std::move(workload.make);
  plan.objectives = workload.objectives;
  if (!flags.goodput.empty()) {
    ASSIGN_OR_RETURN(plan.objectives, ObjectivesOf(flags.goodput));
  }
  plan.options.length = workload.length;
  plan.options.warm_up = workload.warm_up;
  if (!flags.warm_up.empty()) {
    ASSIGN_OR_RETURN(plan.options.warm_up, TimeOf("--warm-up", flags.warm_up));
  }
  if (flags.capacity && flags.loads.size() > 1) {
    return WrongFlag("--load", "wanted one, from which --capacity looks on");
  }
  plan.loads = flags.loads.empty() ? std::vector<double>{workload.load} : flags.loads;
  RETURN_IF_ERROR(CheckLoads(plan));
  std::sort(plan.loads.begin(), plan.loads.end());
  plan.finds_capacity = flags.capacity;
  plan.options.goes_on = [] { return interrupted == 0; };
  plan.threads = flags.jobs > 0
                     ? flags.jobs
                     : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return plan;
}

std::string SettingsOf(const ReplayFlags& flags) {
  std::string text = fmt::format("metrics {} old, {} us for a decision, index {}",
                                 flags.metrics_age, flags.gateway_us, flags.index);
  if (flags.gateways > 1) {
    text += fmt::format(", {} gateways", flags.gateways);
    text += flags.share ? " that share what they know" : " that do not know of each other";
    if (flags.share) text += fmt::format(" ({} apart)", flags.peer_gather);
    if (flags.share && flags.peer_lost > 0) text += fmt::format(", {} lost", flags.peer_lost);
  }
  if (flags.foreign_share > 0) {
    text += fmt::format(", {:g} % of the requests past the gateway", flags.foreign_share * 100);
  }
  if (!flags.events_file.empty()) text += ", events of " + flags.events_file;
  return text;
}

class Teller {
 public:
  bool operator()(const bench::StudyProgress& progress) {
    const std::string line =
        fmt::format("{}/{} {}", progress.points_done, progress.points_planned, progress.last);
    std::cerr << (is_terminal_ ? "\r\x1b[K" : "") << line << (is_terminal_ ? "" : "\n");
    std::cerr.flush();
    return interrupted == 0;
  }
  void End() const {
    if (is_terminal_) std::cerr << "\r\x1b[K";
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) != 0;
};

// Before anything is replayed. What is there is left alone until there is something else.
absl::Status CheckWritable(std::string_view flag, const std::string& path) {
  if (path.empty() || path == "-") return absl::OkStatus();
  const std::ofstream out(path, std::ios::app);
  return out ? absl::OkStatus() : WrongFlag(flag, path + " cannot be written");
}

absl::Status Write(const ReplayFlags& flags, const bench::StudyResult& result) {
  (flags.json_file == "-" ? std::cerr : std::cout) << bench::StudyText(result);
  if (!flags.html_file.empty()) {
    RETURN_IF_ERROR(WriteFile("--html", flags.html_file, bench::StudyHtml(result)));
  }
  if (flags.json_file.empty()) return absl::OkStatus();
  const std::string json = bench::StudyJson(result);
  if (flags.json_file == "-") {
    std::cout << json << std::flush;
    return std::cout ? absl::OkStatus() : WrongFlag("--json", "standard output cannot be written");
  }
  return WriteFile("--json", flags.json_file, json);
}

bool AnyCounts(const bench::StudyResult& result) {
  for (const bench::StudySeries& series : result.series) {
    for (const bench::StudyPoint& point : series.points) {
      if (point.summary.all.requests > 0) return true;
    }
  }
  return false;
}

int Fail(const absl::Status& status) {
  std::cerr << "penstock replay: " << status.message() << "\n";
  return 1;
}

}  // namespace

int RunReplay(const ReplayFlags& flags) {
  absl::StatusOr<bench::StudyPlan> plan = PlanOf(flags);
  if (!plan.ok()) return Fail(plan.status());
  for (const auto& [flag, file] :
       {std::pair("--json", &flags.json_file), std::pair("--html", &flags.html_file)}) {
    if (const absl::Status status = CheckWritable(flag, *file); !status.ok()) return Fail(status);
  }
  SetLogLevel(LogLevel::kError);
  std::signal(SIGINT, [](int) {
    interrupted = 1;
    std::signal(SIGINT, SIG_DFL);  // of whoever does not want to wait for what is done
  });
  bench::StudyResult result{
      .axis = plan->axis, .objectives = plan->objectives, .found_capacity = plan->finds_capacity};
  const int64_t now_s = RealClock().UnixNanos() / 1'000'000'000;
  result.title = {.command = flags.command,
                  .started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now_s)),
                  .workload = flags.workload,
                  .engines = bench::DescribeEngines(plan->scenario.engines),
                  .settings = SettingsOf(flags)};
  Teller teller;
  result.series = bench::RunStudy(
      *plan, [&](const bench::StudyProgress& progress) { return teller(progress); });
  teller.End();
  result.interrupted = interrupted != 0;
  if (const absl::Status written = Write(flags, result); !written.ok()) return Fail(written);
  if (result.interrupted) return 130;
  if (!AnyCounts(result)) {
    return Fail(WrongFlag("--warm-up", "nothing was asked after it, so that nothing counts"));
  }
  return 0;
}

}  // namespace gw
