#include "config/kubernetes/kubeconfig.h"

#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "api/node.h"
#include "api/reader.h"
#include "config/file/yaml.h"
#include "config/kubernetes/kubeconfig_entries.h"
#include "kube/text_source.h"

namespace gw::config {
namespace {

using api::MapReader;
using api::Node;
using api::Problems;
using api::Quoted;

constexpr size_t kFilesMax = 64;
constexpr size_t kNameMax = 1024;

// One file's document.
struct Kubeconfig {
  std::string file;
  Node top;
};

std::string At(const std::string& file, int line) {
  return " (" + api::SourceRef{file, line}.ToString() + ")";
}

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

// A kubeconfig that says nothing (kubectl leaves such files) is a map without keys.
absl::StatusOr<Node> ReadDocument(const std::string& file) {
  const FileLimits limits;
  ASSIGN_OR_RETURN(const std::string text, kube::ReadRegularFile(file, limits.file_bytes_max));
  YamlDocuments read = ReadYaml(text, limits);
  if (!read.error.empty()) return Wrong(file + ":" + read.error);
  if (read.documents.size() > 1) return Wrong(file + ": must have one document, has several");
  Node top;
  top.kind = Node::Kind::kMap;
  if (!read.documents.empty()) top = std::move(read.documents.front());
  if (!top.is_map()) return Wrong(file + ": must be a kubeconfig, is " + api::Describe(top));
  for (const auto& [key, wanted] : {std::pair("kind", "Config"), std::pair("apiVersion", "v1")}) {
    const Node* const found = top.Find(key);
    if (found == nullptr || found->text.empty() || found->text == wanted) continue;
    return Wrong(std::string(key) + ": must be " + wanted + " in a kubeconfig, got " +
                 Quoted(found->text) + At(file, found->line));
  }
  return top;
}

std::vector<std::string> FilesOf(const KubeconfigOptions& options,
                                 const KubeEnvironment& environment) {
  if (!options.file.empty()) return {options.file};
  std::vector<std::string> files;
  for (absl::string_view part : absl::StrSplit(environment.kubeconfig, ':', absl::SkipEmpty())) {
    files.emplace_back(part);
  }
  if (files.empty() && !environment.home.empty()) {
    files.push_back(environment.home + "/.kube/config");
  }
  return files;
}

absl::StatusOr<std::vector<Kubeconfig>> ReadFiles(const std::vector<std::string>& files,
                                                  bool may_be_missing) {
  if (files.empty()) {
    return absl::NotFoundError("no kubeconfig: neither KUBECONFIG nor HOME is set");
  }
  if (files.size() > kFilesMax) {
    return Wrong("KUBECONFIG: must name at most " + std::to_string(kFilesMax) + " files, has " +
                 std::to_string(files.size()));
  }
  std::vector<Kubeconfig> out;
  for (const std::string& file : files) {
    absl::StatusOr<Node> top = ReadDocument(file);
    if (absl::IsNotFound(top.status()) && may_be_missing) continue;
    if (!top.ok()) return top.status();
    out.push_back({file, *std::move(top)});
  }
  if (out.empty()) {
    return absl::NotFoundError("no kubeconfig: there is no " + absl::StrJoin(files, " and no "));
  }
  return out;
}

// The entry of that name in a list of `{name: ..., <inside>: ...}`, in the first file that has one;
// its node is nullptr and its file empty if none has.
absl::StatusOr<KubeconfigEntry> FindEntry(const std::vector<Kubeconfig>& configs,
                                          std::string_view list, std::string_view inside,
                                          const std::string& name) {
  KubeconfigEntry entry;
  entry.path = std::string(list) + "[" + Quoted(name) + "]." + std::string(inside);
  for (const Kubeconfig& config : configs) {
    const Node* const entries = config.top.Find(list);
    if (entries == nullptr || entries->kind == Node::Kind::kNull) continue;
    if (!entries->is_list()) {
      return Wrong(std::string(list) + ": must be a list" + At(config.file, entries->line));
    }
    for (const Node& item : entries->items) {
      const Node* const named = item.Find("name");
      if (named == nullptr || named->kind != Node::Kind::kScalar || named->text != name) continue;
      if (!entry.file.empty()) {
        return Wrong(std::string(list) + ": must have the name " + Quoted(name) + " once" +
                     At(config.file, item.line));
      }
      entry.node = item.Find(inside);
      entry.line = item.line;
      for (const Node::Key& key : item.keys) {
        if (key.name == inside) entry.line = key.line;  // an empty value's line is the next one
      }
      entry.file = config.file;
    }
    if (!entry.file.empty()) break;
  }
  return entry;
}

std::string NamesOf(const std::vector<Kubeconfig>& configs) {
  std::vector<std::string> names;
  for (const Kubeconfig& config : configs) names.push_back(config.file);
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<std::string> CurrentContext(const std::vector<Kubeconfig>& configs) {
  for (const Kubeconfig& config : configs) {
    const Node* const current = config.top.Find("current-context");
    if (current == nullptr || current->kind == Node::Kind::kNull) continue;
    if (current->kind != Node::Kind::kScalar) {
      return Wrong("current-context: must be text" + At(config.file, current->line));
    }
    if (!current->text.empty()) return current->text;
  }
  return Wrong("current-context: must be set where no context is chosen (" + NamesOf(configs) +
               ")");
}

struct Context {
  std::string cluster;
  std::string user;  // "": nobody
  std::string ns = "default";
};

absl::Status StatusOf(Problems& problems) {
  if (problems.empty()) return absl::OkStatus();
  return Wrong(absl::StrJoin(problems.Take(), "; "));
}

absl::StatusOr<Context> ReadContext(const KubeconfigEntry& entry) {
  Problems problems(entry.file);
  Context context;
  if (entry.node == nullptr || !entry.node->is_map()) {
    problems.Add(entry.path, "must be a map with a cluster", entry.line);
    return StatusOf(problems);
  }
  {
    MapReader map(entry.node, entry.path, entry.line, &problems);
    map.Ignore({"extensions"});  // for other programs
    context.cluster = map.Require("cluster").Text(1, kNameMax);
    context.user = map.Get("user").Text(0, kNameMax);
    const api::Value ns = map.Get("namespace");
    if (ns.present() && !(ns.IsText() && ns.Text(0, kNameMax).empty())) {
      context.ns = ns.DnsLabel();
    }
  }
  RETURN_IF_ERROR(StatusOf(problems));
  return context;
}

absl::Status Missing(const char* what, const std::string& name, const std::string& context,
                     const std::vector<Kubeconfig>& configs) {
  const std::string by = context.empty() ? "" : ", which context " + Quoted(context) + " names,";
  return absl::NotFoundError(std::string(what) + " " + Quoted(name) + by + " is in none of " +
                             NamesOf(configs));
}

}  // namespace

KubeEnvironment ReadKubeEnvironment() {
  const auto get = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  return {get("KUBECONFIG"), get("HOME"), get("KUBERNETES_SERVICE_HOST"),
          get("KUBERNETES_SERVICE_PORT")};
}

absl::StatusOr<ClusterAccess> ReadKubeconfig(const KubeconfigOptions& options,
                                             const KubeEnvironment& environment) {
  ASSIGN_OR_RETURN(const std::vector<Kubeconfig> configs,
                   ReadFiles(FilesOf(options, environment), options.file.empty()));
  std::string name = options.context;
  if (name.empty()) {
    ASSIGN_OR_RETURN(name, CurrentContext(configs));
  }
  ASSIGN_OR_RETURN(const KubeconfigEntry found, FindEntry(configs, "contexts", "context", name));
  if (found.file.empty()) return Missing("context", name, "", configs);
  ASSIGN_OR_RETURN(const Context context, ReadContext(found));
  ClusterAccess out;
  out.source = "context " + Quoted(name) + " (" + found.file + ")";
  out.ns = context.ns;
  std::vector<std::string> errors;
  const auto take = [&errors](Problems& problems) {
    for (std::string& error : problems.Take()) errors.push_back(std::move(error));
  };
  if (!context.user.empty()) {
    ASSIGN_OR_RETURN(const KubeconfigEntry user, FindEntry(configs, "users", "user", context.user));
    if (user.file.empty()) return Missing("user", context.user, name, configs);
    Problems problems(user.file);
    ReadKubeconfigUser(user, &problems, &out.access);
    take(problems);
  }
  ASSIGN_OR_RETURN(const KubeconfigEntry cluster,
                   FindEntry(configs, "clusters", "cluster", context.cluster));
  if (cluster.file.empty()) return Missing("cluster", context.cluster, name, configs);
  Problems problems(cluster.file);
  ReadKubeconfigCluster(cluster, &problems, &out.access);
  take(problems);
  if (!errors.empty()) return Wrong(absl::StrJoin(errors, "; "));
  return out;
}

}  // namespace gw::config
