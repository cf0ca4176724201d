#include "server/config_history.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>
#include <variant>

namespace gw {
namespace {

// In the order of api::Object. "": nobody's edit.
constexpr std::string_view kKinds[] = {"GatewayClass",
                                       "Gateway",
                                       "HTTPRoute",
                                       "ReferenceGrant",
                                       "InferencePool",
                                       "InferenceModel",
                                       "InferenceObjective",
                                       "InferenceModelRewrite",
                                       "InferenceTrafficPolicy",
                                       "Backend",
                                       "BackendTLSPolicy",
                                       "ModelRelease",
                                       "Service",
                                       "",
                                       "",
                                       "Secret",
                                       "ConfigMap",
                                       "Namespace",
                                       "ForeignObject"};
static_assert(std::variant_size_v<api::Object> == std::size(kKinds));

std::string NameOf(const api::Object& object) {
  return std::visit(
      [&](const auto& of_kind) {
        std::string name(kKinds[object.index()]);
        if constexpr (std::is_same_v<std::decay_t<decltype(of_kind)>, api::ForeignObject>) {
          name = of_kind.kind;
        }
        const api::ObjectMeta& meta = of_kind.meta;
        return name + " " + (meta.ns.empty() ? "" : meta.ns + "/") + meta.name;
      },
      object);
}

std::shared_ptr<const std::string> TextOf(const std::shared_ptr<const api::Object>& object) {
  if (object == nullptr) return nullptr;
  return std::visit([](const auto& of_kind) { return of_kind.meta.written.yaml; }, *object);
}

}  // namespace

void ConfigHistory::Add(uint64_t generation, int64_t unix_ms, const config::Change& change) {
  Entry entry{.generation = generation, .changed_at_unix_ms = unix_ms};
  for (const api::ObjectChange& each : change.objects) {
    const api::Object& object = each.after != nullptr ? *each.after : *each.before;
    if (kKinds[object.index()].empty()) continue;
    (each.before == nullptr  ? entry.added
     : each.after == nullptr ? entry.removed
                             : entry.changed) += 1;
    if (entry.objects.size() >= kObjectsMax) continue;
    ChangedObject changed{
        .name = NameOf(object), .before = TextOf(each.before), .after = TextOf(each.after)};
    changed.shown = changed.before != nullptr || changed.after != nullptr;
    entry.objects.push_back(std::move(changed));
  }
  if (entry.objects.empty()) return;
  entry.first = entry.objects.front().name;
  const MutexLock lock(mutex_);
  entries_.push_back(std::move(entry));
  if (entries_.size() > kEntriesMax) entries_.pop_front();
  ++version_;
}

std::vector<ConfigHistory::Entry> ConfigHistory::Look() const {
  const MutexLock lock(mutex_);
  std::vector<Entry> out;
  for (const Entry& entry : entries_) {
    out.push_back({.generation = entry.generation,
                   .changed_at_unix_ms = entry.changed_at_unix_ms,
                   .added = entry.added,
                   .changed = entry.changed,
                   .removed = entry.removed,
                   .first = entry.first});
  }
  return out;
}

std::optional<ConfigHistory::Entry> ConfigHistory::Find(uint64_t generation) const {
  const MutexLock lock(mutex_);
  const auto it = std::ranges::find(entries_, generation, &Entry::generation);
  if (it == entries_.end()) return std::nullopt;
  return *it;
}

uint64_t ConfigHistory::version() const {
  const MutexLock lock(mutex_);
  return version_;
}

}  // namespace gw
