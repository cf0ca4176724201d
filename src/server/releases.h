// Releases: the ModelReleases that are served, each with how far it came (release/run.h). Gives
// translate their weights, looks at them each second, and keeps what must outlive the process.
//
// Of several gateways of a cluster one leads: it looks, and what it decides stands in the objects'
// status, which the others follow. Of several processes on the same files the one leads that has
// the state file's lock, and the others follow the file: one that takes over goes on where the one
// before it stopped.
//
// Gateways of a cluster that tell each other (peers/) all count what their requests come to: those
// that follow for the one that leads, which judges by the sum.
//
// Thread-safe.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "release/run.h"
#include "server/release_state.h"
#include "server/state_file.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"
#include "translate/translate.h"

namespace gw {

// What somebody asks of a release beside its plan.
enum class ReleaseCommand : uint8_t { kPause, kResume, kPromote, kAbort };
std::optional<ReleaseCommand> ReleaseCommandFromName(std::string_view name);

// One release, as it is at a moment.
struct ReleaseView {
  ServedRelease served;
  release::Phase phase = release::Phase::kWaiting;
  size_t step = 0;
  double candidate_percent = 0;
  std::string text;  // what it is doing, one line
  api::Node status;  // StatusOf
};

// Something that one has done.
struct ReleaseEvent {
  std::string release;
  release::Transition transition;
  bool warning = false;
};

// What the requests of one gateway came to since it was asked last.
struct ReleaseSamples {
  std::string release;
  int64_t generation = 0;    // of the plan
  release::Samples samples;  // of a window, which has the same number in all that follow one state
};

class Releases {
 public:
  // `snapshots` and `clock` outlive it, and it outlives the last page of `metrics`. `path` of the
  // state file; "": none.
  Releases(const SnapshotStore& snapshots, MetricRegistry& metrics, const Clock& clock,
           std::string path);

  // From the state file. What cannot be read is logged, and its file kept under another name.
  void Load();
  // Which there are now, after a translation of all objects. `known`: names of all ModelReleases,
  // also of those that are not accepted, whose states are kept for them.
  // Of those that are not known nothing is kept, unless `complete` is false: some cannot be read.
  void Set(const std::vector<ServedRelease>& served, const std::set<std::string>& known,
           bool complete = true);
  // What its object on the cluster says by now.
  void SetStatus(const std::string& name, const std::string& status);
  // For translate: how far they are; the same pointer as long as nothing is another. Not null.
  std::shared_ptr<const ReleaseInputs> inputs() const;

  // One look at each, which may make other inputs(). `leads`: of the cluster's gateways this one
  // does. One caller at a time, with Save.
  void Tick(bool leads);
  // Writes the states, if there is something new. Any thread.
  void Save();
  // Before the first Set: while another one of the cluster leads this one counts, too, and
  // TakeSamples is called.
  void CountForLeader();
  // For the one that leads: those with requests. Empty unless that is another one of the cluster.
  std::vector<ReleaseSamples> TakeSamples();
  // Another gateway's, for the next Tick. Left out are those of another window or plan, and all
  // while another one leads.
  void AddSamples(const ReleaseSamples& told);
  // After the last Tick: saves, and leaves the file to whoever takes over.
  void Resign();

  // NotFound, or FailedPrecondition: it does not fit the release's state, or another process leads.
  // Kept when this returns, in force with the next Tick.
  absl::Status Command(const std::string& name, ReleaseCommand command);
  std::vector<ReleaseView> Look() const;  // in the order of their names
  // What is to stand in their objects' status on a cluster, by name, as it was when the states were
  // to be kept last. Empty: another gateway leads.
  std::map<std::string, api::Node> Statuses() const;
  // What they have done since the last call, while this gateway leads; of more than kEventsMax the
  // first, as their objects' histories have all.
  std::vector<ReleaseEvent> TakeEvents();
  static constexpr size_t kEventsMax = 1000;

 private:
  struct Kept {
    ServedRelease served;
    std::unique_ptr<release::ReleaseRun> run;
    std::shared_ptr<release::SampleSink> sink = std::make_shared<release::SampleSink>();
    uint64_t told = 0;  // transitions that were logged
    std::map<release::Phase, uint64_t> transitions = {};
    release::Samples elsewhere = {};  // since the last look, of the window that was open
  };

  absl::Status CommandRun(const std::string& name, ReleaseCommand command);
  bool LeadsFile();
  void Adopt(ReleaseStates states) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRun(Kept* kept, release::RunState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(Kept* kept) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SaveIfDue(TimePoint now);
  static release::Samples TakeAll(Kept* kept);
  void ForgetElsewhere() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeInputs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ReleaseStates States() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddMetrics(MetricRegistry& metrics);
  int64_t NowNanos() const { return clock_.UnixNanos(); }

  const SnapshotStore& snapshots_;
  const Clock& clock_;
  StateFile file_;
  Mutex saving_;  // one writes the file at a time
  Counter& write_failures_;
  mutable Mutex mutex_;
  bool leads_ ABSL_GUARDED_BY(mutex_) = false;
  bool another_leads_ ABSL_GUARDED_BY(mutex_) = false;  // of the cluster's gateways
  bool counts_for_leader_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_file_ ABSL_GUARDED_BY(mutex_) = false;  // its lock
  bool follows_file_ ABSL_GUARDED_BY(mutex_) = false;
  bool resigned_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Kept> all_ ABSL_GUARDED_BY(mutex_);
  ReleaseStates dormant_ ABSL_GUARDED_BY(mutex_);  // of those that are not served just now
  std::shared_ptr<const ReleaseInputs> inputs_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<ReleaseInputs>();
  std::map<std::string, api::Node> statuses_ ABSL_GUARDED_BY(mutex_);
  std::vector<ReleaseEvent> events_ ABSL_GUARDED_BY(mutex_);
  ReleaseStates saved_ ABSL_GUARDED_BY(mutex_);  // as the file, if there is one, has them
  TimePoint saved_at_ ABSL_GUARDED_BY(mutex_){};
  std::string write_error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
