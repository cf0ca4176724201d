#include "server/configurator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "api/names.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/text.h"
#include "snapshot/queues.h"
#include "translate/shared_service.h"

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
    // What is stale is logged once, not after each load.
    if (!api::IsRefused(status) || api::FindCondition(status.conditions, "Stale")) continue;
    if (logged++ == kRefusedLoggedMax) break;
    Log(LogLevel::kWarning, "Object refused",
        {{"object", ref.ToString()},
         {"source", status.source.ToString()},
         {"error", api::WhyRefused(status)}});
  }
  if (logged > kRefusedLoggedMax) {
    Log(LogLevel::kWarning, "and more objects refused: penstock get all shows them",
        {{"more", refused - kRefusedLoggedMax}});
  }
}

// What cannot be read has no conditions: an API server that goes away and comes back makes nothing
// anew.
bool SameOfObjects(const config::Remarks& a, const config::Remarks& b) {
  return a.invalid == b.invalid && a.stale == b.stale && a.skipped == b.skipped;
}

// Where nobody listens and no model server is asked for its metrics.
std::shared_ptr<const Snapshot> WithoutContents(uint64_t generation) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = generation;
  return snapshot;
}

Counter& AddLimitCounter(MetricRegistry& metrics, const std::string& limit) {
  return metrics.AddCounter("penstock_limit_reached_total",
                            "How often a limit was reached, by its name.", {{"limit", limit}});
}

}  // namespace

Configurator::Configurator(SnapshotStore& store, PrefixIndex& index, MetricRegistry& metrics,
                           TranslateOptions options,
                           const std::vector<std::string_view>& source_limits, const Clock& clock)
    : store_(store),
      index_(index),
      metrics_(metrics),
      clock_(clock),
      bind_ip_(options.bind_ip),
      serves_(!options.managed_from),
      translator_(std::move(options), endpoints_, clock),
      reloads_ok_(metrics.AddCounter(kReloads, kReloadsHelp, {{"result", "ok"}})),
      reloads_failed_(metrics.AddCounter(kReloads, kReloadsHelp, {{"result", "failed"}})),
      generation_gauge_(metrics.AddGauge("penstock_configuration_generation",
                                         "Number of the configuration that is served.")),
      failed_gauge_(metrics.AddGauge("penstock_configuration_rejected",
                                     "1 while some of the newest configuration could not be taken "
                                     "over: a file or a resource of the cluster cannot be "
                                     "read, or an object is served at its last good version.")),
      stale_gauge_(metrics.AddGauge("penstock_configuration_stale_objects",
                                    "Objects served at their last good version, as the newest "
                                    "cannot be served or read.")) {
  for (const std::string_view limit : source_limits) {
    AddLimitCounter(metrics, std::string(limit));  // at 0 until it is reached
  }
  AddCertificateMetric();
}

void Configurator::AddCertificateMetric() {
  metrics_.AddCallback("penstock_certificate_expiry_timestamp_seconds",
                       "When the certificate of an HTTPS listener ends, in seconds since 1970.",
                       "gauge", [this](const MetricRegistry::Sink& sink) {
                         const MutexLock lock(mutex_);
                         for (const ServedCertificate& each : certificates_) {
                           sink({{"listener", each.listener}, {"from", each.from}},
                                static_cast<double>(each.not_after_unix_s));
                         }
                       });
}

int64_t Configurator::NowUnixSeconds() const {
  return clock_.UnixNanos() / std::chrono::nanoseconds(std::chrono::seconds(1)).count();
}

bool Configurator::IsDue() const {
  const MutexLock lock(mutex_);
  return next_change_unix_s_ != 0 && NowUnixSeconds() >= next_change_unix_s_;
}

