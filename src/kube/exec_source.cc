#include "kube/exec_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "kube/run_command.h"

namespace gw::kube {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// "" if it ended well.
std::string FaultOf(const CommandResult& result, const ExecOptions& exec) {
  switch (result.outcome) {
    case CommandResult::Outcome::kExited:
      return result.code == 0 ? "" : "ended with exit status " + std::to_string(result.code);
    case CommandResult::Outcome::kSignalled:
      return "was ended by signal " + std::to_string(result.code);
    case CommandResult::Outcome::kNotFound:
      return "is not there" + (exec.install_hint.empty() ? "" : ": " + exec.install_hint);
    case CommandResult::Outcome::kNotStarted:
      return std::string("cannot be started: ") + std::strerror(result.code);
    case CommandResult::Outcome::kTimedOut:
      return "was killed: it took longer than " +
             std::to_string(std::chrono::ceil<std::chrono::seconds>(exec.timeout).count()) + " s";
    case CommandResult::Outcome::kTooLong:
      return "was killed: it wrote more than " + std::to_string(exec.output_bytes_max) + " bytes";
  }
  return "failed";
}

}  // namespace

ExecSource::ExecSource(const AccessOptions& access, const Clock& clock)
    : access_(access), clock_(clock) {
  CHECK(access.exec.has_value());
}

absl::StatusOr<ExecCredential> ExecSource::Get(const std::string& ca_pem) {
  const int64_t now_ns = clock_.UnixNanos();
  if (last_ && (!ask_at_unix_ns_ || now_ns < *ask_at_unix_ns_)) return *last_;
  absl::StatusOr<ExecCredential> answer = Ask(ca_pem);
  if (answer.ok()) {
    Keep(*std::move(answer), now_ns);
    return *last_;
  }
  const bool expired =
      !last_ || (last_->expires_unix_s && now_ns >= *last_->expires_unix_s * kSecondNs);
  if (expired) return answer.status();
  Log(LogLevel::kWarning, "A credential plug-in failed; what it gave before has not expired yet",
      {{"error", std::string(answer.status().message())}});
  ask_at_unix_ns_ = now_ns + kAskAgain.count();
  return *last_;
}

absl::StatusOr<ExecCredential> ExecSource::Ask(const std::string& ca_pem) const {
  const ExecOptions& exec = *access_.exec;
  Command command{.program = exec.command,
                  .args = exec.args,
                  .env = exec.env,
                  .timeout = exec.timeout,
                  .output_bytes_max = exec.output_bytes_max};
  command.env.emplace_back("KUBERNETES_EXEC_INFO", ExecInfo(access_, ca_pem));
  // A program takes real time, whatever clock decides when it is asked.
  const CommandResult result = RunCommand(command, RealClock());
  std::string fault = FaultOf(result, exec);
  absl::StatusOr<ExecCredential> answer = ExecCredential{};
  if (fault.empty()) {
    answer = ParseExecCredential(result.output, exec.api_version);
    if (answer.ok()) return answer;
    fault = std::string("gave no credential: ") + std::string(answer.status().message());
  }
  if (!result.errors.empty()) {
    Log(LogLevel::kWarning, "A credential plug-in failed",
        {{"command", exec.command}, {"fault", fault}, {"stderr", result.errors}});
  }
  return absl::UnavailableError("credential plug-in " + exec.command + " " + fault);
}

void ExecSource::Keep(ExecCredential credential, int64_t now_ns) {
  ask_at_unix_ns_.reset();
  if (credential.expires_unix_s) {
    // As far as 64 bits go: a year beyond 2262 is one that nobody lives to see.
    const int64_t expires_s = std::min(*credential.expires_unix_s, INT64_MAX / kSecondNs);
    credential.expires_unix_s = expires_s;
    const int64_t left_ns = expires_s * kSecondNs - now_ns;
    if (left_ns <= 0) {
      Log(LogLevel::kWarning, "A credential plug-in gave a credential that has expired",
          {{"command", access_.exec->command}, {"expired", UtcText(expires_s)}});
      ask_at_unix_ns_ = now_ns + kAskAgain.count();
    } else {
      ask_at_unix_ns_ = now_ns + left_ns - std::min<int64_t>(kBeforeExpiry.count(), left_ns / 5);
    }
  }
  last_ = std::move(credential);
}

}  // namespace gw::kube
