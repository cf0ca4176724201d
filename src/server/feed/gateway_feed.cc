#include "server/feed/gateway_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/version.h"
#include "server/document.h"
#include "server/startup.h"

namespace gw {
namespace {

std::string_view NameOf(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kServing:
      return "serving";
    case Phase::kDraining:
      return "draining";
  }
  return "";
}

Document TextOrNull(const std::string& text) { return text.empty() ? Document() : Document(text); }

Document ListenersOf(const Snapshot& snapshot, const ListenErrors& errors) {
  Document list = Document::List();
  for (const ListenerEntry& listener : snapshot.listeners) {
    Document names = Document::List();
    for (const std::string& name : listener.names) names.Add(name);
    const auto error = errors.find(listener.key);
    list.Add(Document::Map()
                 .Set("address", listener.key.ToString())
                 .Set("names", std::move(names))
                 .Set("error", error == errors.end() ? Document() : error->second.message));
  }
  return list;
}

double SumOfGauges(const MetricRegistry& metrics, std::string_view name) {
  double sum = 0;
  metrics.VisitGauges(name, [&sum](const Labels&, const Gauge& gauge) { sum += gauge.value(); });
  return sum;
}

}  // namespace

GatewayFeed::GatewayFeed(const AdminSources& sources, const Clock& clock)
    : sources_(sources), clock_(clock), started_at_unix_ms_(clock.UnixNanos() / 1'000'000) {}

void GatewayFeed::Begin() {
  wall_.emplace(clock_);
  window_.Clear();
  for (FeedTable* table : {&pools_, &endpoints_, &totals_, &queues_, &peers_, &releases_, &objects_,
                           &configurations_}) {
    table->Clear();
  }
  status_version_.reset();
  history_version_.reset();
  requests_.clear();
  positions_.assign(sources_.front_ends.size(), {});
  std::string unused;
  Look(&unused);
  uint64_t left_out = 0;
  TakeRequests(kRequestsOfAState, &left_out);
  gateway_ = GatewayJson(1);
}

void GatewayFeed::End() {
  window_.Clear();
  requests_.clear();
}

FeedMessage GatewayFeed::Changes(size_t readers) {
  std::string tables = "{";
  Look(&tables);
  uint64_t left_out = 0;
  const std::string requests = TakeRequests(kRequestsOfAChange, &left_out);
  std::string gateway = GatewayJson(readers);
  const bool same_gateway = gateway == gateway_;
  if (tables.size() == 1 && requests.empty() && same_gateway) return nullptr;
  auto message = std::make_shared<std::string>(
      fmt::format("event: change\ndata: {{\"at\":{}", wall_->UnixMillis(now_)));
  if (!same_gateway) {
    gateway_ = std::move(gateway);
    message->append(",\"gateway\":").append(gateway_);
  }
  if (tables.size() > 1) message->append(",\"tables\":").append(tables).append("}");
  if (!requests.empty()) {
    message->append(
        fmt::format(",\"requests\":{{\"rows\":[{}],\"left_out\":{}}}", requests, left_out));
  }
  message->append("}\n\n");
  return message;
}

FeedMessage GatewayFeed::Whole() {
  auto message = std::make_shared<std::string>(
      fmt::format("event: state\ndata: {{\"at\":{},\"gateway\":{},\"tables\":{{",
                  wall_->UnixMillis(now_), gateway_));
  for (const FeedTable* table : {&totals_, &pools_, &endpoints_, &queues_, &peers_, &releases_,
                                 &objects_, &configurations_}) {
    table->AppendWhole(message.get());
  }
  message->append("},\"requests\":{\"columns\":");
  AppendColumns(message.get(), RequestColumns());
  message->append(",\"rows\":[");
  for (size_t i = 0; i < requests_.size(); ++i) {
    message->append(i == 0 ? "" : ",").append(requests_[i]);
  }
  message->append("]}}\n\n");
  return message;
}

void GatewayFeed::Look(std::string* tables) {
  const std::shared_ptr<const Snapshot> snapshot = sources_.snapshots.Load();
  now_ = clock_.Now();
  window_.Add(now_, sources_.metrics, *snapshot);
  const LiveSources live{*snapshot, window_, now_, *wall_};
  const auto live_tables = {&totals_, &pools_, &endpoints_, &queues_, &peers_, &releases_};
  for (FeedTable* table : live_tables) table->Begin();
  PutLive(live, &pools_, &endpoints_, &totals_);
  PutQueues(live, &queues_);
  if (sources_.peers != nullptr) PutPeers(sources_.peers->Rows(), &peers_);
  PutReleases(sources_.releases.Look(), &releases_);
  for (FeedTable* table : live_tables) table->End(tables);
  LookAtObjects(tables);
}

void GatewayFeed::LookAtObjects(std::string* tables) {
  const Configurator& configurator = sources_.configurator;
  const uint64_t status = configurator.status_version();
  if (status_version_ != status) {
    status_version_ = status;
    objects_.Begin();
    PutObjects(configurator.status(), &objects_);
    objects_.End(tables);
  }
  const uint64_t history = configurator.history().version();
  if (history_version_ != history) {
    history_version_ = history;
    configurations_.Begin();
    PutConfigurations(configurator.history().Look(), &configurations_);
    configurations_.End(tables);
  }
}

std::string GatewayFeed::TakeRequests(size_t max, uint64_t* left_out) {
  std::vector<RequestRecord> records;
  for (size_t i = 0; i < sources_.front_ends.size(); ++i) {
    *left_out += sources_.front_ends[i]->TakeRequests(&positions_[i], max, &records);
  }
  std::ranges::stable_sort(records, {}, &RequestRecord::ended);
  const size_t more = records.size() - std::min(records.size(), max);
  *left_out += more;
  std::string rows;
  for (size_t i = more; i < records.size(); ++i) {
    std::string cells = RequestCells(records[i], *wall_);
    rows.append(rows.empty() ? "" : ",").append(cells);
    requests_.push_back(std::move(cells));
  }
  while (requests_.size() > kRequestsOfAState) requests_.pop_front();
  return rows;
}

std::string GatewayFeed::GatewayJson(size_t readers) const {
  const Configurator& configurator = sources_.configurator;
  const std::shared_ptr<const Snapshot> snapshot = sources_.snapshots.Load();
  return Document::Map()
      .Set("version", Version().version)
      .Set("commit", Version().commit)
      .Set("phase", NameOf(sources_.phase))
      .Set("started_at", started_at_unix_ms_)
      .Set("workers", WorkersOf(sources_.options))
      .Set("generation", configurator.generation())
      .Set("refused", uint64_t{configurator.refused()})
      .Set("stale", uint64_t{configurator.stale()})
      .Set("load_error", TextOrNull(configurator.load_error()))
      .Set("listeners", ListenersOf(*snapshot, configurator.listen_errors()))
      .Set("downstream_connections",
           SumOfGauges(sources_.metrics, "penstock_downstream_connections"))
      .Set("held_bytes", sources_.held.held())
      .Set("viewers", uint64_t{readers})
      .ToCompactJson();
}

}  // namespace gw
