#include "server/releases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "pool/health.h"

namespace gw {
namespace {

// Samples come all the time: their sums are written as often as that, what a release does at once.
constexpr Duration kSaveInterval = std::chrono::seconds(10);

// Somebody is there who can be asked.
bool IsReady(const Snapshot& snapshot, const std::string& pool, TimePoint now) {
  const auto found = std::ranges::find_if(
      snapshot.pools, [&](const auto& entry) { return entry->pool.id == pool; });
  if (found == snapshot.pools.end() || !(*found)->unservable.empty()) return false;
  return std::ranges::any_of((*found)->pool.endpoints, [&](const Endpoint& endpoint) {
    return StandingOf(*endpoint.state, 0, now) != Standing::kRefusing;
  });
}

uint64_t TransitionsOf(const release::RunState& state) {
  return state.history.size() + state.history_dropped;
}

// What people are to know at once: all but sums and times.
bool DiffersInSteps(const release::RunState& a, const release::RunState& b) {
  return a.phase != b.phase || a.step != b.step || a.weight_percent != b.weight_percent ||
         TransitionsOf(a) != TransitionsOf(b) || a.paused_done != b.paused_done ||
         a.request_done != b.request_done || a.stable != b.stable || a.candidate != b.candidate;
}

// None: it says nothing, or nothing that can be read, which is logged.
std::optional<release::RunState> StateTold(const std::string& name, const std::string& status,
                                           std::string_view or_else) {
  absl::StatusOr<release::RunState> told = StateOfStatus(status);
  if (told.ok()) return *std::move(told);
  if (absl::IsNotFound(told.status())) return std::nullopt;
  Log(LogLevel::kWarning, fmt::format("The status of a release cannot be read: {}", or_else),
      {{"release", name}, {"error", std::string(told.status().message())}});
  return std::nullopt;
}

double GeometricMean(const release::LogMoments& moments) {
  return moments.count == 0 ? std::nan("") : std::exp(moments.mean());
}

}  // namespace

std::optional<ReleaseCommand> ReleaseCommandFromName(std::string_view name) {
  if (name == "pause") return ReleaseCommand::kPause;
  if (name == "resume") return ReleaseCommand::kResume;
  if (name == "promote") return ReleaseCommand::kPromote;
  if (name == "abort") return ReleaseCommand::kAbort;
  return std::nullopt;
}

Releases::Releases(const SnapshotStore& snapshots, MetricRegistry& metrics, const Clock& clock,
                   std::string path)
    : snapshots_(snapshots),
      clock_(clock),
      file_(std::move(path)),
      write_failures_(metrics.AddCounter("penstock_release_state_write_failures_total",
                                         "How often the state of releases could not be written: "
                                         "what they came to since does not survive a restart.")) {
  AddMetrics(metrics);
}

void Releases::Load() {
  const absl::StatusOr<std::string> text = file_.Read();
  absl::StatusOr<ReleaseStates> states = ReleaseStates();
  if (!text.ok()) {
    states = text.status();
  } else if (!text->empty()) {
    states = ParseStates(*text);
  }
  const MutexLock lock(mutex_);
  if (states.ok()) {
    dormant_ = *std::move(states);
    saved_ = dormant_;
    return;
  }
  // What a link leads to, or somebody has no right to read, is not ours to lose either.
  std::error_code error;
  const std::string file = std::filesystem::canonical(file_.path(), error).string();
  const std::string kept = file + ".unread";
  if (!std::filesystem::is_regular_file(file, error))
    error = std::make_error_code(std::errc::io_error);
  if (!error) std::filesystem::rename(file, kept, error);
  Log(LogLevel::kError, "The state of releases cannot be read: they begin anew",
      {{"file", file_.path()},
       {"error", std::string(states.status().message())},
       {"kept_as", error ? std::string() : kept}});
}

void Releases::Set(const std::vector<ServedRelease>& served, const std::set<std::string>& known,
                   bool complete) {
  const MutexLock lock(mutex_);
  std::map<std::string, Kept> before = std::exchange(all_, {});
  for (const ServedRelease& each : served) {
    const std::string& name = each.plan.name;
    Kept& kept = all_[name];
    if (const auto had = before.find(name); had != before.end()) {
      kept = std::move(had->second);
      before.erase(had);
      const bool same_plan = kept.served.plan == each.plan;
      // Its status may be another as well: SetStatus is to see that it is.
      std::string status = std::move(kept.served.status);
      kept.served = each;
      kept.served.status = std::move(status);
      if (!same_plan) kept.run->SetPlan(each.plan, each.generation, NowNanos());
    } else {
      kept.served = each;
      release::RunState state;
      if (const auto slept = dormant_.find(name); slept != dormant_.end()) {
        state = std::move(slept->second);
        dormant_.erase(slept);
      } else if (auto told = StateTold(name, each.status, "it begins anew")) {
        state = *std::move(told);
      }
      MakeRun(&kept, std::move(state));
    }
    Tell(&kept);
  }
  // Whose object is not accepted just now may come back; who is deleted begins anew.
  for (auto& [name, kept] : before) {
    dormant_[name] = kept.run->state();
  }
  if (complete) {
    std::erase_if(dormant_, [&](const auto& each) { return !known.contains(each.first); });
  }
  MakeInputs();
}

void Releases::MakeRun(Kept* kept, release::RunState state) {
  kept->told = TransitionsOf(state);
  kept->run = std::make_unique<release::ReleaseRun>(kept->served.plan, kept->served.generation,
                                                    NowNanos(), std::move(state));
}

void Releases::SetStatus(const std::string& name, const std::string& status) {
  const MutexLock lock(mutex_);
  const auto found = all_.find(name);
  if (found == all_.end() || found->second.served.status == status) return;
  found->second.served.status = status;
  if (leads_) return;  // it is what we have written
  if (auto told = StateTold(name, status, "it goes on as it was")) {
    MakeRun(&found->second, *std::move(told));
  }
}

std::shared_ptr<const ReleaseInputs> Releases::inputs() const {
  const MutexLock lock(mutex_);
  return inputs_;
}

void Releases::MakeInputs() {
  // Whoever leads does, and others only for whoever leads.
  const bool counts = leads_ || (counts_for_leader_ && another_leads_);
  ReleaseInputs inputs;
  for (auto& [name, kept] : all_) {
    release::Weights weights = kept.run->weights();
    if (!counts) weights.window = 0;
    // Before anybody is routed by them.
    kept.sink->Open(weights.window);
    inputs[name] = {weights, kept.sink};
  }
  if (inputs != *inputs_) inputs_ = std::make_shared<ReleaseInputs>(std::move(inputs));
}

// Several processes may serve the same files, as while one takes over.
bool Releases::LeadsFile() {
  {
    const MutexLock lock(mutex_);
    if (resigned_) return false;
    if (all_.empty()) return true;
  }
  const bool has = file_.Lock();
  {
    const MutexLock lock(mutex_);
    follows_file_ = !has;
    if (std::exchange(has_file_, has) && has) return true;
  }
  // Whoever had it may have gone further since it was read.
  const absl::StatusOr<std::string> text = file_.Read();
  absl::StatusOr<ReleaseStates> states =
      text.ok() && !text->empty() ? ParseStates(*text) : absl::NotFoundError("nothing to follow");
  const MutexLock lock(mutex_);
  if (states.ok() && *states != saved_) Adopt(*std::move(states));
  return has;
}

void Releases::Adopt(ReleaseStates states) {
  saved_ = states;
  for (auto& [name, kept] : all_) {
    const auto told = states.find(name);
    if (told != states.end() && told->second != kept.run->state()) MakeRun(&kept, told->second);
  }
}

void Releases::Tick(bool leads) {
  const bool another_leads = !leads;
  leads = leads && LeadsFile();
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Load();
  const TimePoint now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    leads_ = leads;
    another_leads_ = another_leads;
    // What was told to one that leads no longer its successor may have heard as well.
    if (!leads) ForgetElsewhere();
    if (leads && snapshot != nullptr) {
      for (auto& [name, kept] : all_) {
        kept.run->Tick({.now_unix_ns = NowNanos(),
                        .stable_ready = IsReady(*snapshot, kept.served.stable_pool, now),
                        .candidate_ready = IsReady(*snapshot, kept.served.candidate_pool, now),
                        .samples = TakeAll(&kept)});
        Tell(&kept);
      }
    }
    MakeInputs();
  }
  SaveIfDue(now);
}

