#include "cli/object_flags.h"

#include <fmt/format.h>

#include "api/names.h"

namespace gw {
namespace {

CLI::Validator ControllerName() {
  return CLI::Validator(
      [](std::string& name) {
        if (api::IsControllerName(name)) return std::string();
        return fmt::format(
            "must be a domain and a path such as penstock.dev/gateway-controller, got \"{}\"",
            name);
      },
      "");
}

}  // namespace

void AddObjects(CLI::App& command, ObjectFlags& flags) {
  command
      .add_option("--controller-name", flags.controller_names,
                  "GatewayClasses with this controllerName are served, in place of those with "
                  "penstock.dev/gateway-controller or "
                  "inference.networking.x-k8s.io/gateway-controller; may be repeated")
      ->check(ControllerName())
      ->allow_extra_args(false)
      ->type_name("DOMAIN/PATH");
  command
      .add_option("--gateway-class", flags.gateway_classes,
                  "GatewayClass that is served without an object of it; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME");
  command
      .add_option(
          "--picker-names", flags.picker_names,
          "Pickers' Services that the built-in picker stands in for, NAME or NAMESPACE/NAME; "
          "*: all; with --kubernetes inference-gateway-ext-proc if not given")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...");
  command.add_flag("--allow-external-name", flags.allow_external_name,
                   "Serve Services of type ExternalName: who writes them chooses any host");
}

TranslateOptions OptionsOf(const ObjectFlags& flags) {
  TranslateOptions translate;
  if (!flags.controller_names.empty()) {
    translate.controller_names = {flags.controller_names.begin(), flags.controller_names.end()};
  }
  translate.gateway_classes = {flags.gateway_classes.begin(), flags.gateway_classes.end()};
  translate.allow_external_name = flags.allow_external_name;
  translate.builtin_pickers = {flags.picker_names.begin(), flags.picker_names.end()};
  return translate;
}

}  // namespace gw
