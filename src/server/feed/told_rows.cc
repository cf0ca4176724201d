#include <fmt/format.h>

#include <cmath>

#include "server/document.h"
#include "server/feed/rows.h"

namespace gw {
namespace {

constexpr std::string_view kReleaseColumns[] = {"release", "about",     "phase",
                                                "step",    "steps",     "candidate_percent",
                                                "stable",  "candidate", "text"};
constexpr std::string_view kPeerColumns[] = {
    "name",         "address",   "state",     "error",
    "heard_ago_ms", "endpoints", "in_flight", "pending_prompt_tokens"};
constexpr std::string_view kObjectColumns[] = {"kind", "namespace", "name",      "source",
                                               "ok",   "why",       "conditions"};
constexpr std::string_view kConfigurationColumns[] = {
    "generation", "changed_at", "added", "changed", "removed", "first", "served"};
constexpr std::string_view kRequestColumns[] = {"id",
                                                "ended_at",
                                                "route",
                                                "pool",
                                                "pod",
                                                "endpoint",
                                                "requested_model",
                                                "status",
                                                "outcome",
                                                "reason",
                                                "tries",
                                                "queue_ms",
                                                "ttft_ms",
                                                "total_ms",
                                                "prompt_tokens",
                                                "cached_tokens",
                                                "completion_tokens",
                                                "prefix_hit_blocks",
                                                "prefix_blocks",
                                                "candidates",
                                                "score",
                                                "why"};

// `of`: a listener or a parent; "": the object itself.
void AddConditions(Document* list, const std::string& of,
                   const std::vector<api::Condition>& conditions) {
  for (const api::Condition& condition : conditions) {
    list->Add(Document::Map()
                  .Set("of", of.empty() ? Document() : Document(of))
                  .Set("type", condition.type)
                  .Set("status", NameOf(condition.status))
                  .Set("reason", condition.reason)
                  .Set("message", condition.message));
  }
}

std::string ConditionsOf(const api::ObjectStatus& status) {
  Document list = Document::List();
  AddConditions(&list, "", status.conditions);
  for (const api::ListenerStatus& listener : status.listeners) {
    AddConditions(&list, "listener " + listener.name, listener.conditions);
  }
  for (const api::ParentStatus& parent : status.parents) {
    const api::ParentRef& ref = parent.parent_ref;
    std::string name = ref.kind + " " + (ref.ns.empty() ? "" : ref.ns + "/") + ref.name;
    if (!ref.section_name.empty()) name += " " + ref.section_name;
    AddConditions(&list, name, parent.conditions);
  }
  return list.ToCompactJson();
}

// Below 0: it did not come to that.
void AddReached(Cells* cells, double value) {
  if (value < 0) {
    cells->Null();
  } else {
    cells->Number(value);
  }
}

void AddReached(Cells* cells, int64_t value) {
  if (value < 0) {
    cells->Null();
  } else {
    cells->Number(value);
  }
}

}  // namespace

std::span<const std::string_view> PeerRowColumns() { return kPeerColumns; }

void PutPeers(const std::vector<peers::PeerRow>& peers, FeedTable* table) {
  for (size_t i = 0; i < peers.size(); ++i) {
    const peers::PeerRow& peer = peers[i];
    // Neither name nor address is unique: one that was started again is another one.
    Cells cells;
    cells.TextOrNull(peer.name).Text(peer.address).Text(peer.state).TextOrNull(peer.error);
    const double heard_ago_ms = peer.name.empty() ? std::nan("") : ToMillis(peer.heard_ago);
    table->Put(std::to_string(i), cells.Number(heard_ago_ms)
                                      .Number(static_cast<int64_t>(peer.endpoints))
                                      .Number(int64_t{peer.sums.requests})
                                      .Number(peer.sums.pending_tokens)
                                      .Take());
  }
}

std::span<const std::string_view> ReleaseColumns() { return kReleaseColumns; }
std::span<const std::string_view> ObjectColumns() { return kObjectColumns; }
std::span<const std::string_view> ConfigurationColumns() { return kConfigurationColumns; }
std::span<const std::string_view> RequestColumns() { return kRequestColumns; }

void PutReleases(const std::vector<ReleaseView>& releases, FeedTable* table) {
  for (const ReleaseView& view : releases) {
    const release::ReleasePlan& plan = view.served.plan;
    Cells cells;
    cells.Text(plan.name)
        .TextOrNull(view.served.about)
        .Text(Name(view.phase))
        .Number(static_cast<int64_t>(view.step + 1))
        .Number(static_cast<int64_t>(plan.steps.size()))
        .Number(view.candidate_percent)
        .Text(plan.stable)
        .Text(plan.candidate)
        .TextOrNull(view.text);
    table->Put(plan.name, cells.Take());
  }
}

void PutObjects(const api::StatusSet& statuses, FeedTable* table) {
  for (const auto& [ref, status] : statuses) {
    const std::string why = api::WhyRefused(status);
    Cells cells;
    cells.Text(ref.kind)
        .TextOrNull(ref.ns)
        .Text(ref.name)
        .TextOrNull(status.source.ToString())
        .Bool(why.empty())
        .TextOrNull(why.empty() ? "" : ref.ToString() + ": " + why)
        .Raw(ConditionsOf(status));
    table->Put(fmt::format("{} {} {}", ref.group, ref.ToString(), status.source.ToString()),
               cells.Take());
  }
}

void PutConfigurations(const std::vector<ConfigHistory::Entry>& entries, FeedTable* table) {
  for (size_t i = 0; i < entries.size(); ++i) {
    const ConfigHistory::Entry& entry = entries[i];
    Cells cells;
    cells.Number(static_cast<int64_t>(entry.generation))
        .Number(entry.changed_at_unix_ms)
        .Number(static_cast<int64_t>(entry.added))
        .Number(static_cast<int64_t>(entry.changed))
        .Number(static_cast<int64_t>(entry.removed))
        .TextOrNull(entry.first)
        .Bool(i + 1 == entries.size());
    table->Put(std::to_string(entry.generation), cells.Take());
  }
}

std::string RequestCells(const RequestRecord& record, const WallTime& wall) {
  Cells cells;
  cells.Text(record.request_id)
      .Number(wall.UnixMillis(record.ended))
      .TextOrNull(record.route)
      .TextOrNull(record.pool)
      .TextOrNull(record.endpoint_name)
      .TextOrNull(record.endpoint)
      .TextOrNull(record.requested_model)
      .Number(int64_t{record.status})
      .Text(record.outcome)
      .TextOrNull(record.reason)
      .Number(int64_t{record.tries});
  AddReached(&cells, record.queue_ms);
  AddReached(&cells, record.ttft_ms);
  cells.Number(record.total_ms);
  AddReached(&cells, record.prompt_tokens);
  AddReached(&cells, record.cached_tokens);
  AddReached(&cells, record.completion_tokens);
  const bool was_decided = record.candidates > 0;
  cells.Number(int64_t{record.prefix_hit_blocks})
      .Number(int64_t{record.prefix_blocks})
      .Number(int64_t{record.candidates});
  if (was_decided) {
    cells.Number(record.score);
  } else {
    cells.Null();
  }
  return cells.TextOrNull(WhyLine(record)).Take();
}

std::string WhyLine(const RequestRecord& record) {
  if (record.candidates == 0) return "";
  std::string out = fmt::format("score {:.2f} of {}", record.score, record.candidates);
  std::string sum;
  for (const auto& [name, score] : record.scores) {
    if (score != 0) sum += fmt::format("{}{} {:.2f}", sum.empty() ? ": " : " + ", name, score);
  }
  out += sum;
  if (record.loser_count > 0) {
    out += fmt::format("; next {} with {:.2f}", record.losers[0].endpoint_name,
                       record.losers[0].score);
  }
  if (record.queue_wait_ms >= 1) out += fmt::format("; waited {:.0f} ms", record.queue_wait_ms);
  if (!record.fell_back_from.empty()) out += "; in place of " + record.fell_back_from;
  return out;
}

}  // namespace gw
