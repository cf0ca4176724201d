#include "cli/bench.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>

#include "api/names.h"
#include "base/clock.h"
#include "base/status.h"
#include "bench/load/compare.h"
#include "bench/load/compare_html.h"
#include "bench/load/progress.h"
#include "bench/load/report_html.h"
#include "bench/load/report_json.h"
#include "bench/load/report_text.h"
#include "bench/load/runner.h"
#include "cli/bench_watch.h"
#include "cli/bench_workload.h"
#include "cli/server_url.h"
#include "config/file/files.h"
#include "server/admin_access.h"

namespace gw {
namespace {

using bench::LoadWorkload;

constexpr size_t kResultBytesMax = size_t{1} << 32;

std::atomic<bool> interrupted{false};

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
      return WrongFlag("--header", fmt::format("wanted NAME:VALUE, got \"{}\"", header));
    }
    const size_t value = header.find_first_not_of(' ', colon + 1);
    target.fields.emplace_back(name, value == header.npos ? "" : header.substr(value));
  }
  if (!flags.api_key_file.empty()) {
    const absl::StatusOr<std::string> key = ReadToken(flags.api_key_file);
    if (!key.ok()) return WrongFlag("--api-key-file", std::string(key.status().message()));
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
  std::optional<AdminTarget> admins[2];  // of the targets; nullopt: it is not looked at
};

constexpr std::string_view kAdminFlags[] = {"--admin", "--against-admin"};

