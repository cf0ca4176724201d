// Configurator: turns what was loaded into what is served. Holds the last good version of each
// object, the conditions of all, and what is wrong with the files of some.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/conditions.h"
#include "api/resources.h"
#include "config/last_good.h"
#include "pool/endpoint.h"
#include "prefix/index.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"
#include "translate/translate.h"

namespace gw {

class Configurator {
 public:
  Configurator(SnapshotStore& store, PrefixIndex& index, MetricRegistry& metrics,
               TranslateOptions options);

  // Takes over what can be served, translates and publishes; the next generation. What an edit
  // broke and what is in files that cannot be read stays as it was served. One caller at a time.
  void Apply(const config::LoadResult& loaded, int64_t now_unix_s);
  // Listeners that a worker could not open; replaces what was said of the generation before.
  void SetListenErrors(ListenErrors errors);

  // Any thread. With what the listeners' ports say.
  api::StatusSet status() const;
  uint64_t generation() const;
  // What the published configuration was made of.
  std::shared_ptr<const api::ResourceSet> resources() const;
  size_t refused() const;          // objects that are not served as they were written
  size_t stale() const;            // objects served at an older version than was written
  std::string load_error() const;  // of files that could not be read; empty if all could
  ListenErrors listen_errors() const;
  // In one line, for when the Snapshot has no listener.
  std::string WhyNothingListens() const;

 private:
  void LogWarnings(std::vector<std::string> warnings);
  void LogChanges(const config::Merged& merged) const;

  SnapshotStore& store_;
  PrefixIndex& index_;
  const TranslateOptions options_;
  MetricRegistry& metrics_;
  config::LastGood last_good_;
  Holders holders_;
  std::vector<std::string> warnings_;  // of the last load
  EndpointTable endpoints_;
  mutable std::mutex mutex_;
  uint64_t generation_ = 0;
  api::StatusSet status_;
  std::shared_ptr<const api::ResourceSet> resources_ = std::make_shared<api::ResourceSet>();
  size_t refused_ = 0;
  size_t stale_ = 0;
  std::string load_error_;
  ListenErrors listen_errors_;
  Counter& reloads_ok_;
  Counter& reloads_failed_;
  Gauge& generation_gauge_;
  Gauge& failed_gauge_;
  Gauge& stale_gauge_;
};

}  // namespace gw
