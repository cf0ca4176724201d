#include <absl/strings/escaping.h>

#include <string>
#include <utility>

#include "config/kubernetes/kubeconfig_entries.h"
#include "config/kubernetes/node_json.h"
#include "config/kubernetes/server_url.h"
#include "tls/trust.h"

namespace gw::config {
namespace {

using api::MapReader;
using api::Node;
using api::Problems;
using api::Value;

// The name of the extension that is for plug-ins (client.authentication.k8s.io/v1, Cluster.config).
constexpr char kExecExtension[] = "client.authentication.k8s.io/exec";

// Base64 as the API's own readers have it: lines may be broken, the padding must be there.
bool DecodeBase64(std::string text, std::string* out) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r'; });
  return text.size() % 4 == 0 && absl::Base64Unescape(text, out);
}

void ReadServer(MapReader& map, kube::AccessOptions* access) {
  const Value server = map.Require("server");
  const std::string text = server.Text(1, kKubeconfigTextMax);
  if (text.empty()) return;  // an error already
  absl::StatusOr<kube::ServerUrl> url = ParseServerUrl(text);
  if (!url.ok()) {
    server.Error(std::string(url.status().message()));
    return;
  }
  access->server = *std::move(url);
  const bool anybody = access->token.empty() && access->token_file.empty() &&
                       access->username.empty() && !access->client_certificate.given() &&
                       !access->exec;
  if (!access->server.tls && !anybody) {
    server.Error("must be https: over http the user's credentials would be there to read");
  }
}

void ReadTrust(MapReader& map, const std::string& file, kube::AccessOptions* access) {
  const Value data = map.Get("certificate-authority-data");
  access->ca = ReadKubeconfigPem(map.Get("certificate-authority"), data, file);
  if (!access->ca.text.empty()) {
    const auto trust = Trust::Parse(access->ca.text);
    if (!trust.ok()) data.Error(std::string(trust.status().message()));
  }
  const Value insecure = map.Get("insecure-skip-tls-verify");
  access->insecure_skip_tls_verify = insecure.Bool().value_or(false);
  if (access->insecure_skip_tls_verify && access->ca.given()) {
    insecure.Error("must not be true beside a certificate-authority");
  }
  const Value name = map.Get("tls-server-name");
  access->tls_server_name = name.Text(0, kKubeconfigTextMax);
  if (!access->tls_server_name.empty() && !IsServerHost(access->tls_server_name)) {
    name.Error("must be a host name or an IP address");
  }
  if (!access->server.tls && (access->ca.given() || !access->tls_server_name.empty())) {
    map.Error("must have an https server, as it says what certificate to believe");
  }
}

// What a plug-in is told of the cluster; other extensions are for other programs.
void ReadExtension(const KubeconfigEntry& cluster, const Value& extensions,
                   kube::ExecOptions* exec) {
  const Node* const list = cluster.node->Find("extensions");
  if (list == nullptr || !list->is_list()) return;
  for (const Node& item : list->items) {
    const Node* const name = item.Find("name");
    const Node* const extension = item.Find("extension");
    if (name == nullptr || name->text != kExecExtension || extension == nullptr) continue;
    absl::StatusOr<std::string> json = NodeToJson(*extension);
    if (json.ok()) {
      exec->cluster_config_json = *std::move(json);
    } else {
      extensions.Error(std::string(json.status().message()));
    }
    return;
  }
}

}  // namespace

void ReadKubeconfigCluster(const KubeconfigEntry& cluster, Problems* problems,
                           kube::AccessOptions* access) {
  const bool empty = cluster.node == nullptr || cluster.node->kind == Node::Kind::kNull;
  if (empty || !cluster.node->is_map()) {
    problems->Add(cluster.path, "must be a map with a server", cluster.line);
    return;
  }
  MapReader map(cluster.node, cluster.path, cluster.line, problems);
  ReadServer(map, access);
  ReadTrust(map, cluster.file, access);
  access->disable_compression = map.Get("disable-compression").Bool().value_or(false);
  const Value proxy = map.Get("proxy-url");
  // It may hold a password: whatever it is, it is not shown.
  const Node* const proxy_node = cluster.node->Find("proxy-url");
  if (proxy.present() && (proxy_node->kind != Node::Kind::kScalar || !proxy_node->text.empty())) {
    proxy.Error("is not supported: the API server is connected to directly");
  }
  const Value extensions = map.Get("extensions");
  if (access->exec && access->exec->provide_cluster_info) {
    ReadExtension(cluster, extensions, &*access->exec);
  }
}

std::string PathFrom(const std::string& file, const std::string& path) {
  if (path.starts_with('/')) return path;
  const size_t slash = file.rfind('/');
  return (slash == file.npos ? "./" : file.substr(0, slash + 1)) + path;
}

kube::TextOptions ReadKubeconfigPem(const Value& path, const Value& data, const std::string& file) {
  kube::TextOptions out;
  const std::string relative = path.Text(0, kKubeconfigTextMax);
  if (!relative.empty()) out.file = PathFrom(file, relative);
  const std::string encoded = data.Text(0, kKubeconfigDataMax);
  if (encoded.empty()) return out;
  out.name = data.path() + " (" + data.where() + ")";
  if (!DecodeBase64(encoded, &out.text) || out.text.empty()) {
    data.Error("must be base64, got " + std::to_string(encoded.size()) +
               " characters that are not");
  }
  return out;
}

}  // namespace gw::config
