#include "server/configurator.h"

#include <utility>

#include "base/log.h"

namespace gw {
namespace {

constexpr char kReloads[] = "penstock_configuration_reloads_total";
constexpr char kReloadsHelp[] = "Configurations loaded, by result.";

// Refused objects that are logged one by one after each load. A folder of thousands of bad ones
// must not push the other lines out of the log's queue; `penstock get` shows them all.
constexpr size_t kRefusedLoggedMax = 20;

void LogRefused(const api::StatusSet& statuses, size_t refused) {
  size_t logged = 0;
  for (const auto& [ref, status] : statuses) {
    if (!api::IsRefused(status)) continue;
    if (logged++ == kRefusedLoggedMax) break;
    Log(LogLevel::kWarning, "Object refused",
        {{"object", ref.ToString()},
         {"source", status.source.ToString()},
         {"error", api::WhyRefused(status)}});
  }
  if (refused > kRefusedLoggedMax) {
    Log(LogLevel::kWarning, "and more objects refused: penstock get all shows them",
        {{"more", refused - kRefusedLoggedMax}});
  }
}

}  // namespace

Configurator::Configurator(SnapshotStore& store, PrefixIndex& index, MetricRegistry& metrics,
                           TranslateOptions options)
    : store_(store),
      index_(index),
      options_(std::move(options)),
      reloads_ok_(metrics.AddCounter(kReloads, kReloadsHelp, {{"result", "ok"}})),
      reloads_failed_(metrics.AddCounter(kReloads, kReloadsHelp, {{"result", "failed"}})),
      generation_gauge_(metrics.AddGauge("penstock_configuration_generation",
                                         "Number of the configuration that is served.")),
      failed_gauge_(metrics.AddGauge(
          "penstock_configuration_rejected",
          "1 while a newer configuration could not be loaded and the last good one serves.")) {}

void Configurator::Apply(const api::ResourceSet& resources) {
  // Addresses that no Snapshot and no request holds any more leave the prefix index before their
  // slots can be given to others.
  for (uint32_t slot : endpoints_.TakeReleasedSlots()) index_.RemoveEndpoint(slot);
  const uint64_t generation = this->generation() + 1;
  Translation translation = Translate(resources, options_, endpoints_, generation);
  const size_t refused = api::RefusedCount(translation.status);
  store_.Publish(translation.snapshot);
  auto kept = std::make_shared<const api::ResourceSet>(resources);
  LogRefused(translation.status, refused);
  {
    std::lock_guard lock(mutex_);
    generation_ = generation;
    refused_ = refused;
    status_ = std::move(translation.status);
    resources_ = std::move(kept);
    load_error_.clear();
  }
  reloads_ok_.Add();
  generation_gauge_.Set(static_cast<double>(generation));
  failed_gauge_.Set(0);
  Log(LogLevel::kInfo, "Configuration published",
      {{"generation", generation},
       {"listeners", translation.snapshot->listeners.size()},
       {"pools", translation.snapshot->pools.size()},
       {"refused", refused}});
}

void Configurator::Reject(std::string error) {
  Log(LogLevel::kError, "Configuration rejected, the last good one goes on serving",
      {{"error", error}, {"generation", generation()}});
  reloads_failed_.Add();
  failed_gauge_.Set(1);
  std::lock_guard lock(mutex_);
  load_error_ = std::move(error);
}

void Configurator::SetListenErrors(ListenErrors errors) {
  std::lock_guard lock(mutex_);
  listen_errors_ = std::move(errors);
}

api::StatusSet Configurator::status() const {
  std::lock_guard lock(mutex_);
  return WithListenErrors(status_, listen_errors_);
}

uint64_t Configurator::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

std::shared_ptr<const api::ResourceSet> Configurator::resources() const {
  std::lock_guard lock(mutex_);
  return resources_;
}

size_t Configurator::refused() const {
  std::lock_guard lock(mutex_);
  return refused_;
}

std::string Configurator::load_error() const {
  std::lock_guard lock(mutex_);
  return load_error_;
}

ListenErrors Configurator::listen_errors() const {
  std::lock_guard lock(mutex_);
  return listen_errors_;
}

}  // namespace gw