absl::Status PlanAdmins(const BenchFlags& flags, Plan* plan) {
  if (!flags.against_admin.empty() && flags.action != "ab") {
    return WrongFlag(kAdminFlags[1], "says something only after ab");
  }
  const AdminFlag sides[] = {{kAdminFlags[0], flags.admin, flags.admin_token_file},
                             {kAdminFlags[1], flags.against_admin, flags.against_admin_token_file}};
  for (size_t i = 0; i < std::size(sides); ++i) {
    if (sides[i].url.empty()) continue;
    ASSIGN_OR_RETURN(plan->admins[i], WatchedGateway(sides[i], flags.trust));
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> PlanOf(const BenchFlags& flags) {
  RETURN_IF_ERROR(RefuseOthersFlags(flags));
  if (!flags.files.empty()) return WrongFlag("FILE", "says something only after compare");
  if (flags.model.empty()) return WrongFlag("--model", "wanted the model that is asked for");
  if ((flags.action == "ab") != !flags.against.empty()) {
    return WrongFlag("--against", flags.against.empty() ? "is wanted by ab: the other server"
                                                        : "says something only after ab");
  }
  if (!flags.names.empty() && (flags.names.size() != 2 || flags.action != "ab")) {
    return WrongFlag("--names", flags.action == "ab" ? "wanted two, such as A,B"
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
  if (flags.in_flight_max) {
    if (flags.concurrency > 0) {
      return WrongFlag("--in-flight-max", "wanted a rate in place of --concurrency");
    }
    plan.runner.in_flight_max = *flags.in_flight_max;
    plan.workload += fmt::format(", at most {} in flight", *flags.in_flight_max);
  }
  RETURN_IF_ERROR(PlanAdmins(flags, &plan));
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

// What is kept of the runs of one target.
struct Runs {
  bench::RunRecords records;
  bench::FleetRecorder fleet;

  // When the next one begins. A gateway is looked at once more when its run is over.
  Duration end() const {
    const std::vector<double>& looks_s = fleet.series().times_s;
    const double last_s = looks_s.empty() ? 0 : looks_s.back();
    return std::max(records.length, std::chrono::nanoseconds(std::llround(last_s * 1e9)));
  }
};

// One run with the flags' workload from its beginning. REQUIRES: PlanOf found nothing wrong
void Run(const BenchFlags& flags, Plan& plan, size_t target, Runs* runs) {
  const std::unique_ptr<LoadWorkload> workload = *WorkloadOf(flags);
  bench::RunRecords run;
  bench::Progress progress(std::cerr, isatty(STDERR_FILENO) != 0,
                           plan.runner.length ? plan.runner.length : workload->length());
  bench::LoadRunner runner(*plan.loop, plan.targets[target], plan.runner, *workload, run);
  std::optional<GatewayWatch> watch;
  if (plan.admins[target]) {
    watch.emplace(*plan.admins[target], kAdminFlags[target], runs->end(), runs->fleet);
    watch->Start();
  }
  runner.Run([&](const bench::LiveFigures& live) {
    progress.Tell(live);
    if (const std::string news = watch ? watch->TakeNews() : ""; !news.empty()) {
      progress.End();
      std::cerr << news << "\n";
    }
    return !interrupted;
  });
  progress.End();
  if (watch) watch->End();
  if (runs->records.length == Duration(0)) {
    runs->records = std::move(run);
  } else {
    runs->records.Append(run);
  }
}

int64_t NowUnixSeconds() { return RealClock().UnixNanos() / 1'000'000'000; }

bench::Result ResultOf(const BenchFlags& flags, const Plan& plan, size_t target,
                       int64_t started_unix_s, Runs runs) {
  bench::RunRecords& run = runs.records;
  bench::Result result{.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(started_unix_s)),
                       .command = flags.command,
                       .target = plan.urls[target],
                       .workload = plan.workload,
                       .objectives = plan.objectives,
                       .summary = bench::Summarize(run, plan.objectives)};
  result.requests = std::move(run.records);
  result.groups = std::move(run.groups);
  result.fleet = runs.fleet.series();
  return result;
}

// Where standard output is a document, text is not.
std::ostream& TextOut(const BenchFlags& flags) {
  return flags.json_file == "-" ? std::cerr : std::cout;
}

// What `make` gives, where it is wanted.
absl::Status WriteJson(const BenchFlags& flags, const std::function<std::string()>& make) {
  if (flags.json_file.empty()) return absl::OkStatus();
  if (flags.json_file != "-") return WriteFile("--json", flags.json_file, make());
  std::cout << make() << std::flush;
  return std::cout ? absl::OkStatus() : WrongFlag("--json", "standard output cannot be written");
}

absl::Status Write(const BenchFlags& flags, const bench::Result& result) {
  TextOut(flags) << bench::ReportText(result);
  if (!flags.html_file.empty()) {
    RETURN_IF_ERROR(WriteFile("--html", flags.html_file, bench::ReportHtml(result)));
  }
  return WriteJson(flags, [&] { return bench::ResultJson(result, flags.json_requests); });
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
  Runs runs;
  Run(flags, plan, 0, &runs);
  const bench::Result result = ResultOf(flags, plan, 0, started_unix_s, std::move(runs));
  if (const absl::Status written = Write(flags, result); !written.ok()) return Fail(written);
  return StatusOf(flags, result);
}

// As text, and as a page if one is wanted.
absl::Status WriteComparison(const BenchFlags& flags,
                             const std::vector<bench::NamedResult>& results,
                             const bench::Comparison& comparison) {
  TextOut(flags) << bench::ComparisonText(comparison);
  if (flags.html_file.empty()) return absl::OkStatus();
  return WriteFile("--html", flags.html_file, bench::CompareHtml(results, comparison));
}

constexpr uint64_t kUsersOfAPair = 10'000;

// By turns, each pair the other way round, so that whatever changes meanwhile meets both alike.
int RunAb(const BenchFlags& flags, Plan& plan) {
  const int64_t started_unix_s = NowUnixSeconds();
  Runs runs[2];
  BenchFlags turn = flags;
  for (int pair = 0; pair < flags.pairs && !interrupted; ++pair) {
    turn.seed = flags.seed + static_cast<uint64_t>(pair);
    // Other users, too: those of the pair before have left their prompts in the caches.
    turn.users_before = flags.users_before + static_cast<uint64_t>(pair) * kUsersOfAPair;
    for (const size_t place : {size_t{0}, size_t{1}}) {
      const size_t target = pair % 2 == 0 ? place : 1 - place;
      std::cerr << fmt::format("{}/{} asking {}: {}\n", pair + 1, flags.pairs, plan.urls[target],
                               plan.workload);
      Run(turn, plan, target, &runs[target]);
    }
  }
  const bench::Result a = ResultOf(flags, plan, 0, started_unix_s, std::move(runs[0]));
  const bench::Result b = ResultOf(flags, plan, 1, started_unix_s, std::move(runs[1]));
  TextOut(flags) << bench::ReportText(a) << "\n" << bench::ReportText(b) << "\n";
  const std::vector<std::string>& names = flags.names.empty() ? plan.urls : flags.names;
  const std::vector<bench::NamedResult> results = {{names[0], &a}, {names[1], &b}};
  Random random(1);
  const bench::Comparison comparison = bench::Compare(results, random);
  absl::Status written = WriteComparison(flags, results, comparison);
  if (written.ok()) {
    written = WriteJson(flags, [&] {
      return bench::AbJson(results, comparison, flags.pairs, flags.json_requests);
    });
  }
  if (!written.ok()) return Fail(written);
  return std::max(StatusOf(flags, a), StatusOf(flags, b));
}

int RunCompare(const BenchFlags& flags) {
  if (!flags.json_file.empty()) return Fail(WrongFlag("--json", "is of run and ab"));
  if (flags.files.size() < 2) return Fail(WrongFlag("FILE", "compare wants two results at least"));
  std::vector<std::unique_ptr<bench::Result>> results;
  std::vector<bench::NamedResult> named;
  for (const std::string& path : flags.files) {
    std::string json;
    const std::string error = config::ReadFile(path, kResultBytesMax, &json);
    if (!error.empty()) return Fail(WrongFlag("FILE", error));
    absl::StatusOr<bench::Result> result = bench::ReadResult(json);
    if (!result.ok()) return Fail(WrongFlag(path, std::string(result.status().message())));
    results.push_back(std::make_unique<bench::Result>(*std::move(result)));
    named.push_back({path, results.back().get()});
  }
  Random random(1);
  const absl::Status written = WriteComparison(flags, named, bench::Compare(named, random));
  return written.ok() ? 0 : Fail(written);
}

}  // namespace

int RunBench(const BenchFlags& flags) {
  if (flags.action == "compare") return RunCompare(flags);
  absl::StatusOr<Plan> plan = PlanOf(flags);
  if (!plan.ok()) return Fail(plan.status());
  RaiseFileLimit();
  HandleSignals();
  return flags.action == "ab" ? RunAb(flags, *plan) : RunOnce(flags, *plan);
}

}  // namespace gw
