#include "cli/cluster_flags.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "api/names.h"
#include "base/suggest.h"

namespace gw {
namespace {

// The picker of Alibaba Cloud's product, whose users' pools name it: what it does is built in.
constexpr char kKnownPicker[] = "inference-gateway-ext-proc";

constexpr std::string_view kInfrastructures[] = {"shared", "managed"};

// Each of these returns what is wrong with the text, "" if nothing is.

std::string CheckInfrastructure(const std::string& text) {
  if (text == "shared" || text == "managed") return "";
  return "must be shared or managed, got \"" + text + "\"" + DidYouMean(text, kInfrastructures);
}

absl::StatusOr<api::ObjectKey> ParseService(const std::string& text) {
  return ParseObjectName(text, "Service", "penstock-system/penstock");
}

absl::StatusOr<api::ObjectKey> ParseDeployment(const std::string& text) {
  return ParseObjectName(text, "Deployment", "penstock-system/penstock");
}

absl::StatusOr<api::ObjectKey> ParseGateway(const std::string& text) {
  return ParseObjectName(text, "Gateway", "default/web");
}

std::string CheckService(const std::string& text) {
  return std::string(ParseService(text).status().message());
}

std::string CheckDeployment(const std::string& text) {
  return std::string(ParseDeployment(text).status().message());
}

std::string CheckGateway(const std::string& text) {
  return std::string(ParseGateway(text).status().message());
}

std::string CheckAddressPool(const std::string& text) {
  return std::string(AddressPool::Parse({text}).status().message());
}

// What goes with --infrastructure managed, and what with it alone.
absl::Status CheckManaged(const ClusterFlags& flags) {
  const bool managed = flags.infrastructure == "managed";
  if (managed == flags.managed_from.empty()) {
    return absl::InvalidArgumentError(
        managed ? "--infrastructure managed requires --managed-from, the Deployment of this process"
                : "--managed-from requires --infrastructure managed");
  }
  const std::pair<const char*, bool> others[] = {{"--service", !flags.service.empty()},
                                                 {"--address-pool", !flags.address_pools.empty()},
                                                 {"--gateway", !flags.gateway.empty()}};
  for (const auto& [flag, is_given] : others) {
    if (!managed || !is_given) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        flag, " excludes --infrastructure managed, by which each Gateway is served elsewhere"));
  }
  return absl::OkStatus();
}

CLI::Validator Checked(std::string (*check)(const std::string&)) {
  return CLI::Validator([check](std::string& text) { return check(text); }, "");
}

}  // namespace

void AddCluster(CLI::App& command, ObjectOptions& objects) {
  CLI::Option* kubernetes = command.add_flag("--kubernetes", objects.kubernetes,
                                             "Objects of a cluster, as its API server tells them");
  for (const char* path : {"PATH", "--file"}) kubernetes->excludes(command.get_option(path));
  command
      .add_option("--kubeconfig", objects.kubeconfig.file,
                  "Where the API server is; else KUBECONFIG, the Pod's service account or "
                  "~/.kube/config")
      ->needs(kubernetes)
      ->type_name("PATH");
  command.add_option("--context", objects.kubeconfig.context, "Of the kubeconfig")
      ->needs(kubernetes)
      ->type_name("NAME");
}

void AddWriting(CLI::App& serve, ObjectOptions& objects) {
  CLI::Option* kubernetes = serve.get_option("--kubernetes");
  serve
      .add_option("--write-status", objects.write_status,
                  "Write what became of the cluster's objects into their status")
      ->needs(kubernetes)
      ->capture_default_str()
      ->type_name("true|false");
  serve
      .add_option(
          "--lease", objects.lease,
          "Lease by which several gateways agree on who writes; the namespace is the Pod's, "
          "the name penstock")
      ->needs(kubernetes)
      ->type_name("[NAMESPACE/]NAME");
}

void AddAddresses(CLI::App& command, ClusterFlags& flags) {
  CLI::Option* kubernetes = command.get_option("--kubernetes");
  command
      .add_option("--infrastructure", flags.infrastructure,
                  "shared: this process serves all Gateways of its classes; managed: it makes a "
                  "Deployment and a Service for each")
      ->capture_default_str()
      ->needs(kubernetes)
      ->check(Checked(CheckInfrastructure))
      ->type_name("shared|managed");
  command
      .add_option("--managed-from", flags.managed_from,
                  "Deployment of this process, of which those of the Gateways are made, in its "
                  "namespace")
      ->needs(kubernetes)
      ->check(Checked(CheckDeployment))
      ->type_name("NAMESPACE/NAME");
  command
      .add_option("--gateway", flags.gateway,
                  "The one Gateway that is served; others are another's")
      ->needs(kubernetes)
      ->check(Checked(CheckGateway))
      ->type_name("NAMESPACE/NAME");
  CLI::Option* service =
      command
          .add_option("--service", flags.service,
                      "Service that clients reach --bind by: its addresses are the Gateways'")
          ->needs(kubernetes)
          ->check(Checked(CheckService))
          ->type_name("NAMESPACE/NAME");
  command
      .add_option("--address-pool", flags.address_pools,
                  "Addresses of this machine, of which each Gateway that names none has one; "
                  "may be repeated")
      ->needs(kubernetes)
      ->excludes(service)
      ->allow_extra_args(false)
      ->check(Checked(CheckAddressPool))
      ->type_name("CIDR");
}

absl::StatusOr<api::ObjectKey> ParseObjectName(std::string_view text, std::string_view kind,
                                               std::string_view example) {
  const size_t slash = text.find('/');
  const std::string_view ns = text.substr(0, slash);
  const std::string_view name = slash == text.npos ? "" : text.substr(slash + 1);
  // Of a Service it is a label, which the API server sees to.
  if (api::IsDnsLabel(ns) && api::IsDnsSubdomain(name)) {
    return api::ObjectKey{std::string(ns), std::string(name)};
  }
  return absl::InvalidArgumentError(absl::StrCat("must be NAMESPACE/NAME of a ", std::string(kind),
                                                 ", such as ", std::string(example), ", got \"",
                                                 std::string(text), "\""));
}

absl::Status DecideAsOnACluster(const ClusterFlags& flags, TranslateOptions* options) {
  options->only_controller = false;
  options->missing_picker = MissingPicker::kBuiltInOfOldGroup;
  if (options->builtin_pickers.empty()) options->builtin_pickers = {kKnownPicker};
  if (!flags.service.empty()) {
    ASSIGN_OR_RETURN(options->shared_service, ParseService(flags.service));
  }
  if (!flags.gateway.empty()) {
    ASSIGN_OR_RETURN(options->only_gateway, ParseGateway(flags.gateway));
  }
  RETURN_IF_ERROR(CheckManaged(flags));
  if (!flags.managed_from.empty()) {
    ASSIGN_OR_RETURN(options->managed_from, ParseDeployment(flags.managed_from));
  }
  absl::StatusOr<AddressPool> pool = AddressPool::Parse(flags.address_pools);
  if (!pool.ok()) {
    return absl::InvalidArgumentError("--address-pool: " + std::string(pool.status().message()));
  }
  options->address_pool = *std::move(pool);
  return absl::OkStatus();
}

}  // namespace gw
