// Backend (penstock.dev/v1alpha1): a model server, or an API like one, that serves elsewhere: under
// a name instead of as Pods.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/meta.h"

namespace gw::api {

struct Backend {
  struct Tls {
    std::string hostname;        // SNI, and the name in the certificate; spec.host unless given
    std::vector<CaRef> ca_refs;  // empty: those that the machine trusts
    bool insecure_skip_verify = false;

    bool operator==(const Tls&) const = default;
  };

  struct Credentials {
    std::string secret;                    // of the Backend's namespace
    std::string key = "token";             // of its data
    std::string header = "authorization";  // lower case
    std::string prefix;  // before the token: "Bearer " unless given, "" for other header fields

    bool operator==(const Credentials&) const = default;
  };

  struct Model {
    static constexpr char kAnyName[] = "*";
    std::string name;    // that is asked for; kAnyName: every other
    std::string target;  // that is sent

    bool operator==(const Model&) const = default;
  };

  ObjectMeta meta;
  std::string host;         // a name, or an IP address; lower case
  int port = 0;             // 443 with TLS unless given, else 80
  std::string authority;    // spec.hostname: Host; spec.host unless given, with the port if unusual
  std::string path_prefix;  // "" or "/v1beta/openai"
  std::optional<Tls> tls;
  std::optional<Credentials> credentials;
  std::vector<Model> models;  // names are distinct

  bool operator==(const Backend&) const = default;
};

}  // namespace gw::api
