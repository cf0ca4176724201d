// One user and one cluster of a kubeconfig. What is wrong goes to Problems, with field and line.

#pragma once

#include <string>

#include "api/node.h"
#include "api/reader.h"
#include "kube/access_options.h"

namespace gw::config {

// A map of a kubeconfig: the inside of a user or a cluster.
struct KubeconfigEntry {
  const api::Node* node = nullptr;  // nullptr or null: nothing in it
  std::string path;                 // `users["a"].user`
  int line = 0;
  std::string file;  // paths in it are relative to the folder of this
};

// Fills in who we are. Before its cluster: http is refused where there is something to hide.
void ReadKubeconfigUser(const KubeconfigEntry& user, api::Problems* problems,
                        kube::AccessOptions* access);

// Fills in where it is and whom we believe. REQUIRES: the user has been read into *access
void ReadKubeconfigCluster(const KubeconfigEntry& cluster, api::Problems* problems,
                           kube::AccessOptions* access);

inline constexpr size_t kKubeconfigTextMax = 4096;
inline constexpr size_t kKubeconfigDataMax = 1u << 20;  // base64, tokens, what a plug-in is given

// A path that stands in that file.
std::string PathFrom(const std::string& file, const std::string& path);
// PEM: `path` is that of a file, `data` is base64 and wins.
kube::TextOptions ReadKubeconfigPem(const api::Value& path, const api::Value& data,
                                    const std::string& file);

}  // namespace gw::config
