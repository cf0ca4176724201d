#include "config/kubernetes/kind_watch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "api/parse.h"

namespace gw::config {

KindWatch::KindWatch(ClusterKind kind, kube::ApiClient& client, KindSink& sink, uint64_t seed,
                     const kube::ReflectorOptions& options)
    : kind_(std::move(kind)), client_(client), sink_(sink), seed_(seed), options_(options) {}

void KindWatch::SetVersion(const std::string& version) {
  if (version.empty()) {
    // A reflector that reads it knows better, and finds out by itself when it is gone.
    if (reflector_ == nullptr) has_synced_ = true;
    return;
  }
  if (reflector_ != nullptr && (version == version_ || !is_absent())) return;
  has_synced_ = has_synced();
  version_ = version;
  resource_ = {
      .group = kind_.group, .version = version, .plural = kind_.plural, .kind = kind_.kind};
  kube::ReflectorSink& sink = *this;
  // The one before, if there is one, has told that all its objects are gone.
  reflector_ =
      std::make_unique<kube::Reflector>(client_, resource_, sink, Random(seed_++), options_);
}

api::ParsedObject KindWatch::Parse(const kube::ApiObject& object) const {
  api::Parser parser(api::Origin::kCluster);
  parser.Add(object.node, "");
  std::vector<api::ParsedObject> parsed = parser.Take().objects;
  api::ParsedObject wanted;
  wanted.ref = {kind_.group, version_, kind_.kind, object.key.ns, object.key.name};
  if (parsed.size() == 1 && parsed.front().id() == wanted.id()) return std::move(parsed.front());
  wanted.errors = {"what the API server sent is no " + kind_.kind + " of this name"};
  return wanted;
}

void KindWatch::OnChanged(kube::ApiObject object) {
  api::ParsedObject parsed = Parse(object);
  sink_.OnObject(resource_, std::move(object), std::move(parsed));
}

void KindWatch::OnDeleted(const api::ObjectKey& key) { sink_.OnGone(resource_, key); }

void KindWatch::OnStatus(const kube::ReflectorStatus&) { sink_.OnState(); }

std::string KindWatch::Trouble() const {
  if (is_unreachable()) return reflector_->status().error;
  if (!IsIn(kube::ReflectorState::kForbidden)) return "";
  return absl::StrCat(reflector_->status().error, "; RBAC must allow list and watch of ",
                      kind_.plural, " in API group \"", kind_.group, "\"");
}

}  // namespace gw::config
