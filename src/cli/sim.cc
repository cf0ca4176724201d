#include "cli/sim.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "sim/server/endpoint_objects.h"
#include "sim/server/options.h"
#include "sim/server/sim_server.h"

namespace gw {
namespace {

// How long clients may take to read the ends of their streams after a signal.
constexpr Duration kPatience = std::chrono::seconds(3);

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<sim::ServerSpec> SpecOf(const SimFlags& flags) {
  std::optional<sim::ServerSpec> spec = sim::FindServerSpec(flags.preset);
  if (!spec.has_value()) {
    return Wrong("--preset " + flags.preset + ": is none of " + PresetNames());
  }
  if (flags.max_num_seqs > 0) spec->sequences_max = flags.max_num_seqs;
  if (flags.max_num_batched_tokens > 0) spec->batch_tokens_max = flags.max_num_batched_tokens;
  if (flags.kv_blocks > 0) spec->kv_blocks = flags.kv_blocks;
  if (flags.block_size > 0) {
    // The same memory in other pieces, unless their number was given too.
    if (flags.kv_blocks == 0) {
      spec->kv_blocks = std::max(1u, spec->kv_blocks * spec->block_tokens / flags.block_size);
    }
    spec->block_tokens = flags.block_size;
  }
  return *spec;
}

absl::Status SetTransferOptions(const SimFlags& flags, sim::SimOptions* options) {
  if (flags.role == "prefill") {
    options->role = sim::Role::kPrefill;
  } else if (flags.role == "decode") {
    options->role = sim::Role::kDecode;
  } else if (flags.role != "both") {
    return Wrong("--role " + flags.role + ": wanted both, prefill or decode");
  }
  if (flags.kv_port < 0 || flags.kv_port > 65535) return Wrong("--kv-port: wanted 0 to 65535");
  if (flags.bootstrap_port < 0 || flags.bootstrap_port > 65535) {
    return Wrong("--bootstrap-port: wanted 0 to 65535");
  }
  if (!(flags.kv_bandwidth_gb > 0)) return Wrong("--kv-bandwidth: wanted a number above 0");
  if (!sim::ParseTime(flags.kv_lease, &options->kv_lease)) {
    return Wrong("--kv-lease " + flags.kv_lease + ": wanted a time such as 500ms or 30s");
  }
  if (!sim::ParseTime(flags.bootstrap_timeout, &options->bootstrap_timeout)) {
    return Wrong("--bootstrap-timeout " + flags.bootstrap_timeout +
                 ": wanted a time such as 500ms or 300s");
  }
  options->kv_port = static_cast<uint16_t>(flags.kv_port);
  options->bootstrap_port = static_cast<uint16_t>(flags.bootstrap_port);
  options->kv_bytes_per_second = flags.kv_bandwidth_gb * 1e9;
  return absl::OkStatus();
}

absl::StatusOr<sim::SimOptions> OptionsOf(const SimFlags& flags) {
  sim::SimOptions options;
  if (flags.runtime == "sglang") {
    options.runtime = sim::Runtime::kSglang;
  } else if (flags.runtime != "vllm") {
    return Wrong("--runtime " + flags.runtime + ": wanted vllm or sglang");
  }
  if (flags.models.empty() || flags.models[0].empty()) return Wrong("--model: wanted a name");
  if (flags.replicas < 1 || flags.replicas > 65536) return Wrong("--replicas: wanted 1 to 65536");
  if (flags.threads < 1 || flags.threads > 256) return Wrong("--threads: wanted 1 to 256");
  if (!(flags.speed > 0)) return Wrong("--speed: wanted a number above 0");
  options.models = flags.models;
  options.loras = flags.loras;
  ASSIGN_OR_RETURN(options.spec, SpecOf(flags));
  options.speed = flags.speed;
  options.seed = flags.seed;
  options.context_tokens_max = flags.max_model_len;
  options.replicas = static_cast<uint32_t>(flags.replicas);
  options.listen = flags.listen;
  options.name = flags.name;
  RETURN_IF_ERROR(SetTransferOptions(flags, &options));
  options.threads = std::min(flags.threads, flags.replicas);
  for (const std::string& fault : flags.faults) {
    ASSIGN_OR_RETURN(sim::FaultOrder order, sim::ParseFaultOrder(fault));
    options.faults.push_back(std::move(order));
  }
  return options;
}

// Thousands of connections are an ordinary test; the usual soft limit is 1,024 files.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Fail(const absl::Status& status) {
  std::cerr << "penstock sim: " << status.message() << "\n";
  return 1;
}

}  // namespace

std::string PresetNames() {
  std::string names;
  for (const std::string& name : sim::ServerSpecNames()) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

int RunSim(const SimFlags& flags) {
  const absl::StatusOr<sim::SimOptions> options = OptionsOf(flags);
  if (!options.ok()) return Fail(options.status());
  if (flags.print_pods) {
    const absl::StatusOr<std::string> objects = sim::PodObjects(*options, flags.labels);
    if (!objects.ok()) return Fail(objects.status());
    std::cout << *objects;
    return 0;
  }
  // Blocked before threads are made, so that they inherit it and sigwait below is the only taker.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();
  absl::StatusOr<std::unique_ptr<sim::SimServer>> server = sim::SimServer::Start(*options);
  if (!server.ok()) return Fail(server.status());
  for (const SocketAddress& address : (*server)->addresses()) {
    std::cout << "Serving " << options->models[0] << " on http://" << address.ToString() << "\n";
  }
  std::cout.flush();
  int received = 0;
  sigwait(&signals, &received);
  (*server)->Stop(kPatience);
  return 0;
}

}  // namespace gw
