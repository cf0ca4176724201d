#include "cli/sim_flags.h"

namespace gw {
namespace {

void AddSimEngine(CLI::App& sim, SimFlags& flags) {
  sim.add_option("--preset", flags.preset, "Model and GPU, or no time at all: " + PresetNames())
      ->capture_default_str();
  sim.add_option("--speed", flags.speed, "10: everything takes a tenth of its time")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  sim.add_option("--max-num-seqs", flags.max_num_seqs, "Requests in one batch");
  sim.add_option("--max-num-batched-tokens", flags.max_num_batched_tokens, "Tokens in one step");
  sim.add_option("--kv-blocks", flags.kv_blocks, "Blocks of the KV cache");
  sim.add_option("--block-size", flags.block_size, "Tokens in a block");
  sim.add_option("--max-model-len", flags.max_model_len, "Prompt and output together")
      ->capture_default_str();
}

void AddSimTransfer(CLI::App& sim, SimFlags& flags) {
  sim.add_option("--role", flags.role, "both, prefill or decode: part in disaggregated serving")
      ->capture_default_str()
      ->check(CLI::IsMember({"both", "prefill", "decode"}));
  sim.add_option("--kv-port", flags.kv_port, "vLLM: blocks are fetched here; 0: any port")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  sim.add_option("--bootstrap-port", flags.bootstrap_port, "SGLang: the same")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  sim.add_option("--kv-bandwidth", flags.kv_bandwidth_gb, "GB/s of each GPU's link")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  sim.add_option("--kv-lease", flags.kv_lease, "vLLM: prefill keeps blocks so long")
      ->capture_default_str()
      ->type_name("TIME");
  sim.add_option("--bootstrap-timeout", flags.bootstrap_timeout, "SGLang: a half awaits the other")
      ->capture_default_str()
      ->type_name("TIME");
}

}  // namespace

CLI::App* AddSim(CLI::App& app, SimFlags& flags) {
  CLI::App* sim = app.add_subcommand("sim", "Simulated model servers over HTTP");
  sim->add_option("--runtime", flags.runtime, "vllm or sglang: words of the metrics page")
      ->capture_default_str()
      ->check(CLI::IsMember({"vllm", "sglang"}));
  sim->add_option("--model", flags.models, "Served name; more are aliases of the first")
      ->delimiter(',')
      ->capture_default_str()
      ->type_name("NAME,...");
  sim->add_option("--lora", flags.loras, "Adapters served beside it")
      ->delimiter(',')
      ->type_name("NAME,...");
  sim->add_option("--replicas", flags.replicas, "Each on an address of its own")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  sim->add_option("--listen", flags.listen, "Replica i is on the i-th following address")
      ->capture_default_str()
      ->type_name("ADDR:PORT");
  sim->add_option("--name", flags.name, "Replica i is NAME-i")->capture_default_str();
  sim->add_option("--threads", flags.threads, "Event loops")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  sim->add_option("--seed", flags.seed, "Of generated text and its length")->capture_default_str();
  sim->add_option("--fault", flags.faults,
                  "[replica=K:]refuse, die, hang, hang-after-headers, error=503, busy-beyond=N, "
                  "late-error=2s, "
                  "break-after=N, close-after=N, error-event-after=N, no-transfer, unhealthy, "
                  "slow-metrics=200ms; may be repeated")
      ->type_name("SPEC");
  sim->add_flag("--print-pods", flags.print_pods, "Print Pod objects of the replicas and end");
  sim->add_option("--labels", flags.labels, "Of those Pods")->type_name("K=V,...");
  AddSimEngine(*sim, flags);
  AddSimTransfer(*sim, flags);
  return sim;
}

}  // namespace gw
