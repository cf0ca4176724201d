#include "translate/route_set.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "api/annotations.h"
#include "api/conditions.h"

namespace gw::internal {
namespace {

using Named = std::tuple<std::string, std::string, std::string, std::string, std::optional<int>>;

template <typename Ref>
void Add(const Ref& ref, std::vector<Named>* named) {
  Named name{ref.group, ref.kind, ref.ns, ref.name, ref.port};
  if (std::ranges::find(*named, name) == named->end()) named->push_back(std::move(name));
}

// The objects that a route's rules name, in the order of their first mention: by it pools of
// Services have their numbers.
std::vector<Named> NamedBy(const api::HttpRoute& route) {
  std::vector<Named> named;
  for (const api::RouteRule& rule : route.rules) {
    for (const api::RequestMirror& mirror : rule.filters.mirrors) Add(mirror, &named);
    for (const api::BackendRef& ref : rule.backend_refs) {
      Add(ref, &named);
      for (const api::RequestMirror& mirror : ref.filters.mirrors) Add(mirror, &named);
    }
  }
  return named;
}

// Annotations that are warned of.
api::StringMap UnknownOf(const api::ObjectMeta& meta) {
  api::StringMap unknown;
  std::ranges::copy_if(meta.annotations, std::inserter(unknown, unknown.end()),
                       [](const auto& annotation) {
                         return !api::WhyUnknown("HTTPRoute", annotation.first).empty();
                       });
  return unknown;
}

template <typename Map>
bool SameKeys(const Map& a, const Map& b) {
  return std::ranges::equal(a, b, {}, &Map::value_type::first, &Map::value_type::first);
}

}  // namespace

bool IsOfRulesOnly(const api::HttpRoute& before, const api::HttpRoute& after) {
  const api::ObjectMeta &was = before.meta, &is = after.meta;
  return before.version == after.version && was.labels == is.labels && was.source == is.source &&
         was.creation_unix_s == is.creation_unix_s && was.terminating == is.terminating &&
         was.unknown_fields == is.unknown_fields && UnknownOf(was) == UnknownOf(is) &&
         !before.parent_refs.empty() && before.parent_refs == after.parent_refs &&
         // Keys are read from Secrets, of which something may be to be said.
         !before.access && !after.access &&
         // It is warned of where it says nothing.
         before.max_waiting.has_value() == after.max_waiting.has_value() &&
         NamedBy(before) == NamedBy(after);
}

RouteSet::RouteSet(Context& context, GatewayStates gateways, PoolSet& pools)
    : gateways_(std::move(gateways)) {
  std::map<const ListenerState*, int> counts;
  for (const auto& [key, route] : context.resources.http_routes) {
    AttachedRoute& attached =
        routes_.emplace(key, Attach(context, gateways_, pools, keys_, route)).first->second;
    for (const ListenerState* listener : attached.listeners) ++counts[listener];
    for (const auto& [place, entries] : attached.entries) entries_[place].push_back(&entries);
    for (const auto& [target, links] : attached.links) {
      for (const auto& [gateway, link] : links) {
        PoolLink& all = links_[target][gateway];
        all.controller_name = link.controller_name;
        all.accepted |= link.accepted;
      }
    }
    api::ObjectStatus& status = context.StatusOf(RefOf(route), route.meta.source);
    status.parents = attached.parents;
    if (!route.parent_refs.empty() || !context.options.only_controller) continue;
    SetVerdict(&status.conditions, "Accepted",
               Refused("NoMatchingParent", "spec.parentRefs is empty: no listener takes the route" +
                                               route.meta.Where("spec.parentRefs")),
               route.meta.generation);
  }
  for (auto& [name, gateway] : gateways_) {
    for (ListenerState& listener : gateway.listeners) {
      const auto count = counts.find(&listener);
      if (count != counts.end()) listener.attached_routes = count->second;
      const std::string& hostname = listener.spec->hostname;
      for (const std::string& ip : listener.ips) {
        const ListenerKey place{static_cast<uint16_t>(listener.spec->port), ip};
        hostnames_[place].push_back(hostname.empty() ? "*" : hostname);
      }
    }
  }
}

const std::vector<api::ParentStatus>& RouteSet::ParentsOf(const api::ObjectKey& route) const {
  return routes_.at(route).parents;
}

std::shared_ptr<const RouteTable> RouteSet::TableAt(const ListenerKey& key) const {
  std::vector<RouteTable::Entry> all;
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    for (const auto* entries : found->second) {
      all.insert(all.end(), entries->begin(), entries->end());
    }
  }
  return RouteTable::Build(std::move(all), hostnames_.at(key));
}

bool RouteSet::Follow(Context& context, PoolSet& pools, const api::HttpRoute& route,
                      std::set<ListenerKey>* made) {
  AttachedRoute& now = routes_.at(route.meta.key());
  AttachedRoute next = Attach(context, gateways_, pools, keys_, route);
  const bool same_for_others = now.links == next.links && now.listeners == next.listeners &&
                               SameKeys(now.entries, next.entries);
  // What becomes refused is logged, with all else that is.
  const bool is_news =
      api::IsRefused({.parents = next.parents}) && !api::IsRefused({.parents = now.parents});
  if (!same_for_others || is_news) return false;
  for (auto& [place, entries] : next.entries) {
    now.entries.at(place) = std::move(entries);  // where entries_ points to
    made->insert(place);
  }
  now.parents = std::move(next.parents);
  return true;
}

}  // namespace gw::internal
