// `penstock bench`: asks a server as a workload says, and measures what comes (bench/load).

#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/server_url.h"

namespace gw {

// What the user typed; the workloads' headers say what it means. Without a value: theirs.
struct BenchFlags {
  std::string action = "run";      // run, ab or compare
  std::vector<std::string> files;  // of compare
  std::string target = "http://127.0.0.1:8080";
  std::string against;             // of ab: another target
  std::vector<std::string> names;  // of ab: what both are called; none: by their URLs
  int pairs = 5;
  ServerTrust trust;  // of those, and of the admin port
  std::string admin;  // of the gateway that is asked: it is looked at; empty: nobody is
  std::string admin_token_file;
  std::string against_admin;  // of ab: the same of the other side
  std::string against_admin_token_file;
  std::string api_key_file;
  std::vector<std::string> headers;  // "name: value"

  std::string model;
  std::string api = "chat";  // chat, completions or messages
  bool ignore_eos = false;

  std::string workload = "random";  // random, shared-prefix, multi-round-qa, sharegpt, trace
  std::string duration;
  std::string patience = "60s";
  uint64_t seed = 1;
  std::optional<double> rate;
  std::optional<double> rate_to;
  std::string ladder;
  double burstiness = 1;
  bool constant = false;  // evenly spaced
  std::optional<uint64_t> requests;
  uint32_t concurrency = 0;
  std::optional<uint64_t> in_flight_max;
  std::optional<uint32_t> prompt_tokens;
  std::optional<uint32_t> output_tokens;
  double range_ratio = 0;
  std::optional<uint32_t> groups;
  std::optional<uint32_t> prompts_per_group;
  std::optional<uint32_t> system_tokens;
  std::optional<uint32_t> question_tokens;
  std::optional<uint32_t> history_tokens;
  std::optional<uint32_t> users;
  std::optional<uint32_t> rounds;
  uint64_t users_before = 0;
  std::optional<uint32_t> warm_up;
  std::string dataset_file;
  std::string trace_file;
  std::string trace_format = "mooncake";  // mooncake, azure, weka, lmcache, log
  std::string trace_pool;                 // of a log; empty: the one that it has
  double speed = 1;
  std::string tenants;     // "a=3,b=1"
  std::string objectives;  // "critical=0.2,batch=0.8"

  std::string goodput;  // "ttft=2s,tpot=50ms,e2e=20s"
  std::string html_file;
  std::string json_file;
  bool json_requests = false;
  bool fail_on_errors = false;
  std::string command;          // as it was typed, for the result
  std::set<std::string> given;  // the flags that were: "--users"
};

// 0; 1: it cannot begin, cannot write its results, or requests failed with --fail-on-errors.
int RunBench(const BenchFlags& flags);

}  // namespace gw
