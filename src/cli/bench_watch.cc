#include "cli/bench_watch.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <utility>

#include "base/log.h"
#include "cli/bench_workload.h"
#include "cli/server_url.h"
#include "server/admin_access.h"

namespace gw {
namespace {

constexpr char kEndpoints[] = "/endpoints";
constexpr char kQueues[] = "/get?kind=queues&output=json";
constexpr Duration kEvery = std::chrono::seconds(1);
constexpr Duration kPatience = std::chrono::seconds(2);
constexpr int kNice = 10;  // less than the thread that measures

// Its body, of a status that is an answer.
absl::StatusOr<std::string> Get(const AdminTarget& gateway, std::string_view page) {
  ASSIGN_OR_RETURN(AdminAnswer answer, AdminGet(gateway, page, kPatience));
  if (answer.status == 200) return std::move(answer.body);
  if (answer.status == 401) return absl::UnauthenticatedError("it wants another token");
  return absl::UnavailableError(fmt::format("it answers {} with {}", page, answer.status));
}

}  // namespace

absl::StatusOr<AdminTarget> WatchedGateway(const AdminFlag& flag, const ServerTrust& trust) {
  // What --ca-file and --insecure say is of those that speak TLS, the target or this.
  ASSIGN_OR_RETURN(
      ServerUrl url,
      ServerUrlOf(flag.name, flag.url, flag.url.starts_with("https:") ? trust : ServerTrust{}));
  if (!url.path.empty()) return WrongFlag(flag.name, "wanted a URL without a path");
  AdminTarget gateway(url.address, std::move(url.tls));
  const std::string token_flag = fmt::format("{}-token-file", flag.name);
  if (!flag.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(flag.token_file);
    if (!token.ok()) return WrongFlag(token_flag, std::string(token.status().message()));
    gateway.token = *std::move(token);
  }
  SetLogLevel(LogLevel::kError);  // what is wrong is said by us, in words for people
  bench::FleetRecorder recorder;
  const absl::StatusOr<std::string> endpoints = Get(gateway, kEndpoints);
  absl::Status status = endpoints.status();
  if (endpoints.ok()) {
    const absl::StatusOr<std::string> queues = Get(gateway, kQueues);
    status = queues.ok() ? recorder.Add(Duration::zero(), *endpoints, *queues) : queues.status();
  }
  if (status.ok()) return gateway;
  const std::string why(status.message());
  if (absl::IsUnauthenticated(status)) {
    return WrongFlag(token_flag, fmt::format("the admin port at {} wants {} token", flag.url,
                                             gateway.token.empty() ? "a" : "another"));
  }
  return WrongFlag(flag.name, fmt::format("no gateway's admin port at {}: {}", flag.url, why));
}

GatewayWatch::~GatewayWatch() { EndLoop(); }

void GatewayWatch::Start() {
  began_ = RealClock().Now();
  recorder_.BeginRun();
  Look();
  thread_ = std::thread([this] { Loop(); });
}

void GatewayWatch::Loop() {
  setpriority(PRIO_PROCESS, 0, kNice);  // of this thread alone, as Linux has it
  while (WaitForNext()) Look();
}

bool GatewayWatch::WaitForNext() {
  const TimePoint next = RealClock().Now() + kEvery;
  const MutexLock lock(mutex_);
  while (!ends_ && mutex_.WaitUntil(changed_, next)) {
  }
  return !ends_;
}

void GatewayWatch::EndLoop() {
  {
    const MutexLock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

absl::Status GatewayWatch::Read() {
  const Duration at = at_ + (RealClock().Now() - began_);
  ASSIGN_OR_RETURN(const std::string endpoints, Get(gateway_, kEndpoints));
  ASSIGN_OR_RETURN(const std::string queues, Get(gateway_, kQueues));
  return recorder_.Add(at, endpoints, queues);
}

void GatewayWatch::Look() {
  const absl::Status status = Read();
  const std::string error(status.message());
  if (!status.ok()) recorder_.AddFailure(error);
  if (status.ok() != fails_) return;
  fails_ = !status.ok();
  const MutexLock lock(mutex_);
  news_ = fails_ ? fmt::format("{}: no answer any more ({}); the run goes on", flag_, error)
                 : flag_ + ": answers again";
}

std::string GatewayWatch::TakeNews() {
  const MutexLock lock(mutex_);
  return std::exchange(news_, "");
}

void GatewayWatch::End() {
  EndLoop();
  Look();
}

}  // namespace gw
