#include "translate/translator.h"

#include <algorithm>
#include <optional>
#include <set>
#include <variant>

#include "api/annotations.h"
#include "translate/invalid.h"
#include "translate/object_index.h"
#include "translate/releases.h"
#include "translate/whole.h"

namespace gw {
namespace {

// With more changes at once it is quicker to translate all.
constexpr size_t kFollowedChangesMax = 256;

// What warnings and conditions are made of besides the pools. `managed`: Pods of Gateways, too.
bool IsOfPoolsOnly(const api::Object& object, bool managed) {
  if (const auto* pod = std::get_if<api::Pod>(&object)) {
    return !managed || !api::HasManagedLabels(pod->meta.labels);
  }
  const auto* slice = std::get_if<api::EndpointSlice>(&object);
  if (slice == nullptr) return false;
  return std::none_of(
      slice->meta.annotations.begin(), slice->meta.annotations.end(),
      [](const auto& entry) { return !api::WhyUnknown("EndpointSlice", entry.first).empty(); });
}

bool IsOfPoolsOnly(const api::ObjectChange& change, bool managed) {
  return (change.before == nullptr || IsOfPoolsOnly(*change.before, managed)) &&
         (change.after == nullptr || IsOfPoolsOnly(*change.after, managed));
}

bool IsOfRulesOnly(const api::ObjectChange& change) {
  if (change.before == nullptr || change.after == nullptr) return false;
  const auto* before = std::get_if<api::HttpRoute>(change.before.get());
  const auto* after = std::get_if<api::HttpRoute>(change.after.get());
  return before != nullptr && after != nullptr && internal::IsOfRulesOnly(*before, *after);
}

// Puts those of pools first, and says how many they are; nullopt if some is of neither kind.
std::optional<size_t> Sort(std::vector<api::ObjectChange>* changes, bool managed) {
  std::erase_if(*changes, IsOfReleaseStatusOnly);
  if (changes->size() > kFollowedChangesMax) return std::nullopt;
  const auto of_routes = std::stable_partition(
      changes->begin(), changes->end(),
      [&](const api::ObjectChange& change) { return IsOfPoolsOnly(change, managed); });
  if (!std::all_of(of_routes, changes->end(), IsOfRulesOnly)) return std::nullopt;
  return of_routes - changes->begin();
}

std::vector<std::string> Joined(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

bool IsOfReleaseStatusOnly(const api::ObjectChange& change) {
  if (change.before == nullptr || change.after == nullptr) return false;
  const auto* before = std::get_if<api::ModelRelease>(change.before.get());
  const auto* after = std::get_if<api::ModelRelease>(change.after.get());
  if (before == nullptr || after == nullptr) return false;
  api::ModelRelease same = *before;
  same.status = after->status;
  return same == *after;
}

struct Translator::Kept {
  std::unique_ptr<internal::ObjectIndex> index;
  internal::PoolSet pools;
  internal::RouteSet routes;
  internal::ReleaseSet releases;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::string> warnings;  // without the pools'
  std::set<std::string> hosts;
  int64_t next_change_unix_s = 0;
};

Translator::Translator(TranslateOptions options, EndpointTable& endpoints, const Clock& clock)
    : options_(std::move(options)),
      endpoints_(endpoints),
      queues_(clock),
      tls_memory_(std::make_unique<internal::TlsMemory>()) {}

Translator::~Translator() = default;

int64_t Translator::next_change_unix_s() const {
  return kept_ == nullptr ? 0 : kept_->next_change_unix_s;
}

void Translator::SetNames(std::shared_ptr<const NameTable> names) {
  const auto told = [](const NameTable& table, const std::string& host) {
    const auto found = table.find(host);
    return found == table.end() ? ResolvedName() : found->second;
  };
  for (const std::string& host : hosts()) {
    const ResolvedName before = told(*options_.names, host);
    const ResolvedName now = told(*names, host);
    if (before.ips != now.ips) moved_hosts_.insert(host);
    const bool same_text = before.error == now.error && before.asked == now.asked;
    if (!same_text || before.ips.empty() != now.ips.empty()) names_tell_more_ = true;
  }
  options_.names = std::move(names);
}

void Translator::SetReleases(std::shared_ptr<const ReleaseInputs> releases) {
  const auto told = [](const std::shared_ptr<const ReleaseInputs>& inputs,
                       const std::string& name) {
    if (inputs == nullptr) return ReleaseInput();
    const auto found = inputs->find(name);
    return found == inputs->end() ? ReleaseInput() : found->second;
  };
  if (releases != nullptr) {
    for (const auto& [name, input] : *releases) {
      if (told(options_.releases, name) != input) moved_releases_.insert(name);
    }
  }
  options_.releases = std::move(releases);
}

std::set<std::string> Translator::hosts() const {
  return kept_ == nullptr ? std::set<std::string>() : kept_->hosts;
}

Translator::Update Translator::TranslateAll(const api::ResourceSet& resources,
                                            uint64_t generation) {
  moved_hosts_.clear();
  moved_releases_.clear();
  names_tell_more_ = false;
  auto index = std::make_unique<internal::ObjectIndex>(resources);
  internal::Context context{resources, *index, options_, endpoints_, holders_, *tls_memory_};
  context.rate_meters = &rate_meters_;
  context.queues = &queues_;
  context.memories = &memories_;
  context.breakers = &breakers_;
  internal::Whole whole = internal::TranslateWhole(context, generation);
  Translation& made = whole.translation;
  holders_ = std::move(made.holders);
  Update update{.snapshot = made.snapshot,
                .status = std::move(made.status),
                .warnings = Joined(whole.pools.Warnings(context), made.warnings),
                .certificates = std::move(made.certificates),
                .managed = std::move(made.managed),
                .releases = whole.releases.all()};
  kept_ = std::make_unique<Kept>(Kept{
      std::move(index), std::move(whole.pools), std::move(whole.routes), std::move(whole.releases),
      made.snapshot, std::move(made.warnings), std::move(made.hosts), made.next_change_unix_s});
  return update;
}

Translator::Update Translator::Follow(const api::ResourceSet& resources,
                                      std::span<const api::ObjectChange> changes,
                                      uint64_t generation) {
  const bool is_due = next_change_unix_s() != 0 && options_.now_unix_s >= next_change_unix_s();
  std::vector<api::ObjectChange> sorted(changes.begin(), changes.end());
  const std::optional<size_t> of_pools = Sort(&sorted, options_.managed_from.has_value());
  if (kept_ == nullptr || is_due || names_tell_more_ || !of_pools) {
    return TranslateAll(resources, generation);
  }
  const auto pool_changes = std::span(sorted).first(*of_pools);
  for (const api::ObjectChange& change : pool_changes) kept_->index->Follow(change);
  internal::Context context{resources, *kept_->index, options_, endpoints_, holders_, *tls_memory_};
  context.rate_meters = &rate_meters_;
  context.queues = &queues_;
  context.memories = &memories_;
  context.breakers = &breakers_;
  context.releases = &kept_->releases;
  auto snapshot = std::make_shared<Snapshot>(*kept_->snapshot);
  snapshot->generation = generation;
  Update update{.snapshot = snapshot, .whole = false};
  if (!FollowPools(context, pool_changes, snapshot.get(), &update) ||
      !FollowRoutes(context, std::span(sorted).subspan(*of_pools), snapshot.get(), &update) ||
      !FollowReleases(context, snapshot.get(), &update)) {
    return TranslateAll(resources, generation);
  }
  update.warnings = Joined(kept_->pools.Warnings(context), kept_->warnings);
  kept_->snapshot = std::move(snapshot);
  return update;
}

bool Translator::FollowPools(const internal::Context& context,
                             std::span<const api::ObjectChange> changes, Snapshot* snapshot,
                             Update* update) {
  std::set<uint32_t> made;
  if (!kept_->pools.Follow(context, changes, &made)) return false;
  kept_->pools.FollowHosts(context, moved_hosts_, &made);
  moved_hosts_.clear();
  for (const uint32_t index : made) {
    snapshot->pools[index] = kept_->pools.entry(index);
    const internal::PoolRecipe& recipe = kept_->pools.recipe(index);
    if (!recipe.pool) continue;  // of the others no condition has changed
    auto& [ref, parents] =
        update->parents.emplace_back(internal::RefOf(*recipe.pool),
                                     kept_->pools.ParentsOf(context, kept_->routes.links(), index));
    internal::AddStale(context, ref, &parents);
  }
  return true;
}

bool Translator::FollowReleases(internal::Context& context, Snapshot* snapshot, Update* update) {
  std::set<api::ObjectKey> routes;
  for (const std::string& name : moved_releases_) {
    const ServedRelease* const served = kept_->releases.Find(name);
    if (served == nullptr) continue;
    // A pool's models are read with all others.
    if (served->subject == ServedRelease::Subject::kModel) return false;
    routes.insert(served->key);
  }
  moved_releases_.clear();
  return MakeRoutes(context, routes, snapshot, update);
}

bool Translator::FollowRoutes(internal::Context& context,
                              std::span<const api::ObjectChange> changes, Snapshot* snapshot,
                              Update* update) {
  std::set<api::ObjectKey> routes;
  for (const api::ObjectChange& change : changes) {
    const auto& route = std::get<api::HttpRoute>(*change.after);
    // Whether the release still fits the route is for its conditions to say.
    if (kept_->releases.IsAbout(route.meta.key())) return false;
    routes.insert(route.meta.key());
  }
  return MakeRoutes(context, routes, snapshot, update);
}

// Makes these anew, with the tables that hold them.
bool Translator::MakeRoutes(internal::Context& context, const std::set<api::ObjectKey>& routes,
                            Snapshot* snapshot, Update* update) {
  std::set<ListenerKey> made;
  for (const api::ObjectKey& key : routes) {
    const api::HttpRoute& route = context.resources.http_routes.at(key);
    if (!kept_->routes.Follow(context, kept_->pools, route, &made)) return false;
    update->parents.emplace_back(internal::RefOf(route), kept_->routes.ParentsOf(key));
  }
  for (ListenerEntry& listener : snapshot->listeners) {
    if (made.contains(listener.key)) listener.routes = kept_->routes.TableAt(listener.key);
  }
  return true;
}

}  // namespace gw