// Those here and elsewhere.
release::Samples Releases::TakeAll(Kept* kept) {
  release::Samples samples = kept->sink->Take();
  const release::Samples others = std::exchange(kept->elsewhere, {});
  if (others.window == samples.window) samples.Merge(others);
  return samples;
}

void Releases::ForgetElsewhere() {
  for (auto& [name, kept] : all_) kept.elsewhere = {};
}

void Releases::CountForLeader() {
  const MutexLock lock(mutex_);
  counts_for_leader_ = true;
}

std::vector<ReleaseSamples> Releases::TakeSamples() {
  std::vector<ReleaseSamples> taken;
  const MutexLock lock(mutex_);
  if (!another_leads_) return taken;
  for (auto& [name, kept] : all_) {
    const release::Samples samples = kept.sink->Take();
    if (samples.stable.requests + samples.candidate.requests == 0) continue;
    taken.push_back({name, kept.run->state().generation, samples});
  }
  return taken;
}

void Releases::AddSamples(const ReleaseSamples& told) {
  const MutexLock lock(mutex_);
  const auto found = all_.find(told.release);
  if (!leads_ || found == all_.end()) return;
  Kept& kept = found->second;
  const uint64_t window = kept.run->weights().window;
  if (window == 0 || told.samples.window != window) return;
  if (told.generation != kept.run->state().generation) return;
  if (kept.elsewhere.window != window) kept.elsewhere = {.window = window};
  kept.elsewhere.Merge(told.samples);
}