bool Configurator::Apply(const config::Change& change) {
  if (IsOfReleaseStatusesOnly(change)) {
    ChangeResources(change);
    FollowReleaseStatuses(change);
    return false;
  }
  const uint64_t generation = this->generation() + 1;
  ChangeResources(change);
  Translator::Update update = Translate(change, generation);
  {
    const MutexLock lock(mutex_);
    read_error_news_.Set(absl::StrJoin(remarks_->errors, "; "), remarks_->unread);
  }
  LogReadErrors();
  LogChanges(change);
  history_.Add(generation, clock_.UnixNanos() / 1'000'000, change);
  const bool all = Publish(std::move(update), generation);
  const bool whole = remarks_->errors.empty();
  const size_t stale = remarks_->stale.size();
  for (const std::string_view limit : change.limits) {
    AddLimitCounter(metrics_, std::string(limit)).Add();
  }
  (whole ? reloads_ok_ : reloads_failed_).Add();
  failed_gauge_.Set(whole && stale == 0 ? 0 : 1);
  stale_gauge_.Set(static_cast<double>(stale));
  const std::shared_ptr<const Snapshot> snapshot = store_.Load();
  Log(LogLevel::kInfo, "Configuration published",
      {{"generation", generation},
       {"listeners", snapshot->listeners.size()},
       {"pools", snapshot->pools.size()},
       {"refused", refused()},
       {"stale", stale}});
  return all;
}

bool Configurator::ApplyNames(std::shared_ptr<const NameTable> names) {
  const uint64_t generation = this->generation() + 1;
  translator_.SetNames(std::move(names));
  return Publish(Translate({}, generation), generation);
}

std::set<std::string> Configurator::hosts() const { return translator_.hosts(); }

bool Configurator::Publish(Translator::Update update, uint64_t generation) {
  if (update.whole) LogRefused(update.status, api::RefusedCount(update.status));
  LogWarnings(update.warnings);
  const bool whole = update.whole;
  // First, so that whoever sees the Snapshot finds what is said of it.
  KeepStatus(update, generation);
  const std::shared_ptr<const Snapshot> snapshot =
      serves_ ? std::move(update.snapshot) : WithoutContents(generation);
  store_.Publish(snapshot);
  FollowQueues(*snapshot, translator_.queues());
  generation_gauge_.Set(static_cast<double>(generation));
  return whole;
}

// What is refused or stale has conditions of its own, whatever kind it is of.
Translator::Update Configurator::Translate(const config::Change& change, uint64_t generation) {
  // Addresses that no Snapshot and no request holds any more leave the prefix index before their
  // slots can be given to others.
  for (uint32_t slot : endpoints_.TakeReleasedSlots()) index_.RemoveEndpoint(slot);
  const bool same_remarks = change.remarks == nullptr || SameOfObjects(*change.remarks, *remarks_);
  if (change.remarks != nullptr) remarks_ = change.remarks;
  const std::shared_ptr<const api::ResourceSet> set = resources();
  translator_.SetNow(NowUnixSeconds());
  Translator::Update update = same_remarks ? translator_.Follow(*set, change.objects, generation)
                                           : translator_.TranslateAll(*set, generation);
  if (releases_ != nullptr) FollowReleases(change, &update, generation);
  return update;
}

bool Configurator::IsOfReleaseStatusesOnly(const config::Change& change) const {
  return releases_ != nullptr && !change.objects.empty() && change.remarks == nullptr &&
         change.news.empty() && change.recovered.empty() && change.limits.empty() &&
         std::ranges::all_of(change.objects, IsOfReleaseStatusOnly);
}

void Configurator::FollowReleaseStatuses(const config::Change& change) {
  for (const api::ObjectChange& each : change.objects) {
    const auto* release =
        each.after != nullptr ? std::get_if<api::ModelRelease>(each.after.get()) : nullptr;
    if (release == nullptr) continue;
    releases_->SetStatus(release->meta.ns + "/" + release->meta.name, release->status);
  }
}

