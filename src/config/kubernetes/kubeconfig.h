// Where an API server is and how one logs in there, out of what kubectl reads too: kubeconfig
// files, or what every Pod is given.
//
// Reads files; any thread, at start-up. What is not supported is refused by its name. No error
// shows a token, a password, a key, or what a plug-in is given.

#pragma once

#include <string>

#include "base/status.h"
#include "kube/access_options.h"

namespace gw::config {

struct ClusterAccess {
  std::string source;  // for logs: `context "a" (/root/.kube/config)`, "service account"
  std::string ns = "default";
  kube::AccessOptions access;
};

// What the environment of the process says; "" for what is not set.
struct KubeEnvironment {
  std::string kubeconfig;    // KUBECONFIG
  std::string home;          // HOME
  std::string service_host;  // KUBERNETES_SERVICE_HOST
  std::string service_port;  // KUBERNETES_SERVICE_PORT
};
KubeEnvironment ReadKubeEnvironment();

struct KubeconfigOptions {
  std::string file;     // "": those of KUBECONFIG, or ~/.kube/config
  std::string context;  // "": current-context
};

// KUBECONFIG lists files, with colons between them: the first that has a context, cluster or user
// of a name has all of it, and the first with a current-context says that; files that are not there
// are passed over. Paths in a file are relative to its folder. A context without a user logs in as
// nobody. The context, its cluster and its user are read strictly; what else is in the files is not
// looked at.
absl::StatusOr<ClusterAccess> ReadKubeconfig(const KubeconfigOptions& options,
                                             const KubeEnvironment& environment);

inline constexpr char kServiceAccountFolder[] = "/var/run/secrets/kubernetes.io/serviceaccount";

// As the service account of the Pod that we run in: `folder` holds token, ca.crt and namespace.
absl::StatusOr<ClusterAccess> InClusterAccess(const KubeEnvironment& environment,
                                              const std::string& folder = kServiceAccountFolder);

// The Pod's service account, where there is one (KUBERNETES_SERVICE_HOST) and no kubeconfig is
// named by `options` or KUBECONFIG; else a kubeconfig.
absl::StatusOr<ClusterAccess> FindClusterAccess(const KubeconfigOptions& options,
                                                const KubeEnvironment& environment,
                                                const std::string& folder = kServiceAccountFolder);

}  // namespace gw::config
