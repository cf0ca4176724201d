#include "config/kubernetes/cluster_objects.h"

#include <absl/strings/str_join.h>

#include <utility>

namespace gw::config {

void ClusterObjects::Put(api::ParsedObject version) {
  const api::ObjectId id = version.id();
  newest_[id] = std::move(version);
}

void ClusterObjects::Drop(const api::ObjectId& id) { newest_[id] = std::nullopt; }

void ClusterObjects::TakeBroken(const api::ParsedObject& broken, int64_t now_unix_s) {
  const api::ObjectId id = broken.id();
  const ServedObjects::Served* was = served_.Find(id);
  if (was != nullptr && was->good) {
    return served_.Keep(id, absl::StrJoin(broken.errors, "; "), false, now_unix_s);
  }
  if (was != nullptr) served_.Remove(id);
  refused_[id] = {broken.ref, broken.generation, broken.source, broken.errors, broken.targets};
}

std::optional<Change> ClusterObjects::TakeChange(std::vector<std::string> errors,
                                                 int64_t now_unix_s,
                                                 std::vector<std::string> unread) {
  for (const auto& [id, version] : std::exchange(newest_, {})) {
    refused_.erase(id);
    if (!version) {
      served_.Remove(id);
    } else if (version->object != nullptr) {
      served_.Take(*version, now_unix_s);
    } else {
      TakeBroken(*version, now_unix_s);
    }
  }
  Change change = served_.TakeChange();
  change.limits = std::exchange(limits_, {});
  Remarks remarks;
  for (const auto& [id, refused] : refused_) remarks.invalid.push_back(refused);
  remarks.stale = served_.Stale();
  remarks.errors = std::move(errors);
  remarks.unread = std::move(unread);
  if (remarks != *remarks_) {
    remarks_ = std::make_shared<const Remarks>(std::move(remarks));
    change.remarks = remarks_;
  }
  const bool nothing = change.objects.empty() && change.remarks == nullptr && change.news.empty() &&
                       change.recovered.empty() && change.limits.empty();
  if (nothing) return std::nullopt;
  return change;
}

}  // namespace gw::config
