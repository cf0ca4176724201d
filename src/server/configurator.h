// Configurator: turns what a ConfigSource tells into what is served. Holds the objects, and the
// conditions of all.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/conditions.h"
#include "api/resources.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "config/config_source.h"
#include "pool/endpoint.h"
#include "prefix/index.h"
#include "server/config_history.h"
#include "server/read_error_news.h"
#include "server/releases.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"
#include "translate/translator.h"

namespace gw {

class Configurator {
 public:
  // `clock` tells when certificates begin and cease to be valid; it outlives the Configurator, as
  // that does the last page of metrics.
  Configurator(SnapshotStore& store, PrefixIndex& index, MetricRegistry& metrics,
               TranslateOptions options, const std::vector<std::string_view>& source_limits,
               const Clock& clock = RealClock());
  // Before anything is applied: releases go on by what is served, which has their weights. They
  // outlive it.
  void UseReleases(Releases& releases) { releases_ = &releases; }

  // Takes over what has changed, translates and publishes; the next generation. One caller at a
  // time. False: listeners, routes and which pools there are stayed as they were. How far releases
  // have come, as their objects say it, is no other generation: ApplyReleases sees what follows.
  bool Apply(const config::Change& change);
  // The same after another answer of a DNS: what the names that are served by stand for. False: as
  // Apply says it.
  bool ApplyNames(std::shared_ptr<const NameTable> names);
  // The same after releases have come further. False: they have not, and nothing is published.
  bool ApplyReleases();
  // Any thread. What is told of releases beside their conditions, by name.
  void SetReleaseStatuses(const std::map<std::string, api::Node>& statuses);
  // The names that are to be known for what was applied last.
  std::set<std::string> hosts() const;
  // Any thread. Whether some condition is another by now though no object is: a certificate has
  // ended. Apply, of no change, says which.
  bool IsDue() const;
  // Any thread, now and then. Logs what cannot be read, if that was held back (ReadErrorNews).
  void LogReadErrors();
  // Listeners that a worker could not open; replaces what was said of the generation before.
  void SetListenErrors(ListenErrors errors);

  // Any thread. With what the listeners' ports say.
  api::StatusSet status() const;
  // Grows whenever status() may be another.
  uint64_t status_version() const;
  const ConfigHistory& history() const { return history_; }
  EndpointTable& endpoints() { return endpoints_; }
  // Any thread, both: of all that was ever applied and is still held.
  const RateMeters& rate_meters() const { return translator_.rate_meters(); }
  const RequestQueues& queues() const { return translator_.queues(); }
  // What became of the objects, as far as it may be another than at the last call.
  std::optional<config::Outcome> TakeOutcome();
  uint64_t generation() const;
  // What the published configuration was made of.
  std::shared_ptr<const api::ResourceSet> resources() const;
  size_t refused() const;          // objects that are not served as they were written
  size_t stale() const;            // objects served at an older version than was written
  std::string load_error() const;  // of what the source could not read; empty if it could all
  ListenErrors listen_errors() const;
  // In one line, for when the Snapshot has no listener.
  std::string WhyNothingListens() const;

 private:
  bool Publish(Translator::Update update, uint64_t generation);
  Translator::Update Translate(const config::Change& change, uint64_t generation);
  void AddReleaseStatuses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepStatus(Translator::Update& update, uint64_t generation);
  void LogWarnings(const std::vector<std::string>& warnings);
  bool IsOfReleaseStatusesOnly(const config::Change& change) const;
  void FollowReleaseStatuses(const config::Change& change);
  void FollowReleases(const config::Change& change, Translator::Update* update,
                      uint64_t generation);
  static void LogChanges(const config::Change& change);
  void ChangeResources(const config::Change& change);
  int64_t NowUnixSeconds() const;
  void AddCertificateMetric();

  SnapshotStore& store_;
  PrefixIndex& index_;
  MetricRegistry& metrics_;
  const Clock& clock_;
  const std::string bind_ip_;
  const bool serves_;  // others do, whose infrastructure is managed here: nothing is published
  std::shared_ptr<const config::Remarks> remarks_ = std::make_shared<config::Remarks>();
  std::set<std::string> warnings_;  // of the last change
  EndpointTable endpoints_;
  Translator translator_;
  Releases* releases_ = nullptr;
  std::shared_ptr<const ReleaseInputs> release_inputs_;  // that are served
  ConfigHistory history_;
  mutable Mutex mutex_;
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  api::StatusSet status_ ABSL_GUARDED_BY(mutex_);
  uint64_t status_version_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<api::ManagedGateways> managed_ ABSL_GUARDED_BY(mutex_);
  // Since TakeOutcome: all may be others, or these.
  bool status_changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, api::Node> release_statuses_ ABSL_GUARDED_BY(mutex_);
  std::set<api::ObjectRef, api::ObjectRefLess> changed_ ABSL_GUARDED_BY(mutex_);
  // Changed in place while nobody else reads it, else copied first.
  std::shared_ptr<api::ResourceSet> resources_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<api::ResourceSet>();
  std::shared_ptr<std::atomic<int>> readers_ = std::make_shared<std::atomic<int>>(0);
  size_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t stale_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string load_error_ ABSL_GUARDED_BY(mutex_);
  ReadErrorNews read_error_news_ ABSL_GUARDED_BY(mutex_);
  ListenErrors listen_errors_ ABSL_GUARDED_BY(mutex_);
  std::vector<ServedCertificate> certificates_ ABSL_GUARDED_BY(mutex_);
  int64_t next_change_unix_s_ ABSL_GUARDED_BY(mutex_) = 0;
  Counter& reloads_ok_;
  Counter& reloads_failed_;
  Gauge& generation_gauge_;
  Gauge& failed_gauge_;
  Gauge& stale_gauge_;
};

}  // namespace gw
