// An API server of several resources on a loop, for tests: discovery, LIST, WATCH and WatchList,
// over plain HTTP/1.1.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "config/kubernetes/cluster_kinds.h"
#include "http/url.h"
#include "kube/access_options.h"
#include "kube/test_api_connection.h"
#include "kube/test_api_store.h"

namespace gw::config {

class TestCluster {
 public:
  struct Resource {
    kube::TestApiStore store;
    std::string plural;
    bool namespaced = true;
    bool forbidden = false;
  };

  // Has what is built in, the Gateway API and InferencePools, in their newest versions.
  explicit TestCluster(EventLoop& loop) : loop_(loop) {
    for (const ClusterKind& kind : ClusterKinds()) {
      const bool is_standard =
          kind.group == api::kGatewayGroup || kind.group == api::kInferenceGroup;
      if (kind.built_in() || is_standard) {
        Install(kind.ApiVersion(kind.versions.front()), kind.kind, kind.built_in());
      }
    }
    auto made = Listener::New(loop_, *SocketAddress::FromIp("127.0.0.1", 0), {},
                              [this](std::unique_ptr<Stream> s) { Accept(std::move(s)); });
    CHECK(made.ok());
    listener_ = *std::move(made);
  }
  kube::ServerUrl url() const {
    return {.tls = false, .host = "127.0.0.1", .port = listener_->local().port()};
  }

  // A CRD, in one version: "penstock.dev/v1alpha1", "Backend".
  void Install(const std::string& api_version, const std::string& kind, bool built_in = false) {
    Resource& resource = resources_[PathOf(api_version, PluralOf(kind))];
    resource.plural = PluralOf(kind);
    resource.namespaced = kind != "GatewayClass" && kind != "Namespace";
    resource.store.api_version = api_version;
    resource.store.kind = kind;
    resource.store.built_in = built_in;
  }
  void Uninstall(const std::string& api_version, const std::string& kind) {
    resources_.erase(PathOf(api_version, PluralOf(kind)));
  }
  // The one of that name, "pods"; in whichever version and group it was installed.
  Resource& Of(const std::string& plural) { return resources_.at(PathTo(plural)); }

  // `members` stand beside its metadata, `meta` within.
  void Put(const std::string& plural, const std::string& name, const std::string& members,
           const std::string& meta = "") {
    Resource& resource = Of(plural);
    const std::string ns = resource.namespaced ? "default" : "";
    Tell(PathTo(plural), resource.store.PutMembers(name, ns, members, meta).line);
  }
  void PutPod(const std::string& name, const std::string& ip, bool ready = true) {
    Put("pods", name,
        absl::StrCat(R"("spec":{"containers":[{"name":"c"}]},"status":{"podIP":")", ip,
                     R"(","conditions":[{"type":"Ready","status":")", ready ? "True" : "False",
                     R"("}]})"));
  }
  void Delete(const std::string& plural, const std::string& name) {
    Resource& resource = Of(plural);
    Tell(PathTo(plural), resource.store.Delete(name, resource.namespaced ? "default" : "").line);
  }
  // The connections of its watches are gone.
  void Break(const std::string& plural) {
    const std::string path = PathTo(plural);
    for (auto it = connections_.begin(); it != connections_.end();) {
      const auto watched = watched_.find(it->second.get());
      if (watched == watched_.end() || watched->second != path) {
        ++it;
        continue;
      }
      watched_.erase(watched);
      it = connections_.erase(it);
    }
  }
  size_t watches(const std::string& plural) const {
    size_t count = 0;
    for (const auto& [connection, path] : watched_) count += path.ends_with("/" + plural) ? 1 : 0;
    return count;
  }

  std::vector<kube::TestApiRequest> requests;

 private:
  using Connection = kube::TestApiConnection;

  static std::string PathOf(const std::string& api_version, const std::string& plural) {
    const bool core = api_version.find('/') == std::string::npos;
    return absl::StrCat(core ? "/api/" : "/apis/", api_version, "/", plural);
  }
  std::string PathTo(const std::string& plural) const {
    std::string found;
    for (const auto& [path, resource] : resources_) {
      if (found.empty() && resource.plural == plural) found = path;
    }
    CHECK(!found.empty());
    return found;
  }

  void Accept(std::unique_ptr<Stream> stream) {
    const int id = ++last_id_;
    connections_[id] = std::make_unique<Connection>(
        loop_, std::move(stream),
        [this](Connection& to, const kube::TestApiRequest& request) {
          requests.push_back(request);
          Serve(to, request);
        },
        [this, id] { Drop(id); });
  }
  void Drop(int id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    watched_.erase(found->second.get());
    loop_.FreeLater(std::move(found->second));
    connections_.erase(found);
  }
  void Tell(const std::string& path, const std::string& line) {
    for (const auto& [connection, watched] : watched_) {
      if (watched == path) connection->WriteChunk(line + "\n");
    }
  }

  static std::string Answer(int status, const std::string& body) {
    return absl::StrCat("HTTP/1.1 ", status, " X\r\ncontent-length: ", body.size(), "\r\n\r\n",
                        body);
  }
  static std::string Status(int code) {
    return Answer(code, kube::TestApiStore::StatusObject(code, absl::StrCat("says ", code)));
  }

  void Serve(Connection& to, const kube::TestApiRequest& request) {
    const auto target = http::ParseTarget(request.target);
    CHECK(target.has_value());
    const auto found = resources_.find(std::string(target->path));
    if (found == resources_.end()) return to.Write(Discovery(std::string(target->path)));
    Resource& resource = found->second;
    if (resource.forbidden) return to.Write(Status(403));
    const auto param = [&](std::string_view name) {
      return http::QueryParam(target->query, name).value_or("");
    };
    if (param("watch") == "true") return Watch(to, found->first, resource.store, param);
    size_t limit = 0;
    CHECK(absl::SimpleAtoi(param("limit"), &limit));
    const std::string list = resource.store.List(limit, param("continue"));
    to.Write(list.empty() ? Status(410) : Answer(200, list));
  }
  std::string Discovery(const std::string& path) const {
    std::string names;
    for (const auto& [at, resource] : resources_) {
      if (at != path + "/" + resource.plural) continue;
      absl::StrAppend(&names, names.empty() ? "" : ",", R"({"name":")", resource.plural, R"("})");
    }
    if (names.empty()) return Answer(404, "404 page not found\n");
    return Answer(200, absl::StrCat(R"({"kind":"APIResourceList","resources":[)", names, "]}"));
  }
  void Watch(Connection& to, const std::string& path, kube::TestApiStore& store,
             const std::function<std::string(std::string_view)>& param) {
    const bool initial = param("sendInitialEvents") == "true";
    const int version = kube::TestApiStore::VersionOf(param("resourceVersion"));
    if (!initial && store.IsTooOld(version)) return to.Write(Status(410));
    watched_[&to] = path;
    to.Write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (const std::string& line : initial ? store.InitialLines(true) : store.LinesAfter(version)) {
      to.WriteChunk(line + "\n");
    }
  }

  EventLoop& loop_;
  std::unique_ptr<Listener> listener_;
  std::map<std::string, Resource> resources_;  // by path
  std::map<int, std::unique_ptr<Connection>> connections_;
  std::map<Connection*, std::string> watched_;  // paths
  int last_id_ = 0;
};

}  // namespace gw::config
