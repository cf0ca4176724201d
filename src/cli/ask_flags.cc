#include "cli/ask_flags.h"

#include <iostream>

#include "cli/admin_flags.h"

namespace gw {
namespace {

constexpr char kKinds[] =
    "pools, pods, endpoints, queues, peers, gateways, httproutes, gatewayclasses, models, "
    "objectives, rewrites, policies, releases, or all";

void AddObjects(CLI::App& command, GetFlags& flags) {
  command.add_option("KIND", flags.kind, kKinds)->required();
  command.add_option("NAME", flags.names, "Only these; KIND/NAME says the same");
  command.add_option("-n,--namespace", flags.ns, "Only of this namespace")->type_name("NS");
  AddAdmin(command, flags.admin);
}

CLI::App* AddGet(CLI::App& app, GetFlags& flags) {
  CLI::App* get = app.add_subcommand(
      "get", "Objects of a running gateway as a table; \"all\": with their conditions");
  AddObjects(*get, flags);
  get->add_option("-o,--output", flags.output, "json, yaml or wide")
      ->check(CLI::IsMember({"json", "yaml", "wide"}))
      ->type_name("FORMAT");
  get->add_flag("-w,--watch", flags.watch, "Go on, and print what changes");
  return get;
}

CLI::App* AddDescribe(CLI::App& app, GetFlags& flags) {
  CLI::App* describe =
      app.add_subcommand("describe", "Objects of a running gateway with all their conditions");
  AddObjects(*describe, flags);
  describe->preparse_callback([&flags](size_t) { flags.output = "describe"; });
  return describe;
}

CLI::App* AddExplain(CLI::App& app, ExplainFlags& flags) {
  CLI::App* explain = app.add_subcommand("explain", "Where a request went, and why");
  CLI::Option* id = explain->add_option("ID", flags.request_id, "The request's x-request-id");
  CLI::Option* last = explain->add_flag("--last", flags.last, "The one that ended last");
  CLI::Option* pool =
      explain->add_option("--pool", flags.pool, "The last one of this pool, such as default/qwen")
          ->type_name("POOL");
  last->excludes(id)->excludes(pool);
  pool->excludes(id);
  explain->add_option("-o,--output", flags.output, "json: all fields")
      ->check(CLI::IsMember({"json"}))
      ->type_name("FORMAT");
  AddAdmin(*explain, flags.admin);
  return explain;
}

CLI::App* AddRelease(CLI::App& app, ReleaseFlags& flags) {
  CLI::App* release = app.add_subcommand(
      "release", "Say what a release of a running gateway is to do; \"get releases\" shows them");
  release->add_option("COMMAND", flags.command, "pause, resume, promote or abort")
      ->required()
      ->check(CLI::IsMember({"pause", "resume", "promote", "abort"}));
  release->add_option("NAME", flags.name, "Of the ModelRelease, or NAMESPACE/NAME")->required();
  release->add_option("-n,--namespace", flags.ns, "Its namespace: default, unless it is said")
      ->type_name("NS");
  AddAdmin(*release, flags.admin);
  return release;
}

CLI::App* AddTop(CLI::App& app, TopFlags& flags) {
  CLI::App* top = app.add_subcommand(
      "top", "A running gateway, live: endpoints, rates, percentiles, what queues");
  CLI::Option* once = top->add_flag("--once", flags.once, "One look, as text");
  top->add_flag("--plain", flags.plain, "A line now and then, as where there is no terminal")
      ->excludes(once);
  top->add_option("--interval", flags.interval_s, "Seconds between such lines")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  AddAdmin(*top, flags.admin);
  return top;
}

}  // namespace

AskCommands::AskCommands(CLI::App& app)
    : get_(AddGet(app, get_flags_)),
      describe_(AddDescribe(app, get_flags_)),
      explain_(AddExplain(app, explain_flags_)),
      release_(AddRelease(app, release_flags_)),
      top_(AddTop(app, top_flags_)) {}

std::optional<int> AskCommands::Run() const {
  if (get_->parsed() || describe_->parsed()) return RunGet(get_flags_, std::cout, std::cerr);
  if (explain_->parsed()) return RunExplain(explain_flags_, std::cout, std::cerr);
  if (release_->parsed()) return RunRelease(release_flags_, std::cout, std::cerr);
  if (top_->parsed()) return RunTop(top_flags_, std::cout, std::cerr);
  return std::nullopt;
}

}  // namespace gw
