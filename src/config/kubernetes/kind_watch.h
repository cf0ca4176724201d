// KindWatch: all objects of one kind, out of whichever of its versions the server has, parsed. What
// cannot be parsed is told as broken, by its name. What was read stands beside it, for whoever
// writes into it.
//
// On the loop's thread, all of it.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/object.h"
#include "config/kubernetes/cluster_kinds.h"
#include "kube/reflector.h"

namespace gw::config {

// Must not call the watch's SetVersion.
class KindSink {
 public:
  virtual void OnObject(const kube::Resource& resource, kube::ApiObject read,
                        api::ParsedObject parsed) = 0;
  virtual void OnGone(const kube::Resource& resource, const api::ObjectKey& key) = 0;
  virtual void OnState() = 0;  // the watch is in another state

 protected:
  ~KindSink() = default;
};

class KindWatch final : private kube::ReflectorSink {
 public:
  // Waits for SetVersion. `client` and `sink` outlive it.
  KindWatch(ClusterKind kind, kube::ApiClient& client, KindSink& sink, uint64_t seed,
            const kube::ReflectorOptions& options);

  // The version that the server has, one of the kind's; empty: it has none. A version that is read
  // and there stays in use.
  void SetVersion(const std::string& version);

  const ClusterKind& kind() const { return kind_; }
  const std::string& version() const { return version_; }
  // All that there is was told once; of a kind that is not there that is nothing.
  bool has_synced() const { return has_synced_ || (reflector_ && reflector_->has_synced()); }
  // The server does not have it, as far as is known.
  bool is_absent() const { return reflector_ ? IsIn(kube::ReflectorState::kAbsent) : has_synced_; }
  // Neither read nor known to be absent, and why: empty while nothing is wrong.
  std::string Trouble() const;
  bool is_unreachable() const { return IsIn(kube::ReflectorState::kUnreachable); }

 private:
  void OnChanged(kube::ApiObject object) override;
  void OnDeleted(const api::ObjectKey& key) override;
  void OnStatus(const kube::ReflectorStatus& status) override;

  bool IsIn(kube::ReflectorState state) const {
    return reflector_ && reflector_->status().state == state;
  }
  api::ParsedObject Parse(const kube::ApiObject& object) const;

  const ClusterKind kind_;
  kube::ApiClient& client_;
  KindSink& sink_;
  uint64_t seed_;
  const kube::ReflectorOptions options_;
  std::string version_;      // that the reflector reads
  kube::Resource resource_;  // the same
  bool has_synced_ = false;
  std::unique_ptr<kube::Reflector> reflector_;
};

}  // namespace gw::config
