#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/translate.h"

namespace gw {
namespace internal {
namespace {

constexpr char kNotUsable[] = "AddressNotUsable";

// One of the addresses and ports that a Gateway's listener is served at.
struct Place {
  const ListenerKey* key;
  const ListenError* error;  // null: it is open
};
using Places = std::map<std::string, std::vector<Place>>;  // by the listener's name

Places PlacesOf(const Snapshot& snapshot, const ListenErrors& errors) {
  Places places;
  for (const ListenerEntry& entry : snapshot.listeners) {
    const auto error = errors.find(entry.key);
    for (const std::string& name : entry.names) {
      places[name].push_back({&entry.key, error == errors.end() ? nullptr : &error->second});
    }
  }
  return places;
}

// Of a listener that is open nowhere. It is valid itself if only its Gateway's addresses are in the
// way.
void SetClosed(const std::vector<Place>& places, api::ListenerStatus* listener) {
  const int64_t generation = listener->conditions.front().observed_generation;
  const auto taken = std::find_if(places.begin(), places.end(),
                                  [](const Place& place) { return !place.error->address; });
  if (taken != places.end()) {
    SetVerdict(&listener->conditions, "Accepted", Refused("PortUnavailable", taken->error->message),
               generation);
  }
  SetVerdict(&listener->conditions, "Programmed",
             Refused(taken == places.end() ? "Pending" : "Invalid",
                     fmt::format("port {} is not open", listener->port)),
             generation);
}

// Of one that is open at some addresses.
void SetPartlyClosed(const std::vector<Place>& places, api::ListenerStatus* listener) {
  std::vector<std::string> closed;
  for (const Place& place : places) {
    if (place.error != nullptr) closed.push_back(place.error->message);
  }
  const std::string message =
      fmt::format("port {}, but not everywhere: {}", listener->port, Join(closed));
  SetVerdict(&listener->conditions, "Programmed", Holds("Programmed", message),
             listener->conditions.front().observed_generation);
}

// Addresses that are none of its places' are those of the Service in front of the place that is not
// told itself.
void EraseClosed(const std::set<std::string>& ips, const std::set<std::string>& open_ips,
                 std::vector<api::GatewayAddress>* told) {
  std::set<std::string> values;
  for (const api::GatewayAddress& each : *told) values.insert(each.value);
  const bool is_shared_open =
      std::any_of(open_ips.begin(), open_ips.end(),
                  [&](const std::string& ip) { return !values.contains(ip); });
  std::erase_if(*told, [&](const api::GatewayAddress& each) {
    return ips.contains(each.value) ? !open_ips.contains(each.value) : !is_shared_open;
  });
}

void SetErrors(const std::string& gateway, const Places& places, api::ObjectStatus* status) {
  std::set<std::string> ips, open_ips;
  std::vector<std::string> unusable;
  bool changed = false;
  for (api::ListenerStatus& listener : status->listeners) {
    const auto found = places.find(gateway + "/" + listener.name);
    if (found == places.end()) continue;  // not served
    size_t closed = 0;
    for (const Place& place : found->second) {
      ips.insert(place.key->ip);
      if (place.error == nullptr) {
        open_ips.insert(place.key->ip);
        continue;
      }
      ++closed;
      if (place.error->address) unusable.push_back(place.error->message);
    }
    changed |= closed > 0;
    if (closed == found->second.size()) {
      SetClosed(found->second, &listener);
    } else if (closed > 0) {
      SetPartlyClosed(found->second, &listener);
    }
  }
  if (!changed) return;
  const int64_t generation = status->conditions.front().observed_generation;
  EraseClosed(ips, open_ips, &status->addresses);
  // What it lacked already it lacks.
  const api::Condition before = *api::FindCondition(status->conditions, "Programmed");
  SetFromListeners(status, generation);
  if (before.status == api::ConditionStatus::kFalse) {
    if (before.reason == kNotUsable) unusable.push_back(before.message);
    api::SetCondition(&status->conditions, before);
  }
  if (unusable.empty()) return;
  SetVerdict(&status->conditions, "Programmed", Refused(kNotUsable, Join(unusable)), generation);
}

}  // namespace
}  // namespace internal

api::StatusSet WithListenErrors(api::StatusSet statuses, const Snapshot& snapshot,
                                const ListenErrors& errors) {
  if (errors.empty()) return statuses;
  const internal::Places places = internal::PlacesOf(snapshot, errors);
  for (auto& [ref, status] : statuses) {
    if (!status.listeners.empty()) internal::SetErrors(ref.ns + "/" + ref.name, places, &status);
  }
  return statuses;
}

}  // namespace gw
