#include "cli/ask_flags.h"

#include "cli/admin_flags.h"

namespace gw {
namespace {

constexpr char kKinds[] =
    "pools, pods, endpoints, queues, gateways, httproutes, gatewayclasses, models, objectives, "
    "rewrites, policies, releases, or all";

void AddObjects(CLI::App& command, GetFlags& flags) {
  command.add_option("KIND", flags.kind, kKinds)->required();
  command.add_option("NAME", flags.names, "Only these; KIND/NAME says the same");
  command.add_option("-n,--namespace", flags.ns, "Only of this namespace")->type_name("NS");
  AddAdmin(command, flags.admin);
}

}  // namespace

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

}  // namespace gw
