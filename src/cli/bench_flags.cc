#include "cli/bench_flags.h"

namespace gw {
namespace {

void AddTarget(CLI::App& bench, BenchFlags& flags) {
  bench.add_option("--target", flags.target, "Server that is asked; its path comes before /v1/...")
      ->capture_default_str()
      ->type_name("URL");
  bench.add_option("--against", flags.against, "ab: the other one")->type_name("URL");
  bench.add_option("--names", flags.names, "ab: what both are called in what is printed")
      ->delimiter(',')
      ->type_name("A,B");
  bench.add_option("--pairs", flags.pairs, "ab: how often each is asked, by turns")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  AddServerTrust(bench, flags.trust);
  CLI::Option* admin =
      bench
          .add_option(
              "--admin", flags.admin,
              "Admin port of the gateway that is asked, such as http://127.0.0.1:9909: load "
              "of its endpoints and queues goes into the result")
          ->type_name("URL");
  bench.add_option("--admin-token-file", flags.admin_token_file, "Token that it asks for")
      ->needs(admin)
      ->type_name("PATH");
  CLI::Option* against = bench
                             .add_option("--against-admin", flags.against_admin,
                                         "ab: the same of the gateway of --against")
                             ->type_name("URL");
  bench
      .add_option("--against-admin-token-file", flags.against_admin_token_file,
                  "Token that that one asks for")
      ->needs(against)
      ->type_name("PATH");
  bench.add_option("--api-key-file", flags.api_key_file, "Key that is sent as a bearer token")
      ->type_name("PATH");
  bench.add_option("--header", flags.headers, "Sent with each request; repeatable")
      ->allow_extra_args(false)
      ->type_name("NAME:VALUE");
  bench.add_option("--model", flags.model, "Model that is asked for")->type_name("NAME");
  bench.add_option("--api", flags.api, "chat, completions or messages (Anthropic)")
      ->capture_default_str()
      ->check(CLI::IsMember({"chat", "completions", "messages"}))
      ->type_name("API");
  bench.add_flag("--ignore-eos", flags.ignore_eos,
                 "Answers are as long as they may be: vLLM and SGLang know this");
}

void AddPace(CLI::App& bench, BenchFlags& flags) {
  bench.add_option("--duration", flags.duration, "Nothing is asked after it, such as 20s or 5m")
      ->type_name("TIME");
  bench.add_option("--requests", flags.requests, "Nor after so many requests")->type_name("N");
  bench
      .add_option("--rate,--qps", flags.rate,
                  "Requests a second, at random times (Poisson); 1 unless something else says when")
      ->type_name("N");
  bench.add_option("--rate-to", flags.rate_to, "The rate goes there over the duration")
      ->type_name("N");
  bench.add_option("--ladder", flags.ladder, "Rates one after the other, such as 3x20,10x20")
      ->type_name("RATExSECONDS,...");
  CLI::Option* burstiness =
      bench
          .add_option("--burstiness", flags.burstiness,
                      "Shape of the gamma distribution of gaps: below 1 bursts, above 1 more even")
          ->capture_default_str()
          ->type_name("N");
  bench.add_flag("--constant", flags.constant, "Evenly spaced")->excludes(burstiness);
  bench
      .add_option("--concurrency", flags.concurrency,
                  "So many at a time, the next as soon as one is answered, in place of a rate")
      ->type_name("N");
  bench
      .add_option("--in-flight-max", flags.in_flight_max,
                  "With a rate or a trace: no more than so many at a time, what is due waits for a "
                  "place")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}))
      ->type_name("N");
  bench.add_option("--patience", flags.patience, "How long answers are waited for in the end")
      ->capture_default_str()
      ->type_name("TIME");
  bench.add_option("--seed", flags.seed, "Of chance, to repeat a run")->capture_default_str();
}

