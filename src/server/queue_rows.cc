#include "server/queue_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace gw {
namespace {

using View = RequestQueue::View;

constexpr char kAbsent[] = "-";

// Of those that only have been served is known how much, as long as that decides who is next.
bool HasSomething(const View::Tenant& tenant) {
  return tenant.waiting > 0 || tenant.in_flight_requests > 0;
}

// Above that no more are let go.
std::optional<int64_t> RoomOf(const View& view) {
  if (!view.room) return std::nullopt;
  return std::max<int64_t>(0, *view.room - view.granted);
}

std::optional<int64_t> WaitingMaxOf(const PoolEntry& entry) {
  return entry.breaker == nullptr ? std::nullopt : entry.breaker->waiting.max();
}

Document NumberOrNull(std::optional<int64_t> value) {
  return value ? Document(*value) : Document();
}

Document TenantDocument(const View::Tenant& tenant) {
  Document out = Document::Map();
  out.Set("tenant", tenant.name)
      .Set("waiting", static_cast<uint64_t>(tenant.waiting))
      .Set("waiting_bytes", static_cast<uint64_t>(tenant.waiting_bytes))
      .Set("oldest_wait_ms",
           tenant.oldest_wait ? Document(ToMillis(*tenant.oldest_wait)) : Document())
      .Set("in_flight_requests", tenant.in_flight_requests)
      .Set("in_flight_tokens", tenant.in_flight_tokens)
      .Set("at_ceiling", tenant.is_at_ceiling)
      .Set("served_tokens", tenant.served_tokens);
  return out;
}

Document PriorityDocument(int priority, const View& view) {
  size_t waiting = 0;
  size_t bytes = 0;
  Document tenants = Document::List();
  for (const View::Tenant& tenant : view.tenants) {
    if (tenant.priority != priority) continue;
    waiting += tenant.waiting;
    bytes += tenant.waiting_bytes;
    tenants.Add(TenantDocument(tenant));
  }
  const auto share = view.options.shares.find(priority);
  Document out = Document::Map();
  out.Set("priority", priority)
      .Set("share", share == view.options.shares.end() ? Document() : Document(share->second))
      .Set("waiting", static_cast<uint64_t>(waiting))
      .Set("waiting_bytes", static_cast<uint64_t>(bytes))
      .Set("tenants", std::move(tenants));
  return out;
}

Document LimitsDocument(const PoolEntry& entry, const View& view) {
  Document reserved = Document::Map();
  for (const auto& [priority, places] : view.options.reserved) {
    reserved.Set(std::to_string(priority), places);
  }
  Document out = Document::Map();
  out.Set("requests", static_cast<uint64_t>(view.options.requests_max))
      .Set("bytes", static_cast<uint64_t>(view.options.bytes_max))
      .Set("timeout_ms", ToMillis(view.options.timeout))
      .Set("without_endpoints", view.options.waits_without_endpoints)
      .Set("reserved", std::move(reserved))
      .Set("evict_below", NumberOrNull(view.options.evict_below))
      .Set("max_waiting", NumberOrNull(WaitingMaxOf(entry)));
  return out;
}

Document QueueDocument(const PoolEntry& entry, const View& view) {
  Document priorities = Document::List();
  std::optional<int> last;  // they stand together
  for (const View::Tenant& tenant : view.tenants) {
    if (last == tenant.priority) continue;
    last = tenant.priority;
    priorities.Add(PriorityDocument(tenant.priority, view));
  }
  Document out = Document::Map();
  out.Set("pool", entry.pool.id)
      .Set("saturated", view.is_saturated())
      .Set("room", NumberOrNull(RoomOf(view)))
      .Set("waiting", static_cast<uint64_t>(view.waiting))
      .Set("waiting_bytes", static_cast<uint64_t>(view.waiting_bytes))
      .Set("limits", LimitsDocument(entry, view))
      .Set("priorities", std::move(priorities));
  return out;
}

// Of one tenant, or of a queue in which there is none.
std::vector<std::string> CellsOf(const PoolEntry& entry, const View& view,
                                 const View::Tenant* tenant) {
  std::vector<std::string> cells = {entry.pool.id};
  if (tenant == nullptr) {
    cells.insert(cells.end(), {kAbsent, kAbsent, "0", "0", kAbsent, "0", "0", kAbsent});
  } else {
    cells.insert(
        cells.end(),
        {std::to_string(tenant->priority), tenant->name, std::to_string(tenant->waiting),
         std::to_string(tenant->waiting_bytes),
         tenant->oldest_wait ? fmt::format("{:.1f}s", ToSeconds(*tenant->oldest_wait)) : kAbsent,
         std::to_string(tenant->in_flight_requests), std::to_string(tenant->in_flight_tokens),
         fmt::format("{:.0f}", tenant->served_tokens)});
  }
  const std::optional<int64_t> room = RoomOf(view);
  const std::optional<int64_t> waiting_max = WaitingMaxOf(entry);
  cells.insert(
      cells.end(),
      {room ? std::to_string(*room) : kAbsent, std::to_string(view.options.requests_max),
       std::to_string(view.options.bytes_max), waiting_max ? std::to_string(*waiting_max) : kAbsent,
       fmt::format("{:.1f}s", ToSeconds(view.options.timeout)),
       std::string(tenant != nullptr     ? StateOf(view, *tenant)
                   : view.is_saturated() ? "saturated"
                                         : "room")});
  return cells;
}

}  // namespace

std::string_view StateOf(const View& view, const View::Tenant& tenant) {
  if (tenant.is_at_ceiling) return "ceiling";
  if (view.is_saturated()) return "saturated";
  return tenant.has_room ? "room" : "reserved";
}

std::vector<GetColumn> QueueColumns() {
  return {{"POOL"},
          {"PRIORITY"},
          {"TENANT"},
          {"WAITING"},
          {"BYTES"},
          {"OLDEST", false, true},
          {"IN-FLIGHT"},
          {"TOKENS"},
          {"SERVED"},
          {"ROOM", true, true},
          {"REQUESTS-MAX", true},
          {"BYTES-MAX", true},
          {"WAITING-MAX", true},
          {"TIMEOUT", true},
          {"STATE"}};
}

void AppendQueues(const GetSources& sources, const GetFilter& filter, std::vector<GetRow>* rows) {
  for (const auto& entry : sources.snapshot.pools) {
    if (entry->queue == nullptr) continue;
    const Pool& pool = entry->pool;
    GetRow row{.names = {pool.name, pool.id}};
    if (!filter.Takes(pool.ns, row.names)) continue;
    const View view = entry->queue->Look();
    for (const View::Tenant& tenant : view.tenants) {
      if (HasSomething(tenant)) row.lines.push_back(CellsOf(*entry, view, &tenant));
    }
    if (row.lines.empty()) row.lines.push_back(CellsOf(*entry, view, nullptr));
    row.object = QueueDocument(*entry, view);
    rows->push_back(std::move(row));
  }
}

}  // namespace gw
