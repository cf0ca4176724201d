#include "cli/replay_flags.h"

#include "bench/replay/workloads.h"
#include "sim/engine/server_spec.h"

namespace gw {
namespace {

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void AddWhat(CLI::App& replay, ReplayFlags& flags) {
  replay.add_option("--workload", flags.workload, "What is asked")
      ->capture_default_str()
      ->check(CLI::IsMember(bench::StudyWorkloadNames()))
      ->type_name("NAME");
  replay
      .add_option("--trace", flags.trace_file,
                  "File with the requests of conversation, synthetic, agents, azure-*, lmcache, "
                  "trace or log; may end in .zst")
      ->type_name("PATH");
  replay.add_option("--trace-pool", flags.trace_pool, "log: of this pool, such as default/qwen")
      ->type_name("NAME");
  replay.add_option("--duration", flags.duration, "Nothing is asked after it, such as 10m")
      ->type_name("TIME");
  replay.add_option("--warm-up", flags.warm_up, "What is asked before is left out of all figures")
      ->type_name("TIME");
  replay.add_option("--api", flags.api, "chat, completions or messages (Anthropic)")
      ->capture_default_str()
      ->check(CLI::IsMember({"chat", "completions", "messages"}))
      ->type_name("API");
  replay
      .add_option("--goodput", flags.goodput,
                  "What a good answer keeps, such as ttft=2s,tpot=50ms,e2e=20s")
      ->type_name("NAME=TIME,...");
}

void AddWhom(CLI::App& replay, ReplayFlags& flags) {
  replay.add_option("--engines", flags.engines, "Model servers of the pool")
      ->capture_default_str()
      ->check(CLI::Range(size_t{1}, size_t{4096}))
      ->type_name("N");
  replay
      .add_option(
          "--engine", flags.engine,
          "Model and GPU of all, or such as q30h200:8,q32h100:8: " + Joined(sim::ServerSpecNames()))
      ->capture_default_str()
      ->type_name("PRESET[:N],...");
  replay
      .add_option("--prefill-engines", flags.prefill_engines,
                  "So many, the first ones, compute prompts for the others (vLLM)")
      ->capture_default_str()
      ->type_name("N");
  replay
      .add_option("--engine-file", flags.engine_files,
                  "One of your own, a JSON file, which --engine may name; repeatable")
      ->allow_extra_args(false)
      ->type_name("FILE");
  replay.add_option("--cache-scale", flags.cache_scale, "0.5: half as many KV blocks in each")
      ->capture_default_str()
      ->check(CLI::Range(1e-3, 1e3))
      ->type_name("N");
  replay
      .add_option(
          "--events", flags.events_file,
          "File of what befalls the engines, a line each, such as \"5m restart 3 60s\"; also "
          "stop, start, slow, remove, add")
      ->type_name("FILE");
}

void AddPeers(CLI::App& replay, ReplayFlags& flags) {
  replay.add_option("--gateways", flags.gateways, "Each request comes to one of them, at random")
      ->capture_default_str()
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  replay.add_flag("--share", flags.share, "Gateways tell each other what they know, as peers do");
  replay
      .add_option("--peer-gather", flags.peer_gather,
                  "--share: from one message to the next, such as 50ms")
      ->capture_default_str()
      ->type_name("TIME");
  replay.add_option("--peer-lost", flags.peer_lost, "--share: share of the messages that are lost")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("SHARE");
}

void AddHow(CLI::App& replay, ReplayFlags& flags) {
  replay
      .add_option(
          "--policy", flags.policies,
          "Routing strategies, one after another, such as COST,PREFIX_CACHE; with constants of "
          "their own: COST(busy=0.5,evict=2)")
      ->capture_default_str()
      ->type_name("NAME,...");
  replay.add_option("--seeds", flags.seeds, "Such as 1,2,3 or 1-5")
      ->capture_default_str()
      ->type_name("N,...");
  replay
      .add_option(
          "--load", flags.loads,
          "Times as fast as the trace, requests/s, or users, as the workload has it; a point "
          "for each")
      ->delimiter(',')
      ->type_name("N,...");
  replay.add_flag("--capacity", flags.capacity,
                  "Look for the load at which 90 % of the requests are good, from --load on");
  AddPeers(replay, flags);
  replay
      .add_option(
          "--foreign", flags.foreign_share,
          "0.3: so many of the requests reach the engines past the gateways, and are not in "
          "the figures")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.99))
      ->type_name("SHARE");
  replay.add_option("--metrics-age", flags.metrics_age, "From one page of an engine to the next")
      ->capture_default_str()
      ->type_name("TIME");
  replay
      .add_option("--gateway-us", flags.gateway_us,
                  "Microseconds that a gateway takes from a request's first byte to the decision")
      ->capture_default_str()
      ->check(CLI::Range(0, 10'000'000))
      ->type_name("N");
  replay
      .add_option("--index", flags.index,
                  "estimated: what was sent to an engine. precise: less what it says is evicted")
      ->capture_default_str()
      ->check(CLI::IsMember({"estimated", "precise"}))
      ->type_name("MODE");
}

}  // namespace

CLI::App* AddReplay(CLI::App& app, ReplayFlags& flags) {
  CLI::App* replay = app.add_subcommand(
      "replay", "A workload against simulated model servers in virtual time, policy by policy");
  AddWhat(*replay, flags);
  AddWhom(*replay, flags);
  AddHow(*replay, flags);
  replay->add_option("--jobs", flags.jobs, "Replays at a time; 0: one for each core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  replay->add_option("--html", flags.html_file, "Write the result as a page with plots here")
      ->type_name("FILE");
  replay->add_option("--json", flags.json_file, "Write the result here; - is standard output")
      ->type_name("FILE");
  return replay;
}

}  // namespace gw
