#include "server/pages.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/document.h"
#include "server/get_rows.h"

namespace gw {
namespace {

// A list with each item on a line of its own.
std::string Lines(const std::vector<Document>& items, std::string_view margin) {
  std::string out = "[";
  for (const Document& item : items) {
    if (out.size() > 1) out.append(",\n").append(margin);
    out += item.ToCompactJson();
  }
  return out + "]";
}

}  // namespace

std::string EndpointsPage(const Snapshot& snapshot, TimePoint now) {
  std::vector<Document> endpoints;
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      endpoints.push_back(EndpointDocument(entry->pool, endpoint, now));
    }
  }
  return Lines(endpoints, " ") + "\n";
}

std::string ConfigPage(const Snapshot& snapshot) {
  std::vector<Document> listeners;
  for (const ListenerEntry& listener : snapshot.listeners) {
    Document names = Document::List();
    for (const std::string& name : listener.names) names.Add(name);
    listeners.push_back(Document::Map()
                            .Set("address", listener.key.ip)
                            .Set("port", uint32_t{listener.key.port})
                            .Set("names", std::move(names)));
  }
  std::vector<Document> pools;
  for (const auto& entry : snapshot.pools) {
    pools.push_back(Document::Map()
                        .Set("pool", entry->pool.id)
                        .Set("runtime", NameOf(entry->pool.runtime))
                        .Set("profile", entry->profile ? entry->profile->name() : "")
                        .Set("endpoints", uint64_t{entry->pool.endpoints.size()})
                        .Set("models", uint64_t{entry->models.names().size()})
                        .Set("unservable", entry->unservable));
  }
  return "{\"generation\":" + std::to_string(snapshot.generation) +
         ",\n \"listeners\":" + Lines(listeners, "  ") + ",\n \"pools\":" + Lines(pools, "  ") +
         "}\n";
}

}  // namespace gw