void Releases::SaveIfDue(TimePoint now) {
  {
    const MutexLock lock(mutex_);
    if (!leads_) return statuses_.clear();
    const ReleaseStates states = States();
    const bool stepped = std::ranges::any_of(states, [this](const auto& each) {
      const auto saved = saved_.find(each.first);
      return saved == saved_.end() || DiffersInSteps(saved->second, each.second);
    });
    const bool same_names = states.size() == saved_.size() && statuses_.size() == all_.size();
    if (!stepped && same_names && write_error_.empty() && now - saved_at_ < kSaveInterval) return;
    saved_at_ = now;
  }
  Save();
}

// Logs what it has done since the last time.
void Releases::Tell(Kept* kept) {
  const release::RunState& state = kept->run->state();
  const uint64_t all = TransitionsOf(state);
  const uint64_t news = std::min<uint64_t>(all - std::min(kept->told, all), state.history.size());
  kept->told = all;
  for (size_t i = state.history.size() - news; i < state.history.size(); ++i) {
    const release::Transition& transition = state.history[i];
    ++kept->transitions[transition.to];
    const bool bad =
        transition.to == release::Phase::kRolledBack || transition.to == release::Phase::kHolding;
    if (leads_ && events_.size() < kEventsMax) {
      events_.push_back({kept->served.plan.name, transition, bad});
    }
    Log(bad ? LogLevel::kWarning : LogLevel::kInfo, "Release",
        {{"release", kept->served.plan.name},
         {"from", Name(transition.from)},
         {"to", Name(transition.to)},
         {"step", transition.step + 1},
         {"steps", kept->served.plan.steps.size()},
         {"candidate_percent", kept->run->weights().candidate_percent},
         {"release_reason", transition.reason}});
  }
}

ReleaseStates Releases::States() const {
  ReleaseStates states = dormant_;
  for (const auto& [name, kept] : all_) states[name] = kept.run->state();
  return states;
}

void Releases::Resign() {
  Save();
  {
    const MutexLock lock(mutex_);
    resigned_ = true;
    leads_ = false;
  }
  const MutexLock saving(saving_);  // whoever writes yet has written
  file_.Unlock();
}

void Releases::Save() {
  const MutexLock saving(saving_);
  ReleaseStates states;
  {
    const MutexLock lock(mutex_);
    if (!leads_) return;
    statuses_.clear();
    for (const auto& [name, kept] : all_) statuses_[name] = StatusOf(*kept.run, true);
    states = States();
    if (states == saved_ && write_error_.empty()) return;
  }
  const absl::Status written = file_.Write(StateText(states));
  const MutexLock lock(mutex_);
  const std::string error(written.message());
  if (!written.ok()) write_failures_.Add();
  if (error != write_error_ && !written.ok()) {
    Log(LogLevel::kWarning, "The state of releases is not kept: it does not survive a restart",
        {{"error", error}});
  }
  write_error_ = error;
  if (written.ok()) saved_ = std::move(states);
}

absl::Status Releases::Command(const std::string& name, ReleaseCommand command) {
  RETURN_IF_ERROR(CommandRun(name, command));
  Save();
  return absl::OkStatus();
}

