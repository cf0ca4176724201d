#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/kubernetes/kubeconfig_entries.h"
#include "kube/exec_credential.h"
#include "tls/certificate.h"

namespace gw::config {
namespace {

using api::MapReader;
using api::Node;
using api::Problems;
using api::Value;

constexpr size_t kTextMax = kKubeconfigTextMax;
constexpr size_t kDataMax = kKubeconfigDataMax;
constexpr size_t kListMax = 1024;

enum class Shape { kText, kBool, kMap, kTextList, kMapList };
struct Field {
  std::string_view name;
  Shape shape;
};

constexpr Field kUserFields[] = {
    {"client-certificate", Shape::kText},
    {"client-certificate-data", Shape::kText},
    {"client-key", Shape::kText},
    {"client-key-data", Shape::kText},
    {"token", Shape::kText},
    {"tokenFile", Shape::kText},
    {"username", Shape::kText},
    {"password", Shape::kText},
    {"exec", Shape::kMap},
};
constexpr Field kExecFields[] = {
    {"command", Shape::kText},
    {"args", Shape::kTextList},
    {"env", Shape::kMapList},
    {"apiVersion", Shape::kText},
    {"installHint", Shape::kText},
    {"interactiveMode", Shape::kText},
    {"provideClusterInfo", Shape::kBool},
};
constexpr Field kVariableFields[] = {{"name", Shape::kText}, {"value", Shape::kText}};

bool IsNull(const Node* node) { return node == nullptr || node->kind == Node::Kind::kNull; }

bool IsScalar(const Node& node, api::ScalarType type) {
  return node.kind == Node::Kind::kScalar && api::TypeOf(node) == type;
}

bool HasShape(const Node& node, Shape shape) {
  const auto all = [&node](auto fits) {
    return node.is_list() && std::all_of(node.items.begin(), node.items.end(), fits);
  };
  switch (shape) {
    case Shape::kText:
      return IsScalar(node, api::ScalarType::kText);
    case Shape::kBool:
      return IsScalar(node, api::ScalarType::kBool);
    case Shape::kMap:
      return node.is_map();
    case Shape::kTextList:
      return all([](const Node& item) { return IsScalar(item, api::ScalarType::kText); });
    case Shape::kMapList:
      return all([](const Node& item) { return item.is_map(); });
  }
  return false;
}

std::string_view Wanted(Shape shape) {
  switch (shape) {
    case Shape::kText:
      return "must be text; put it in quotes";
    case Shape::kBool:
      return "must be true or false";
    case Shape::kMap:
      return "must be a map";
    case Shape::kTextList:
      return "must be a list of texts; put them in quotes";
    case Shape::kMapList:
      return "must be a list of maps";
  }
  return "";
}

// The readers below show the value that they did not want. Here that may be a secret, so its type
// is looked at first, by somebody who shows nothing.
bool CheckShapes(const Node& map, const std::string& path, std::span<const Field> fields,
                 Problems* problems) {
  bool fits = true;
  for (const Field& field : fields) {
    const Node* const node = map.Find(field.name);
    if (IsNull(node) || HasShape(*node, field.shape)) continue;
    problems->Add(path + "." + std::string(field.name), Wanted(field.shape), node->line);
    fits = false;
  }
  return fits;
}

bool CheckUser(const KubeconfigEntry& user, Problems* problems) {
  if (!user.node->is_map()) {
    problems->Add(user.path, "must be a map", user.line);
    return false;
  }
  bool fits = CheckShapes(*user.node, user.path, kUserFields, problems);
  const Node* const exec = user.node->Find("exec");
  if (IsNull(exec) || !exec->is_map()) return fits;
  fits &= CheckShapes(*exec, user.path + ".exec", kExecFields, problems);
  const Node* const env = exec->Find("env");
  if (IsNull(env) || !HasShape(*env, Shape::kMapList)) return fits;
  for (size_t i = 0; i < env->items.size(); ++i) {
    const std::string path = user.path + ".exec.env[" + std::to_string(i) + "]";
    fits &= CheckShapes(env->items[i], path, kVariableFields, problems);
  }
  return fits;
}

void ReadCertificate(MapReader& map, const std::string& file, kube::AccessOptions* access) {
  const Value data = map.Get("client-certificate-data");
  access->client_certificate = ReadKubeconfigPem(map.Get("client-certificate"), data, file);
  access->client_key = ReadKubeconfigPem(map.Get("client-key"), map.Get("client-key-data"), file);
  const std::string& certificate = access->client_certificate.text;
  const std::string& key = access->client_key.text;
  if (access->client_certificate.given() != access->client_key.given()) {
    map.Error("must have a client-certificate and a client-key, or their -data, or neither");
  } else if (!certificate.empty() && !key.empty()) {
    const auto parsed = Certificate::Parse(certificate, key);
    if (!parsed.ok()) data.Error(std::string(parsed.status().message()));
  }
}

void ReadToken(MapReader& map, const std::string& file, kube::AccessOptions* access) {
  const Value token = map.Get("token");
  access->token = token.Text(0, kDataMax);
  if (!kube::IsToken(access->token)) {
    token.Error("must be visible ASCII characters without spaces");
  }
  const std::string token_file = map.Get("tokenFile").Text(0, kTextMax);
  if (!token_file.empty()) access->token_file = PathFrom(file, token_file);
  const Value username = map.Get("username");
  access->username = username.Text(0, kTextMax);
  access->password = map.Get("password").Text(0, kTextMax);
  if (access->username.find(':') != std::string::npos) {
    username.Error("must have no ':', which ends it (RFC 7617)");
  }
  if (access->username.empty() && !access->password.empty()) {
    map.Error("must have a username beside its password");
  }
}

std::vector<std::pair<std::string, std::string>> ReadVariables(const Value& env) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Value& item : env.List(0, kListMax)) {
    MapReader variable = item.Map();
    const Value name = variable.Require("name");
    const std::string text = name.Text(1, kTextMax);
    if (text.find('=') != std::string::npos) name.Error("must have no '='");
    out.emplace_back(text, variable.Get("value").Text(0, kDataMax));
  }
  return out;
}

