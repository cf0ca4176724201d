#include "cli/cluster_flags.h"

#include "api/names.h"
#include "base/suggest.h"

namespace gw {
namespace {

// The picker of Alibaba Cloud's product, whose users' pools name it: what it does is built in.
constexpr char kKnownPicker[] = "inference-gateway-ext-proc";

constexpr std::string_view kInfrastructures[] = {"shared", "managed"};

// Each of these returns what is wrong with the text, "" if nothing is.

std::string CheckInfrastructure(const std::string& text) {
  if (text == "shared") return "";
  if (text == "managed") return "managed is not built yet, only shared is";
  return "must be shared, got \"" + text + "\"" + DidYouMean(text, kInfrastructures);
}

std::string CheckService(const std::string& text) {
  return std::string(ParseServiceName(text).status().message());
}

std::string CheckAddressPool(const std::string& text) {
  return std::string(AddressPool::Parse({text}).status().message());
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
                  "shared: this process serves all Gateways of its classes")
      ->capture_default_str()
      ->needs(kubernetes)
      ->check(Checked(CheckInfrastructure))
      ->type_name("shared");
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

absl::StatusOr<api::ObjectKey> ParseServiceName(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view ns = text.substr(0, slash);
  const std::string_view name = slash == text.npos ? "" : text.substr(slash + 1);
  if (api::IsDnsLabel(ns) && api::IsDnsLabel(name)) {
    return api::ObjectKey{std::string(ns), std::string(name)};
  }
  return absl::InvalidArgumentError(
      "must be NAMESPACE/NAME of a Service, such as penstock-system/penstock, got \"" +
      std::string(text) + "\"");
}

absl::Status DecideAsOnACluster(const ClusterFlags& flags, TranslateOptions* options) {
  options->only_controller = false;
  options->missing_picker = MissingPicker::kBuiltInOfOldGroup;
  if (options->builtin_pickers.empty()) options->builtin_pickers = {kKnownPicker};
  if (!flags.service.empty()) {
    ASSIGN_OR_RETURN(options->shared_service, ParseServiceName(flags.service));
  }
  absl::StatusOr<AddressPool> pool = AddressPool::Parse(flags.address_pools);
  if (!pool.ok()) {
    return absl::InvalidArgumentError("--address-pool: " + std::string(pool.status().message()));
  }
  options->address_pool = *std::move(pool);
  return absl::OkStatus();
}

}  // namespace gw
