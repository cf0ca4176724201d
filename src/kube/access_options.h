// AccessOptions: where an API server is and how one logs in there, as a kubeconfig or the files of
// a Pod say it. Plain values; credentials are made of them by NewCredentials.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace gw::kube {

// The server's address. The host is a name or an IP address without brackets; looking it up is for
// whoever connects.
struct ServerUrl {
  bool tls = true;  // https
  std::string host;
  uint16_t port = 443;
  std::string path_prefix;  // "" or "/k8s/clusters/a", without a slash at its end

  std::string Authority() const;  // "[::1]:6443"
  std::string ToString() const;   // "https://[::1]:6443/k8s"

  bool operator==(const ServerUrl&) const = default;
};

// Text that stands in the configuration itself or in a file, which is read again as it gets old.
struct TextOptions {
  std::string text;
  std::string file;  // goes unread if there is a text
  std::string name;  // what errors call it: "clusters[a].certificate-authority-data (config:4)"

  bool given() const { return !text.empty() || !file.empty(); }
  bool operator==(const TextOptions&) const = default;
};

// A credential plug-in: a program that is asked who we are (client.authentication.k8s.io).
struct ExecOptions {
  // With a slash in it: a path; otherwise looked for along PATH.
  std::string command;
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // beside our own; these win
  std::string api_version;   // "client.authentication.k8s.io/v1", ".../v1beta1"
  std::string install_hint;  // is in the error if there is no such program
  bool provide_cluster_info = false;
  std::string cluster_config_json;  // spec.cluster.config of what it is told; "": none
  // It is killed when it takes longer, or writes more.
  Duration timeout = std::chrono::seconds(30);
  size_t output_bytes_max = 1u << 20;

  bool operator==(const ExecOptions&) const = default;
};

struct AccessOptions {
  ServerUrl server;
  // Whose name the server's certificate must have, and SNI; "": the host.
  std::string tls_server_name;
  bool insecure_skip_tls_verify = false;  // any certificate will do
  bool disable_compression = false;       // nobody asks for compressed answers; a plug-in is told
  TextOptions ca;                         // none: those that the machine trusts
  TextOptions client_certificate;
  TextOptions client_key;
  std::string token;
  std::string token_file;  // wins over `token`, which stands in while it has never been read
  std::string username;    // with a password: Basic
  std::string password;
  std::optional<ExecOptions> exec;

  bool operator==(const AccessOptions&) const = default;
};

}  // namespace gw::kube