kube::ExecOptions ReadExec(MapReader exec, const std::string& file) {
  kube::ExecOptions out;
  out.command = exec.Require("command").Text(1, kTextMax);
  if (out.command.find('/') != std::string::npos) out.command = PathFrom(file, out.command);
  for (const Value& arg : exec.Get("args").List(0, kListMax)) {
    out.args.push_back(arg.Text(0, kDataMax));
  }
  out.env = ReadVariables(exec.Get("env"));
  const bool is_v1 = exec.Require("apiVersion").OneOf({kube::kExecV1, kube::kExecV1Beta1}, 0) == 0;
  out.api_version = is_v1 ? kube::kExecV1 : kube::kExecV1Beta1;
  out.install_hint = exec.Get("installHint").Text(0, kTextMax);
  out.provide_cluster_info = exec.Get("provideClusterInfo").Bool().value_or(false);
  const Value mode = is_v1 ? exec.Require("interactiveMode") : exec.Get("interactiveMode");
  if (mode.OneOf({"Never", "IfAvailable", "Always"}, 0) == 2) {
    mode.Error("Always is not supported: nobody is there to be asked");
  }
  return out;
}

}  // namespace

void ReadKubeconfigUser(const KubeconfigEntry& user, Problems* problems,
                        kube::AccessOptions* access) {
  if (IsNull(user.node) || !CheckUser(user, problems)) return;
  MapReader map(user.node, user.path, user.line, problems);
  map.Ignore({"extensions"});  // for other programs
  for (const char* name : {"as", "as-uid", "as-groups", "as-user-extra"}) {
    const Value value = map.Get(name);
    if (value.present()) value.Error("is not supported: we are nobody else than the user");
  }
  const Value provider = map.Get("auth-provider");
  if (provider.present()) {
    provider.Error("is not supported: Kubernetes 1.26 removed such providers; use exec");
  }
  ReadCertificate(map, user.file, access);
  ReadToken(map, user.file, access);
  const Value exec = map.Get("exec");
  if (exec.present()) access->exec = ReadExec(exec.Map(), user.file);
  const bool bearer = !access->token.empty() || !access->token_file.empty();
  if (bearer && !access->username.empty()) {
    map.Error("must have a token or a username, not both");
  }
  if (access->exec && (bearer || !access->username.empty() || access->client_key.given())) {
    map.Error("must have exec, or what it would give, not both");
  }
}

}  // namespace gw::config
