#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "api/names.h"
#include "base/check.h"
#include "base/escape.h"
#include "base/suggest.h"
#include "base/version.h"
#include "cli/admin_flags.h"
#include "cli/ask.h"
#include "cli/ask_flags.h"
#include "cli/bench_flags.h"
#include "cli/check.h"
#include "cli/cluster_flags.h"
#include "cli/command_help.h"
#include "cli/dataplane_flags.h"
#include "cli/log_flags.h"
#include "cli/object_flags.h"
#include "cli/peer_flags.h"
#include "cli/replay_flags.h"
#include "cli/scrape_flags.h"
#include "cli/serve.h"
#include "cli/sim.h"
#include "cli/sim_flags.h"
#include "cli/suggestions.h"
#include "cli/trace_flags.h"
#include "dns/resolver.h"
#include "server/state_file.h"

namespace gw {
namespace {

// On a cluster: until kube-proxies and load balancers have heard that the Pod is not ready.
constexpr Duration kShutdownDelayOfPod = std::chrono::seconds(5);

// What the user typed, for every command.
struct Flags {
  ServerOptions serve;
  ObjectOptions objects;
  ClusterFlags cluster;
  LogFlags log;
  bool ready_without_endpoints = true;
  ScrapeFlags scrape;
  TraceFlags traces;
  PeerFlags peers;
  int drain_s = 600;
  std::string shutdown_delay;  // empty: as it is for what is served
  size_t prefix_index_mb = 256;
  size_t body_mb = 32;
  std::vector<std::string> limits;
  std::vector<std::string> timeouts;
  bool check_strict = false;
  ObjectFlags ours;
  std::string dns_servers;
  SimFlags sim;
  BenchFlags bench;
  ReplayFlags replay;
  std::optional<std::string> release_state;
  AdminFlags log_level_admin;
  std::string new_log_level;
  std::string shell;
  std::string manual_command;
  std::string manual_folder;
};

absl::Status CheckLimit(std::string_view argument, DataplaneOptions* scratch) {
  config::FileLimits files;
  return IsFileLimit(argument) ? SetFileLimit(argument, &files) : SetLimit(argument, scratch);
}

// Checks what `set` would make of an argument, so that the error comes with the flag's name.
CLI::Validator Settable(absl::Status (*set)(std::string_view, DataplaneOptions*)) {
  return CLI::Validator(
      [set](std::string& argument) {
        DataplaneOptions scratch;
        return std::string(set(argument, &scratch).message());
      },
      "");
}

void AddHeader(CLI::App& serve, const char* flag, std::string& header, const char* what) {
  serve.add_option(flag, header, what)
      ->check(CLI::Validator(
          [](std::string& name) {
            return api::IsHttpToken(name) ? std::string()
                                          : "must be the name of a header, got \"" + name + "\"";
          },
          ""))
      ->type_name("NAME");
}

void AddDataplane(CLI::App& serve, Flags& flags) {
  AddHeader(serve, "--endpoint-selection-header", flags.serve.endpoint_selection_header,
            "For tests: the header in which a request lists the endpoints that it may go to");
  AddHeader(serve, "--served-endpoint-header", flags.serve.served_endpoint_header,
            "For tests: the header in which a response tells which endpoint it is from");
  serve.add_option("--body-mb", flags.body_mb, "Largest request body")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  serve.add_option("--drain-seconds", flags.drain_s, "Longest drain after SIGTERM")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  serve
      .add_option("--shutdown-delay", flags.shutdown_delay,
                  "From SIGTERM, told by /readyz at once, to the drain; 5s with --kubernetes")
      ->check(CLI::Validator(
          [](std::string& time) {
            DataplaneOptions scratch;
            return std::string(SetTimeout("shutdown_delay=" + time, &scratch).message());
          },
          ""))
      ->default_str("0s")
      ->type_name("TIME");
  serve
      .add_option("--limit", flags.limits, "One limit, such as pipelined_bytes=128KiB; repeatable")
      ->check(Settable(CheckLimit))
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  serve
      .add_option("--timeout", flags.timeouts,
                  "One time-out, such as connect_timeout=2s; repeatable")
      ->check(Settable(SetTimeout))
      ->allow_extra_args(false)
      ->type_name("NAME=TIME");
  serve.footer(DataplaneFlagsHelp());
}

// PATH... and -f PATH..., mixed as people like.
void AddPaths(CLI::App& command, std::vector<std::string>& paths, const char* what) {
  command.add_option("PATH", paths, what);
  command
      .add_option_function<std::vector<std::string>>(
          "-f,--file",
          [&paths](const std::vector<std::string>& named) {
            paths.insert(paths.end(), named.begin(), named.end());
          },
          "The same; may be repeated")
      ->type_name("PATH");
}

// A command that wants objects and is told no place.
bool LacksPaths(const CLI::App& command, const ObjectOptions& objects) {
  if (!command.parsed() || objects.kubernetes || !objects.files.paths.empty()) return false;
  std::cerr << "penstock " << command.get_name()
            << ": PATH is required: files or folders of objects, or --kubernetes\n";
  return true;
}

CLI::App* AddServe(CLI::App& app, Flags& flags) {
  CLI::App* serve = app.add_subcommand(
      "serve", "Run the gateway on files of Kubernetes objects, or on a cluster");
  AddPaths(*serve, flags.objects.files.paths, "Files and folders of YAML");
  AddCluster(*serve, flags.objects);
  AddAddresses(*serve, flags.cluster);
  AddWriting(*serve, flags.objects);
  AddObjects(*serve, flags.ours);
  serve->add_option("--admin", flags.serve.admin_address, "Address of the admin port")
      ->capture_default_str()
      ->type_name("ADDR:PORT");
  AddAdminAccess(*serve, flags.serve.admin_access);
  AddMetricsNames(*serve, flags.serve.other_names);
  serve->add_option("--bind", flags.serve.bind_ip, "Address of Gateways that name none")
      ->capture_default_str()
      ->type_name("ADDR");
  serve->add_option("--workers", flags.serve.workers, "Event loops; 0: one per core")
      ->capture_default_str()
      ->check(CLI::Range(0, 256));
  serve
      ->add_option("--release-state", flags.release_state,
                   "File that keeps how far releases came; \"\": none. Below $STATE_DIRECTORY or "
                   "~/.local/state unless given; with --kubernetes the objects keep it")
      ->type_name("FILE");
  serve->add_flag("--takeover", flags.serve.takeover,
                  "Share the ports with a running gateway, which is then ended with SIGTERM");
  AddLog(*serve, flags.log);
  serve
      ->add_option("--ready-without-endpoints", flags.ready_without_endpoints,
                   "Whether /readyz is 200 while no pool has a usable endpoint")
      ->type_name("true|false")
      ->default_str("true");
  AddScraping(*serve, flags.scrape);
  serve->add_option("--prefix-index-mb", flags.prefix_index_mb, "Byte budget of the prefix index")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  serve
      ->add_option("--dns-servers", flags.dns_servers,
                   "Asked for hosts of Backends, in place of the machine's")
      ->check(CLI::Validator(
          [](std::string& text) { return std::string(CheckDnsServers(text).message()); }, ""))
      ->type_name("IP[:PORT],...");
  serve->add_option("--seed", flags.serve.seed, "Of chance, to repeat a run; drawn if not given")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 63))
      ->type_name("N");
  AddTraces(*serve, flags.traces);
  AddPeers(*serve, flags.peers);
  AddDataplane(*serve, flags);
  return serve;
}