void AddWorkload(CLI::App& bench, BenchFlags& flags) {
  bench
      .add_option(
          "--workload", flags.workload,
          "random: prompts with nothing in common. shared-prefix: groups with a system prompt "
          "each. multi-round-qa: users in conversations. sharegpt: --dataset. trace: --trace")
      ->capture_default_str()
      ->check(CLI::IsMember({"random", "shared-prefix", "multi-round-qa", "sharegpt", "trace"}))
      ->type_name("NAME");
  bench.add_option("--prompt-tokens", flags.prompt_tokens, "random: of each prompt (1024)")
      ->type_name("N");
  bench
      .add_option("--output-tokens", flags.output_tokens,
                  "Of each answer (128, 1000, 100; sharegpt: as it was)")
      ->type_name("N");
  bench
      .add_option("--range-ratio", flags.range_ratio,
                  "random: lengths are drawn up to this share away")
      ->capture_default_str()
      ->type_name("N");
  bench
      .add_option("--system-tokens", flags.system_tokens,
                  "shared-prefix, multi-round-qa: of system prompts (6000, 1000)")
      ->type_name("N");
  bench.add_option("--groups", flags.groups, "shared-prefix: of prompts (150)")->type_name("N");
  bench.add_option("--prompts-per-group", flags.prompts_per_group, "shared-prefix: of each (5)")
      ->type_name("N");
  bench
      .add_option("--question-tokens", flags.question_tokens,
                  "shared-prefix: behind the system prompt (1200)")
      ->type_name("N");
  bench
      .add_option("--users", flags.users,
                  "multi-round-qa, trace of agent sessions: at the same time (10)")
      ->type_name("N");
  bench.add_option("--rounds", flags.rounds, "multi-round-qa: questions of each (5)")
      ->type_name("N");
  bench
      .add_option("--history-tokens", flags.history_tokens,
                  "multi-round-qa: of each user before the first question (2000)")
      ->type_name("N");
  bench
      .add_option("--users-before", flags.users_before,
                  "multi-round-qa: users are numbered from the next one on")
      ->type_name("N");
  bench
      .add_option("--warm-up", flags.warm_up,
                  "multi-round-qa: requests before the first one, left out of all figures (10)")
      ->type_name("N");
}

void AddTrace(CLI::App& bench, BenchFlags& flags) {
  bench
      .add_option("--dataset", flags.dataset_file,
                  "sharegpt: file of conversations, ShareGPT_V3's JSON, may end in .zst")
      ->type_name("PATH");
  bench
      .add_option("--trace", flags.trace_file,
                  "trace: file with requests that were, may end in .zst")
      ->type_name("PATH");
  bench
      .add_option("--trace-format", flags.trace_format,
                  "mooncake: lengths and blocks. azure: lengths (CSV). lmcache: texts. weka: agent "
                  "sessions, played by --users, each request after the answer before it. log: of "
                  "penstock serve --log-prompt-blocks")
      ->capture_default_str()
      ->check(CLI::IsMember({"mooncake", "azure", "weka", "lmcache", "log"}))
      ->type_name("NAME");
  bench
      .add_option("--trace-pool", flags.trace_pool,
                  "trace of a log: the pool whose requests are asked, such as default/qwen")
      ->type_name("NAME");
  bench.add_option("--speed", flags.speed, "trace: 2: all comes, or is thought, in half the time")
      ->capture_default_str()
      ->type_name("N");
}

void AddLabels(CLI::App& bench, BenchFlags& flags) {
  bench
      .add_option("--tenants", flags.tenants,
                  "Whose requests are, such as a=3,b=1 by weights, drawn for each session or "
                  "single request and sent as x-llm-d-inference-fairness-id")
      ->type_name("NAME=WEIGHT,...");
  bench
      .add_option("--objectives", flags.objectives,
                  "Likewise InferenceObjectives, sent as x-llm-d-inference-objective")
      ->type_name("NAME=WEIGHT,...");
}

}  // namespace

CLI::App* AddBench(CLI::App& app, BenchFlags& flags) {
  CLI::App* bench =
      app.add_subcommand("bench", "Ask a server as a workload says, and measure what comes");
  bench
      ->add_option("ACTION", flags.action,
                   "run: what is said if nothing is. ab: --target and --against by turns. compare: "
                   "results of earlier runs, ours and those of vllm bench serve and guidellm")
      ->check(CLI::IsMember({"run", "ab", "compare"}));
  bench->add_option("FILE", flags.files, "compare: results, the first is what others are beside");
  AddTarget(*bench, flags);
  AddWorkload(*bench, flags);
  AddTrace(*bench, flags);
  AddLabels(*bench, flags);
  AddPace(*bench, flags);
  bench
      ->add_option("--goodput", flags.goodput,
                   "What a good answer keeps, such as ttft=2s,tpot=50ms,e2e=20s")
      ->type_name("NAME=TIME,...");
  bench->add_option("--html", flags.html_file, "Write the result as a page with plots here")
      ->type_name("FILE");
  CLI::Option* json =
      bench->add_option("--json", flags.json_file, "Write the result here; - is standard output")
          ->type_name("FILE");
  bench->add_flag("--json-requests", flags.json_requests, "With each request in it")->needs(json);
  bench->add_flag("--fail-on-errors", flags.fail_on_errors, "Exit 1 if requests failed");
  bench->callback([bench, &flags] {
    for (const CLI::Option* option : bench->get_options()) {
      if (option->count() > 0) flags.given.insert(option->get_name());
    }
  });
  return bench;
}

}  // namespace gw
