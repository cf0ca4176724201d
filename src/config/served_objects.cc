#include "config/served_objects.h"

#include <utility>

#include "base/check.h"

namespace gw::config {

const ServedObjects::Served* ServedObjects::Find(const api::ObjectId& id) const {
  const auto it = objects_.find(id);
  return it == objects_.end() ? nullptr : &it->second;
}

void ServedObjects::Take(const api::ParsedObject& version, int64_t now_unix_s) {
  CHECK(version.object != nullptr);
  const api::ObjectId id = version.id();
  const std::string against = judge_ ? judge_(*version.object) : "";
  const Served* was = Find(id);
  if (!against.empty() && was != nullptr && was->good) {
    const std::string here = version.source.ToString();
    Keep(id, here.empty() ? against : against + " (" + here + ")", false, now_unix_s);
    return;
  }
  if (was != nullptr && was->stale) change_.recovered.push_back(version.ref);
  const std::shared_ptr<const api::Object> before = was != nullptr ? was->version.object : nullptr;
  Served& served = objects_[id] = {version, against.empty(), std::nullopt};
  stale_.erase(id);
  // A source may make all objects anew, most of them as they were.
  if (before != nullptr && *before == *version.object) {
    served.version.object = before;
  } else {
    change_.objects.push_back({before, version.object});
  }
}

void ServedObjects::Keep(const api::ObjectId& id, std::string why, bool source_lost,
                         int64_t now_unix_s) {
  const auto it = objects_.find(id);
  CHECK(it != objects_.end());
  Served& kept = it->second;
  const bool known = kept.stale && kept.stale->why == why;
  const int64_t since = kept.stale ? kept.stale->since_unix_s : now_unix_s;
  kept.stale = api::StaleObject{kept.version.ref,    kept.version.generation,
                                kept.version.source, since,
                                std::move(why),      source_lost};
  stale_.insert(id);
  if (!known) change_.news.push_back(*kept.stale);
}

void ServedObjects::Remove(const api::ObjectId& id) {
  const auto it = objects_.find(id);
  if (it == objects_.end()) return;
  change_.objects.push_back({it->second.version.object, nullptr});
  stale_.erase(id);
  objects_.erase(it);
}

Change ServedObjects::TakeChange() { return std::exchange(change_, {}); }

std::vector<api::StaleObject> ServedObjects::Stale() const {
  std::vector<api::StaleObject> stale;
  for (const api::ObjectId& id : stale_) stale.push_back(*objects_.at(id).stale);
  return stale;
}

}  // namespace gw::config