CLI::App* AddCheck(CLI::App& app, Flags& flags) {
  CLI::App* check = app.add_subcommand(
      "check", "Validate objects and print their conditions; exit 1 if anything is refused");
  AddPaths(*check, flags.objects.files.paths, "Files and folders of YAML; - is standard input");
  check->add_flag("--strict", flags.check_strict, "Exit 1 for warnings too");
  AddCluster(*check, flags.objects);
  AddAddresses(*check, flags.cluster);
  AddObjects(*check, flags.ours);
  return check;
}

CLI::App* AddLogLevel(CLI::App& app, Flags& flags) {
  CLI::App* level =
      app.add_subcommand("log-level", "Print or change a running gateway's log level");
  level->add_option("LEVEL", flags.new_log_level, "debug, info, warning or error; print it if none")
      ->check(LogLevelWord());
  AddAdmin(*level, flags.log_level_admin);
  return level;
}

void ApplyServeFlags(Flags* flags) {
  flags->serve.translate = OptionsOf(flags->ours);
  flags->serve.log_share = LogShareOf(flags->log);
  flags->serve.log_prompt_blocks = flags->log.prompt_blocks;
  flags->serve.resolver.servers = flags->dns_servers;
  flags->serve.ready_without_endpoints = flags->ready_without_endpoints;
  flags->serve.scrape = ScrapeOptionsOf(flags->scrape);
  flags->serve.dataplane.drain_timeout = std::chrono::seconds(flags->drain_s);
  if (flags->objects.kubernetes) flags->serve.dataplane.shutdown_delay = kShutdownDelayOfPod;
  if (!flags->shutdown_delay.empty()) {
    CHECK(SetTimeout("shutdown_delay=" + flags->shutdown_delay, &flags->serve.dataplane).ok());
  }
  flags->serve.dataplane.request_body_bytes_max = flags->body_mb << 20;
  flags->serve.prefix_index_bytes_max = flags->prefix_index_mb << 20;
  flags->serve.releases_by_objects = flags->objects.kubernetes;
  if (!flags->objects.kubernetes) {
    flags->serve.release_state_file =
        flags->release_state.value_or(DefaultStateFile(flags->objects.files.paths));
  }
  // After the flags that set the same; checked when they were read.
  for (const std::string& limit : flags->limits) {
    const bool of_files = IsFileLimit(limit);
    CHECK(of_files ? SetFileLimit(limit, &flags->objects.files.limits).ok()
                   : SetLimit(limit, &flags->serve.dataplane).ok());
  }
  for (const std::string& timeout : flags->timeouts) {
    CHECK(SetTimeout(timeout, &flags->serve.dataplane).ok());
  }
}