// What releases there are shows in a translation, which then wants to know how far they are.
void Configurator::FollowReleases(const config::Change& change, Translator::Update* update,
                                  uint64_t generation) {
  const std::shared_ptr<const api::ResourceSet> set = resources();
  if (update->whole) {
    std::set<std::string> known;
    for (const auto& [key, release] : set->model_releases) known.insert(key.ns + "/" + key.name);
    for (const api::InvalidObject& invalid : set->invalid) {
      if (invalid.ref.kind == "ModelRelease") known.insert(invalid.ref.ns + "/" + invalid.ref.name);
    }
    releases_->Set(update->releases, known, remarks_->errors.empty());
  }
  FollowReleaseStatuses(change);
  std::shared_ptr<const ReleaseInputs> inputs = releases_->inputs();
  if (inputs == release_inputs_) return;
  release_inputs_ = std::move(inputs);
  translator_.SetReleases(release_inputs_);
  Translator::Update shared = translator_.Follow(*set, {}, generation);
  if (shared.whole) {
    *update = std::move(shared);
  } else {
    update->snapshot = std::move(shared.snapshot);
  }
}

bool Configurator::ApplyReleases() {
  if (releases_ == nullptr || releases_->inputs() == release_inputs_) return false;
  const uint64_t generation = this->generation() + 1;
  Publish(Translate({}, generation), generation);
  return true;
}

void Configurator::KeepStatus(Translator::Update& update, uint64_t generation) {
  const MutexLock lock(mutex_);
  generation_ = generation;
  stale_ = remarks_->stale.size();
  load_error_ = absl::StrJoin(remarks_->errors, "; ");
  next_change_unix_s_ = translator_.next_change_unix_s();
  if (update.whole) {
    status_changed_ = true;
    ++status_version_;
    certificates_ = std::move(update.certificates);
    status_ = std::move(update.status);
    managed_ = std::move(update.managed);
    AddReleaseStatuses();
    refused_ = api::RefusedCount(status_);
    return;
  }
  for (auto& [ref, parents] : update.parents) {
    const auto status = status_.find(ref);
    CHECK(status != status_.end());
    refused_ -= api::IsRefused(status->second);
    if (status->second.parents != parents) {
      changed_.insert(ref);
      ++status_version_;
    }
    status->second.parents = std::move(parents);
    refused_ += api::IsRefused(status->second);
  }
}

void Configurator::SetReleaseStatuses(const std::map<std::string, api::Node>& statuses) {
  const MutexLock lock(mutex_);
  if (release_statuses_ == statuses) return;
  release_statuses_ = statuses;
  AddReleaseStatuses();
}

// Of two objects of one name the first is served, and is the one that is meant.
void Configurator::AddReleaseStatuses() {
  for (auto at = status_.begin(); at != status_.end(); at = status_.upper_bound(at->first)) {
    if (at->first.kind != "ModelRelease") continue;
    const auto told = release_statuses_.find(at->first.ns + "/" + at->first.name);
    // Nothing, unless this gateway leads: what it said when it led last is out of date.
    const api::Node fields = told == release_statuses_.end() ? api::Node() : told->second;
    if (at->second.fields == fields) continue;
    at->second.fields = fields;
    changed_.insert(at->first);
    ++status_version_;
  }
}

void Configurator::ChangeResources(const config::Change& change) {
  const MutexLock lock(mutex_);
  if (readers_->load(std::memory_order_acquire) > 0) {
    resources_ = std::make_shared<api::ResourceSet>(*resources_);
    readers_ = std::make_shared<std::atomic<int>>(0);
  }
  config::Apply(change, resources_.get());
}

std::shared_ptr<const api::ResourceSet> Configurator::resources() const {
  const MutexLock lock(mutex_);
  readers_->fetch_add(1, std::memory_order_relaxed);
  return {resources_.get(), [set = resources_, readers = readers_](const api::ResourceSet*) {
            readers->fetch_sub(1, std::memory_order_release);
          }};
}

