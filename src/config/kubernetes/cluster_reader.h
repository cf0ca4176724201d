// ClusterReader: the objects of a cluster, as one API server tells them: every kind that is read,
// in the newest of its versions that the server has. A kind whose CRD is not installed has no
// objects, and is waited for.
//
// Of Secrets and ConfigMaps it reads all that RBAC lets it list. Only those that other objects
// refer to are needed; to ask for these alone, by name, is still to come.
//
// On the loop's thread, all of it; looking up the server's name blocks that.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/kubernetes/cluster_objects.h"
#include "config/kubernetes/cluster_writer.h"
#include "config/kubernetes/discovery.h"
#include "config/kubernetes/kind_watch.h"
#include "kube/access_options.h"
#include "kube/credentials.h"

namespace gw::config {

// As they are counted in penstock_limit_reached_total. Reaching one leaves that resource as it was
// read last, with an error that names the limit.
inline constexpr std::string_view kClusterLimits[] = {"kube_objects", "kube_answer_bytes",
                                                      "kube_line_bytes"};

struct ClusterReaderOptions {
  // What comes within this time is one change: a Deployment's Pods change together.
  Duration coalesce = std::chrono::milliseconds(50);
  // How often it is looked whether a kind that is not there has come; by a fifth to and fro.
  Duration look_again = std::chrono::seconds(30);
  kube::ApiClientOptions client;
  kube::ReflectorOptions reflector;
  uint64_t seed = 0;
};

class ClusterReader final : private KindSink {
 public:
  // Begins in the next round of the loop. `loop`, `credentials` and `writer` outlive it. `on_news`:
  // TakeChange may have something, or has_synced is another; in a round of its own. `writer`, if
  // there is one, is told where the server is, and of each object before TakeChange has it.
  ClusterReader(EventLoop& loop, kube::ServerUrl server, kube::Credentials& credentials,
                Judge judge, std::function<void()> on_news,
                const ClusterReaderOptions& options = {}, ClusterWriter* writer = nullptr);
  ~ClusterReader();

  // Everything was read once. From then on it stays so.
  bool has_synced() const { return has_synced_; }
  // What is not read yet and why, for people; empty once it has synced.
  std::string WhyNotSynced() const;
  // What is different from the last call; nullopt: nothing, or it has not synced.
  std::optional<Change> TakeChange();
  size_t objects() const { return objects_.size(); }  // that were read, refused ones too

 private:
  void OnObject(const kube::Resource& resource, kube::ApiObject read,
                api::ParsedObject parsed) override;
  void OnGone(const kube::Resource& resource, const api::ObjectKey& key) override;
  void OnState() override;

  void Note();
  void OnCoalesced();
  void Resolve();
  void Connect(const SocketAddress& address);
  void ChooseVersions();
  // nullopt: that is not known yet; empty: there is none.
  std::optional<std::string> VersionOf(const KindWatch& watch) const;
  std::string NextVersion(const KindWatch& watch) const;
  void LookForAbsent();
  void NoteLimits();
  bool AnyUnreachable() const;
  std::string WhyUnknown(const KindWatch& watch) const;
  std::vector<std::string> Errors() const;

  EventLoop& loop_;
  const kube::ServerUrl server_;
  kube::Credentials& credentials_;
  ClusterWriter* const writer_;
  const std::function<void()> on_news_;
  const ClusterReaderOptions options_;
  Random random_;
  ClusterObjects objects_;
  bool has_synced_ = false;
  std::string resolve_error_;
  std::vector<std::string> errors_before_;  // in which limits were looked for
  kube::Backoff backoff_;
  Timer resolve_;
  Timer coalesce_;
  Timer look_again_;
  std::unique_ptr<kube::ApiClient> client_;  // once the server's name is known
  std::unique_ptr<Discovery> discovery_;
  std::vector<std::unique_ptr<KindWatch>> kinds_;
};

}  // namespace gw::config