// "{both,prefill,decode}" of a validator's description.
std::vector<std::string> ChoicesOf(const std::string& description) {
  const size_t open = description.find('{');
  const size_t close = description.find('}');
  std::vector<std::string> choices;
  if (open == std::string::npos || close < open) return choices;
  for (const std::string& choice :
       CLI::detail::split(description.substr(open + 1, close - open - 1), ',')) {
    choices.push_back(choice.substr(0, choice.find("->")));
  }
  return choices;
}

std::vector<std::string> Assignments(const std::vector<NamedDefault>& known) {
  std::vector<std::string> names;
  for (const NamedDefault& each : known) names.push_back(each.name + "=");
  return names;
}

// "PATH" of "PATH:{a,b}", the name of the type in front of what its validators say; whole, where
// the name itself has parts ("ADDR:PORT").
std::string ValueOf(const std::string& type) {
  size_t colon = type.find(':');
  while (colon != std::string::npos) {
    const size_t next = type.find(':', colon + 1);
    const std::string part = type.substr(colon + 1, next - colon - 1);
    if (part.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) break;
    colon = next;
  }
  return type.substr(0, colon);
}

OptionHelp HelpOf(const CLI::Option& option) {
  OptionHelp help;
  help.positional = option.get_positional();
  if (help.positional) {
    help.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) help.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) help.names.push_back("--" + name);
    if (option.get_type_size_max() > 0) help.value = ValueOf(option.get_type_name());
  }
  help.text = option.get_description();
  help.default_value = option.get_default_str();
  help.choices = ChoicesOf(option.get_type_name());
  if (help.names.back() == "--limit") {
    help.choices = Assignments(KnownLimits());
    for (std::string& name : Assignments(KnownFileLimits()))
      help.choices.push_back(std::move(name));
  }
  if (help.names.back() == "--timeout") help.choices = Assignments(KnownTimeouts());
  help.required = option.get_required();
  help.repeatable = option.get_items_expected_max() > 1;
  return help;
}

ProgramHelp Describe(const CLI::App& app) {
  ProgramHelp program = {app.get_name(), app.get_description(), {}};
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandHelp help = {command->get_name(), command->get_description(), {}, command->get_footer()};
    for (const CLI::Option* option : command->get_options()) {
      const bool is_hidden = option->get_group().empty();
      if (option != command->get_help_ptr() && !is_hidden) help.options.push_back(HelpOf(*option));
    }
    program.commands.push_back(std::move(help));
  }
  return program;
}

CLI::App* AddCompletion(CLI::App& app, Flags& flags) {
  CLI::App* completion =
      app.add_subcommand("completion", "Print a script that completes commands and flags");
  completion->add_option("SHELL", flags.shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember(CompletionShells()));
  return completion;
}

CLI::App* AddManual(CLI::App& app, Flags& flags) {
  CLI::App* manual = app.add_subcommand("manual", "Print a manual page, for `man -l -`");
  std::vector<std::string> commands;
  for (const CommandHelp& command : Describe(app).commands) commands.push_back(command.name);
  manual->add_option("COMMAND", flags.manual_command, "Of this command; of the program if none")
      ->check(CLI::IsMember(commands));
  manual->add_option("--all", flags.manual_folder, "Write every page into this folder instead")
      ->check(CLI::ExistingDirectory)
      ->type_name("DIR");
  return manual;
}

