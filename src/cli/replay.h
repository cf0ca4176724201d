// `penstock replay`: a workload against simulated model servers in virtual time, decided by the
// gateway's own code under one policy after another (bench/replay).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gw {

// What the user typed. Without a value: as the workload has it (bench/replay/workloads.h).
struct ReplayFlags {
  std::string workload = "conversation";
  std::string trace_file;
  std::string trace_pool;
  std::string api = "completions";
  std::string duration;
  std::string warm_up;
  size_t engines = 16;
  std::string engine = "q30h200";
  size_t prefill_engines = 0;
  std::vector<std::string> engine_files;
  double cache_scale = 1;
  std::vector<std::string> policies = {"PREFIX_CACHE"};  // each one or several with commas
  std::string seeds = "1";
  std::vector<double> loads;
  bool capacity = false;
  std::string goodput;
  int gateways = 1;
  bool share = false;
  std::string peer_gather = "5ms";
  double peer_lost = 0;
  double foreign_share = 0;
  std::string metrics_age = "50ms";
  int64_t gateway_us = 500;
  std::string index = "estimated";
  std::string events_file;
  int jobs = 0;  // 0: one for each core
  std::string json_file;
  std::string html_file;
  std::string command;  // as it was typed
};

// 0; 1: it cannot begin, or cannot write its results; 130: interrupted.
int RunReplay(const ReplayFlags& flags);

}  // namespace gw
