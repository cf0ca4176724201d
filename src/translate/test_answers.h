// What came out of Translate, in a few words, for tests.

#pragma once

#include <string>
#include <vector>

#include "translate/translate.h"

namespace gw {

// "True/Accepted"; "none" if there is no such condition.
inline std::string Said(const std::vector<api::Condition>& conditions, const std::string& type) {
  const api::Condition* condition = api::FindCondition(conditions, type);
  if (condition == nullptr) return "none";
  return std::string(api::NameOf(condition->status)) + "/" + condition->reason;
}
inline std::string MessageOf(const std::vector<api::Condition>& conditions,
                             const std::string& type) {
  const api::Condition* condition = api::FindCondition(conditions, type);
  return condition == nullptr ? "none" : condition->message;
}

// The status of the only object of that kind and name; an empty one if there is none.
inline api::ObjectStatus StatusOf(const Translation& translation, const std::string& kind,
                                  const std::string& name) {
  for (const auto& [ref, status] : translation.status) {
    if (ref.kind == kind && ref.name == name) return status;
  }
  return {};
}
inline api::ListenerStatus ListenerOf(const Translation& translation, const std::string& listener,
                                      const std::string& gateway = "gateway") {
  for (const api::ListenerStatus& status : StatusOf(translation, "Gateway", gateway).listeners) {
    if (status.name == listener) return status;
  }
  return {};
}
// Of the route's or pool's `index`-th parent.
inline std::vector<api::Condition> ParentConditions(const Translation& translation,
                                                    const std::string& kind,
                                                    const std::string& name, size_t index = 0) {
  const api::ObjectStatus status = StatusOf(translation, kind, name);
  return index < status.parents.size() ? status.parents[index].conditions
                                       : std::vector<api::Condition>();
}

// The rule for GET http://host:port/path; nullptr: no listener or 404.
inline const RouteRule* RuleFor(const Translation& translation, uint16_t port,
                                const std::string& host, const std::string& path) {
  const ListenerEntry* listener = translation.snapshot->FindListener({port});
  if (listener == nullptr) return nullptr;
  http::RequestHead head;
  head.method = "GET";
  return listener->routes->Match(host, path, "", head);
}
// What a request gets, as far as routing goes: "404", "500", or the shares of the rule's
// destinations: "default/a:90 500:10".
inline std::string Answer(const Translation& translation, const std::string& path = "/",
                          const std::string& host = "example.com", uint16_t port = 80) {
  const RouteRule* rule = RuleFor(translation, port, host, path);
  if (rule == nullptr) return translation.snapshot->FindListener({port}) ? "404" : "no listener";
  if (!rule->unsupported.empty() || rule->total_weight == 0) return "500";
  std::string answer;
  for (const Destination& destination : rule->destinations) {
    if (!answer.empty()) answer += ' ';
    const bool is_pool = destination.kind == Destination::Kind::kPool;
    const PoolEntry* pool = is_pool ? translation.snapshot->pools[destination.pool].get() : nullptr;
    answer += pool != nullptr && pool->unservable.empty() ? pool->pool.id : "500";
    answer += ":" + std::to_string(destination.weight);
  }
  return answer;
}
// The addresses of a pool: "127.0.0.1:8000 127.0.0.2:8000".
inline std::string Addresses(const Translation& translation, const std::string& pool_id) {
  std::string addresses;
  for (const auto& entry : translation.snapshot->pools) {
    if (entry->pool.id != pool_id) continue;
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      addresses += (addresses.empty() ? "" : " ") + endpoint.address;
    }
  }
  return addresses;
}

}  // namespace gw
