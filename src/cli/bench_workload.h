// What `penstock bench` asks by its flags.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "bench/load/load_workload.h"
#include "bench/load/summary.h"
#include "cli/bench.h"

namespace gw {

// "--flag: message"
absl::Status WrongFlag(std::string_view flag, const std::string& message);
// "20s"; the error names the flag.
absl::StatusOr<Duration> TimeOf(std::string_view flag, std::string_view text);
// Of --api. REQUIRES: chat, completions or messages, as the flag is checked
ApiKind ApiNamed(std::string_view name);
// In place of what is there. The error names the flag.
absl::Status WriteFile(std::string_view flag, const std::string& path, const std::string& text);
// "ttft=2s,tpot=50ms" of --goodput
absl::StatusOr<bench::Objectives> ObjectivesOf(std::string_view text);
// Those that the workload has no use for: somebody believes that they say something.
absl::Status RefuseOthersFlags(const BenchFlags& flags);
// Reads the files that it wants. An error names the flag and what was wanted.
absl::StatusOr<std::unique_ptr<bench::LoadWorkload>> WorkloadOf(const BenchFlags& flags);

}  // namespace gw
