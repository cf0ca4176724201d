#include "server/pages.h"

#include <fmt/format.h>

#include "base/log.h"
#include "server/get_rows.h"

namespace gw {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  out += '"';
  return out;
}

}  // namespace

std::string EndpointsPage(const Snapshot& snapshot, TimePoint now) {
  std::string out = "[";
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      if (out.size() > 1) out += ",\n ";
      out += EndpointDocument(entry->pool, endpoint, now).ToCompactJson();
    }
  }
  return out + "]\n";
}

std::string ConfigPage(const Snapshot& snapshot) {
  std::string out = fmt::format("{{\"generation\":{},\n \"listeners\":[", snapshot.generation);
  for (const ListenerEntry& listener : snapshot.listeners) {
    if (&listener != &snapshot.listeners.front()) out += ",\n  ";
    out += fmt::format("{{\"address\":{},\"port\":{},\"names\":[", Quoted(listener.key.ip),
                       listener.key.port);
    for (size_t i = 0; i < listener.names.size(); ++i) {
      out += (i > 0 ? "," : "") + Quoted(listener.names[i]);
    }
    out += "]}";
  }
  out += "],\n \"pools\":[";
  for (size_t i = 0; i < snapshot.pools.size(); ++i) {
    const PoolEntry& entry = *snapshot.pools[i];
    if (i > 0) out += ",\n  ";
    out += fmt::format(
        R"({{"pool":{},"runtime":{},"profile":{},"endpoints":{},"models":{},"unservable":{}}})",
        Quoted(entry.pool.id), Quoted(NameOf(entry.pool.runtime)),
        Quoted(entry.profile ? entry.profile->name() : ""), entry.pool.endpoints.size(),
        entry.models.names().size(), Quoted(entry.unservable));
  }
  return out + "]}\n";
}

}  // namespace gw