absl::Status Releases::CommandRun(const std::string& name, ReleaseCommand command) {
  const MutexLock lock(mutex_);
  const auto found = all_.find(name);
  if (found == all_.end()) {
    return absl::NotFoundError(
        fmt::format("there is no release {} that is accepted: penstock get releases", name));
  }
  if (follows_file_ || resigned_) {
    return absl::FailedPreconditionError(
        fmt::format("another gateway decides on {} as long as it serves the same files", name));
  }
  release::ReleaseRun& run = *found->second.run;
  const int64_t now = NowNanos();
  absl::Status done;
  switch (command) {
    case ReleaseCommand::kPause:
      done = run.Pause(now);
      break;
    case ReleaseCommand::kResume:
      done = run.Resume(now);
      break;
    case ReleaseCommand::kPromote:
      done = run.Promote(now);
      break;
    case ReleaseCommand::kAbort:
      done = run.Abort(now);
      break;
  }
  Tell(&found->second);
  return done;
}

std::vector<ReleaseView> Releases::Look() const {
  const MutexLock lock(mutex_);
  std::vector<ReleaseView> views;
  for (const auto& [name, kept] : all_) {
    views.push_back({kept.served, kept.run->state().phase, kept.run->state().step,
                     kept.run->weights().candidate_percent, kept.run->StatusText(),
                     StatusOf(*kept.run, false)});
  }
  return views;
}

std::map<std::string, api::Node> Releases::Statuses() const {
  const MutexLock lock(mutex_);
  return statuses_;
}

std::vector<ReleaseEvent> Releases::TakeEvents() {
  const MutexLock lock(mutex_);
  return std::exchange(events_, {});
}

void Releases::AddMetrics(MetricRegistry& metrics) {
  using Sink = MetricRegistry::Sink;
  const auto add = [&](std::string_view name, std::string_view help, std::string_view type,
                       auto tell) {
    metrics.AddCallback(name, help, type, [this, tell](const Sink& sink) {
      const MutexLock lock(mutex_);
      for (const auto& [release, kept] : all_) tell(release, kept, sink);
    });
  };
  const auto of_versions = [&](std::string_view name, std::string_view help, auto value) {
    add(name, help, "gauge",
        [value](const std::string& release, const Kept& kept, const Sink& sink) {
          const release::Samples& samples = kept.run->state().samples;
          sink({{"release", release}, {"version", "stable"}}, value(samples.stable));
          sink({{"release", release}, {"version", "candidate"}}, value(samples.candidate));
        });
  };
  // As they are served: its run may be further by a tick.
  metrics.AddCallback(
      "penstock_release_weight_ratio",
      "Share of a release's requests that each version gets, 0 to 1.", "gauge",
      [this](const Sink& sink) {
        for (const auto& [release, input] : *inputs()) {
          const release::Weights& weights = input.weights;
          sink({{"release", release}, {"version", "stable"}}, weights.stable_percent / 100.0);
          sink({{"release", release}, {"version", "candidate"}}, weights.candidate_percent / 100.0);
        }
      });
  add("penstock_release_phase", "1 for the phase that a release is in, 0 for all others.", "gauge",
      [](const std::string& release, const Kept& kept, const Sink& sink) {
        for (const release::Phase phase : release::kPhases) {
          sink({{"release", release}, {"phase", std::string(Name(phase))}},
               kept.run->state().phase == phase ? 1 : 0);
        }
      });
  add("penstock_release_step", "The step that a release is in, from 1.", "gauge",
      [](const std::string& release, const Kept& kept, const Sink& sink) {
        sink({{"release", release}}, static_cast<double>(kept.run->state().step + 1));
      });
  add("penstock_release_transitions_total", "How often a release came to a phase or another step.",
      "counter", [](const std::string& release, const Kept& kept, const Sink& sink) {
        for (const release::Phase phase : release::kPhases) {
          const auto found = kept.transitions.find(phase);
          sink({{"release", release}, {"to", std::string(Name(phase))}},
               found == kept.transitions.end() ? 0 : static_cast<double>(found->second));
        }
      });
  of_versions(
      "penstock_release_samples",
      "Requests of each version that ended since the release's step began.",
      [](const release::VersionSamples& samples) { return static_cast<double>(samples.requests); });
  of_versions(
      "penstock_release_sample_errors", "Errors among them.",
      [](const release::VersionSamples& samples) { return static_cast<double>(samples.errors); });
  of_versions("penstock_release_ttft_seconds", "Geometric mean of their times to the first token.",
              [](const release::VersionSamples& samples) { return GeometricMean(samples.ttft); });
  of_versions("penstock_release_tpot_seconds",
              "Geometric mean of their times per output token after the first.",
              [](const release::VersionSamples& samples) { return GeometricMean(samples.tpot); });
}

}  // namespace gw