void Configurator::LogReadErrors() {
  const MutexLock lock(mutex_);
  switch (read_error_news_.Take(clock_.Now())) {
    case ReadErrorNews::Say::kNothing:
      break;
    case ReadErrorNews::Say::kErrors:
      Log(LogLevel::kError, "Not everything can be read, the last good objects go on serving",
          {{"error", read_error_news_.error()}, {"generation", generation_}});
      break;
    case ReadErrorNews::Say::kAllRead:
      Log(LogLevel::kInfo, "Everything can be read again", {{"generation", generation_}});
      break;
  }
}

void Configurator::LogChanges(const config::Change& change) {
  size_t logged = 0;
  for (const api::StaleObject& stale : change.news) {
    if (stale.source_lost || logged++ >= kRefusedLoggedMax) continue;
    Log(LogLevel::kWarning, "Edit refused, the object's last good version goes on serving",
        {{"object", stale.ref.ToString()},
         {"served", stale.source.ToString()},
         {"since", UtcText(stale.since_unix_s)},
         {"error", stale.why}});
  }
  if (!change.recovered.empty()) {
    Log(LogLevel::kInfo, "Objects are served as they are written again",
        {{"objects", change.recovered.size()}, {"first", change.recovered.front().ToString()}});
  }
}

// A warning stands in every load until its cause is gone; it is logged when it comes.
void Configurator::LogWarnings(const std::vector<std::string>& warnings) {
  size_t logged = 0;
  std::set<std::string> now;
  for (const std::string& warning : warnings) {
    const bool is_new = now.insert(warning).second && !warnings_.contains(warning);
    if (!is_new || logged++ >= kRefusedLoggedMax) continue;
    Log(LogLevel::kWarning, "Served, and probably not meant", {{"warning", warning}});
  }
  warnings_ = std::move(now);
}

void Configurator::SetListenErrors(ListenErrors errors) {
  const MutexLock lock(mutex_);
  if (errors != listen_errors_) {
    status_changed_ = true;
    ++status_version_;
  }
  listen_errors_ = std::move(errors);
}

api::StatusSet Configurator::status() const {
  const MutexLock lock(mutex_);
  return WithListenErrors(status_, *store_.Load(), listen_errors_);
}

uint64_t Configurator::status_version() const {
  const MutexLock lock(mutex_);
  return status_version_;
}

std::optional<config::Outcome> Configurator::TakeOutcome() {
  const MutexLock lock(mutex_);
  const auto changed = std::exchange(changed_, {});
  const bool whole = std::exchange(status_changed_, false);
  if (!whole && changed.empty()) return std::nullopt;
  api::StatusSet status;
  if (whole) {
    status = status_;
  } else {
    for (const api::ObjectRef& ref : changed) status.insert(*status_.find(ref));
  }
  const std::shared_ptr<const Snapshot> snapshot = store_.Load();
  return config::Outcome{whole, WithListenErrors(std::move(status), *snapshot, listen_errors_),
                         SharedPorts(*snapshot, bind_ip_, listen_errors_), managed_};
}

uint64_t Configurator::generation() const {
  const MutexLock lock(mutex_);
  return generation_;
}

size_t Configurator::refused() const {
  const MutexLock lock(mutex_);
  return refused_;
}

size_t Configurator::stale() const {
  const MutexLock lock(mutex_);
  return stale_;
}

std::string Configurator::load_error() const {
  const MutexLock lock(mutex_);
  return load_error_;
}

ListenErrors Configurator::listen_errors() const {
  const MutexLock lock(mutex_);
  return listen_errors_;
}

std::string Configurator::WhyNothingListens() const {
  const MutexLock lock(mutex_);
  std::string why;
  for (const auto& [ref, status] : status_) {
    const std::string refused = ref.kind == "Gateway" ? api::WhyRefused(status) : "";
    if (!refused.empty()) why += (why.empty() ? "" : "; ") + ref.ToString() + ": " + refused;
  }
  return "nothing listens: " + (why.empty() ? std::string("there is no Gateway") : why);
}

}  // namespace gw
