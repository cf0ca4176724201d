#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <string>

#include "api/names.h"
#include "api/node.h"
#include "config/kubernetes/kubeconfig.h"
#include "config/kubernetes/server_url.h"
#include "kube/text_source.h"

namespace gw::config {
namespace {

constexpr size_t kFileBytesMax = kube::TextSource::kFileBytesMax;

absl::StatusOr<kube::ServerUrl> ServiceOf(const KubeEnvironment& environment) {
  if (environment.service_host.empty() || environment.service_port.empty()) {
    return absl::NotFoundError(
        "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be set");
  }
  kube::ServerUrl url;
  url.host = environment.service_host;
  if (!IsServerHost(url.host)) {
    return absl::InvalidArgumentError(
        "KUBERNETES_SERVICE_HOST: must be an IP address or a host name, got " +
        api::Quoted(url.host));
  }
  int port = 0;
  if (!absl::SimpleAtoi(environment.service_port, &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError("KUBERNETES_SERVICE_PORT: must be 1..65535, got " +
                                      api::Quoted(environment.service_port));
  }
  url.port = static_cast<uint16_t>(port);
  return url;
}

}  // namespace

absl::StatusOr<ClusterAccess> InClusterAccess(const KubeEnvironment& environment,
                                              const std::string& folder) {
  ClusterAccess out;
  out.source = "service account";
  ASSIGN_OR_RETURN(out.access.server, ServiceOf(environment));
  out.access.token_file = folder + "/token";
  out.access.ca.file = folder + "/ca.crt";
  // That they can be read is said at once; they are read for use, and again, by the credentials.
  RETURN_IF_ERROR(kube::ReadRegularFile(out.access.token_file, kFileBytesMax).status());
  RETURN_IF_ERROR(kube::ReadRegularFile(out.access.ca.file, kFileBytesMax).status());
  const absl::StatusOr<std::string> text =
      kube::ReadRegularFile(folder + "/namespace", kFileBytesMax);
  if (absl::IsNotFound(text.status())) return out;
  if (!text.ok()) return text.status();
  out.ns = std::string(absl::StripAsciiWhitespace(*text));
  if (!api::IsDnsLabel(out.ns)) {
    return absl::InvalidArgumentError(folder + "/namespace: must be a DNS label, got " +
                                      api::Quoted(out.ns));
  }
  return out;
}

absl::StatusOr<ClusterAccess> FindClusterAccess(const KubeconfigOptions& options,
                                                const KubeEnvironment& environment,
                                                const std::string& folder) {
  const bool named =
      !options.file.empty() || !options.context.empty() || !environment.kubeconfig.empty();
  const bool in_cluster = !named && !environment.service_host.empty();
  return in_cluster ? InClusterAccess(environment, folder) : ReadKubeconfig(options, environment);
}

}  // namespace gw::config