absl::Status DecideBy(const Flags& flags, TranslateOptions* translate) {
  return flags.objects.kubernetes ? DecideAsOnACluster(flags.cluster, translate) : absl::OkStatus();
}

int ServeByFlags(Flags* flags) {
  if (flags->objects.kubernetes && flags->release_state) {
    std::cerr << "penstock serve: --release-state: with --kubernetes the ModelReleases' own status "
                 "keeps how far they came\n";
    return 1;
  }
  ApplyServeFlags(flags);
  absl::StatusOr<TraceOptions> traces = TraceOptionsOf(flags->traces, std::getenv);
  if (!traces.ok()) {
    std::cerr << "penstock serve: " << traces.status().message() << "\n";
    return 1;
  }
  flags->serve.traces = *std::move(traces);
  absl::StatusOr<peers::PeerOptions> peers = PeerOptionsOf(flags->peers);
  if (!peers.ok()) {
    std::cerr << "penstock serve: " << peers.status().message() << "\n";
    return 1;
  }
  flags->serve.peers = *std::move(peers);
  if (const absl::Status status = DecideBy(*flags, &flags->serve.translate); !status.ok()) {
    std::cerr << "penstock serve: " << status.message() << "\n";
    return 1;
  }
  return RunServe(flags->serve, flags->objects, LogOptionsOf(flags->log));
}

// Objects may come from anywhere: none of their words reaches the terminal as it is.
int CheckByFlags(const Flags& flags) {
  TranslateOptions translate = OptionsOf(flags.ours);
  std::ostringstream out, err;
  int status = 1;
  if (const absl::Status decided = DecideBy(flags, &translate); !decided.ok()) {
    err << "penstock check: " << decided.message() << "\n";
  } else if (flags.objects.kubernetes) {
    SetLogLevel(LogLevel::kError);
    status = RunCheckOfCluster(flags.objects.kubeconfig, translate, flags.check_strict, out, err);
  } else {
    status = RunCheck(flags.objects.files.paths, translate, flags.check_strict, out, err);
  }
  std::cout << PrintableLines(out.str()) << std::flush;
  std::cerr << PrintableLines(err.str());
  return status;
}

}  // namespace

int RunCommand(int argc, char** argv) {
  CLI::App app("Penstock: a gateway for large-language-model inference.", "penstock");
  app.require_subcommand(1);
  app.set_version_flag("--version", VersionLine(), "Print version, commit and compiler");
  Flags flags;
  CLI::App* serve = AddServe(app, flags);
  CLI::App* check = AddCheck(app, flags);
  CLI::App* sim = AddSim(app, flags.sim);
  const CLI::App* bench = AddBench(app, flags.bench);
  const CLI::App* replay = AddReplay(app, flags.replay);
  const AskCommands asks(app);
  CLI::App* log_level = AddLogLevel(app, flags);
  CLI::App* completion = AddCompletion(app, flags);
  CLI::App* manual = AddManual(app, flags);
  if (const std::string error = UnknownCommand(Describe(app), argc, argv); !error.empty()) {
    std::cerr << error;
    return 1;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    std::cerr << MeantFlags(Describe(app), argc, argv);
    return status;
  }
  if (LacksPaths(*serve, flags.objects) || LacksPaths(*check, flags.objects)) return 1;
  if (serve->parsed()) return ServeByFlags(&flags);
  if (check->parsed()) return CheckByFlags(flags);
  if (sim->parsed()) return RunSim(flags.sim);
  if (bench->parsed()) {
    flags.bench.command = absl::StrJoin(std::span(argv, static_cast<size_t>(argc)), " ");
    return RunBench(flags.bench);
  }
  if (replay->parsed()) {
    flags.replay.command = absl::StrJoin(std::span(argv, static_cast<size_t>(argc)), " ");
    return RunReplay(flags.replay);
  }
  if (const std::optional<int> status = asks.Run()) return *status;
  if (log_level->parsed()) {
    return RunLogLevel(flags.new_log_level, flags.log_level_admin, std::cout, std::cerr);
  }
  if (completion->parsed()) {
    std::cout << CompletionScript(Describe(app), flags.shell);
    return 0;
  }
  if (manual->parsed()) {
    return RunManual(Describe(app), flags.manual_command, flags.manual_folder);
  }
  return 1;
}

}  // namespace gw
