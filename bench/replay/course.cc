#include "bench/replay/course.h"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "bench/replay/foreign.h"
#include "bench/replay/model.h"
#include "bench/virtual/fleet.h"

namespace gw::bench {
namespace {

constexpr Duration kLook = std::chrono::seconds(1);  // at the load of the engines
constexpr Duration kInstant{1};                      // a time that is not zero, which says none
constexpr char kModel[] = "model";
// Apart from what the same seed draws elsewhere.
constexpr uint64_t kForeignSeed = 0x666f726569676e;

FleetOptions OptionsOf(const Scenario& scenario) {
  FleetOptions options{.replicas = scenario.engines,
                       .gateways = scenario.gateways,
                       .peers = scenario.gateways > 1 ? scenario.peers : std::nullopt,
                       .page_time = scenario.page_time,
                       .seed = scenario.seed};
  options.scrape.interval = scenario.metrics_age;
  options.scrape.idle_interval = std::max(scenario.metrics_age, options.scrape.idle_interval);
  options.scrape.load_ratio_max = 1;  // the age is given
  options.follows_evictions = scenario.index == IndexMode::kPrecise;
  return options;
}

class Course {
 public:
  Course(const Scenario& scenario, const ReplayOptions& options, LoadWorkload& workload)
      : scenario_(scenario),
        options_(options),
        workload_(workload),
        fleet_(OptionsOf(scenario), [this](const FleetAnswer& answer) { OnEnd(answer); }),
        timeline_(fleet_.timeline()),
        start_(timeline_.now()),
        draws_foreign_(scenario.seed ^ kForeignSeed),
        foreign_(fleet_, start_,
                 [this](const Ask& ask, const Answer& answer) { Tell(ask, answer); }),
        model_(kModel, scenario.engines[0].block_tokens),
        present_(scenario.engines.size(), true) {
    Load();
  }

  Replayed Run();

 private:
  struct Asked {
    Ask ask;
    std::string text;
  };

  Duration now() const { return timeline_.now() - start_; }
  void Load();
  void Befall(const FleetEvent& event);
  void Arm();
  void TakeDue(uint64_t arming);
  void Send(Ask ask);
  void OnEnd(const FleetAnswer& answer);
  void Keep(Ask ask, const Answer& answer);
  void Tell(const Ask& ask, const Answer& answer);
  bool IsOver() const;
  bool AsksNoMore() const;
  void Look();

  const Scenario& scenario_;
  const ReplayOptions& options_;
  LoadWorkload& workload_;
  VirtualFleet fleet_;
  Timeline& timeline_;
  const TimePoint start_;
  Random draws_foreign_;
  ForeignRequests foreign_;
  SimulatedModel model_;
  std::vector<bool> present_;                  // of the engines: whether the pool has its Pod
  std::unordered_map<uint64_t, Asked> asked_;  // in flight
  uint64_t armings_ = 0;                       // timers of an earlier one are over
  Random dealing_{Random(scenario_.seed).Next()};
  Duration last_asked_{};
  bool stopped_ = false;
  FleetRecorder recorder_;
  double imbalance_sum_ = 0;
  uint64_t imbalances_ = 0;
  Replayed result_;
};

void Course::Load() {
  std::vector<size_t> pods;
  for (size_t i = 0; i < present_.size(); ++i) {
    if (present_[i]) pods.push_back(i);
  }
  api::ResourceSet objects = PoolObjects(pods, scenario_.annotations);
  if (scenario_.prefill_engines > 0) SplitPool(scenario_.prefill_engines, &objects);
  fleet_.Load(objects);
}

void Course::Befall(const FleetEvent& event) {
  VirtualReplica& replica = fleet_.replica(event.engine);
  switch (event.kind) {
    case FleetEvent::Kind::kStop:
      if (replica.up()) replica.Kill();
      return;
    case FleetEvent::Kind::kStart:
      if (!replica.up()) replica.Start();
      return;
    case FleetEvent::Kind::kSlow:
      return replica.set_speed(event.speed);
    case FleetEvent::Kind::kRemove:
    case FleetEvent::Kind::kAdd:
      present_[event.engine] = event.kind == FleetEvent::Kind::kAdd;
      return Load();
  }
}

Replayed Course::Run() {
  for (const FleetEvent& event : scenario_.events) {
    timeline_.At(start_ + event.at, [this, event] { Befall(event); });
  }
  Look();
  Arm();
  fleet_.RunWhile([this] { return !IsOver(); });
  stopped_ = true;
  // Ended one by one: the end of one may end others, which are then not found.
  std::vector<uint64_t> left;
  for (const auto& [id, asked] : asked_) left.push_back(id);
  std::sort(left.begin(), left.end());
  for (const uint64_t id : left) fleet_.Leave(id);
  result_.foreign = foreign_.sent();
  result_.fleet = recorder_.series();
  result_.pages = fleet_.pages();
  result_.lasted = now();
  if (imbalances_ > 0) result_.imbalance = imbalance_sum_ / static_cast<double>(imbalances_);
  for (size_t i = 0; i < fleet_.size(); ++i) {
    result_.preemptions += fleet_.replica(i).preemptions();
  }
  return std::move(result_);
}

bool Course::AsksNoMore() const {
  const std::optional<Duration> due = workload_.due();
  return workload_.done() || (due && options_.length && *due > *options_.length) ||
         (!due && options_.length && now() > *options_.length);
}

bool Course::IsOver() const {
  if (stopped_) return true;
  if (!AsksNoMore()) return false;
  return (asked_.empty() && !foreign_.any_in_flight()) || now() > last_asked_ + options_.patience;
}

// For what is due next. Asked again whenever that may have changed.
void Course::Arm() {
  ++armings_;
  const std::optional<Duration> due = workload_.due();
  if (!due || AsksNoMore()) return;
  timeline_.At(start_ + std::max(*due, now()), [this, arming = armings_] { TakeDue(arming); });
}

void Course::TakeDue(uint64_t arming) {
  if (arming != armings_ || stopped_) return;
  while (!AsksNoMore()) {
    const std::optional<Duration> due = workload_.due();
    if (!due || *due > now()) break;
    Send(workload_.Take());
  }
  Arm();
}

void Course::Send(Ask ask) {
  last_asked_ = now();
  std::string text;
  absl::StatusOr<FleetRequest> request = model_.RequestOf(&ask, &text);
  if (!request.ok()) {
    const Duration at = std::max(now(), kInstant);
    Keep(std::move(ask), {.end = AnswerEnd::kStatus,
                          .status = 400,
                          .error = std::string(request.status().message()),
                          .sent = at,
                          .ended = at});
    return;
  }
  if (scenario_.foreign_share > 0 && draws_foreign_.Unit() < scenario_.foreign_share) {
    return foreign_.Send(std::move(ask), std::move(text), *std::move(request), present_);
  }
  request->body_time = scenario_.gateway_time;
  const uint64_t gateway = dealing_.Below(static_cast<uint64_t>(scenario_.gateways));
  asked_.emplace(fleet_.next_id(), Asked{std::move(ask), std::move(text)});
  fleet_.Send(gateway, 0, *std::move(request));
}

AnswerEnd EndOf(const FleetAnswer& answer) {
  switch (answer.outcome) {
    case Outcome::kComplete:
      return answer.status == 200 ? AnswerEnd::kComplete : AnswerEnd::kStatus;
    case Outcome::kClientLeft:
      return AnswerEnd::kUnfinished;
    case Outcome::kRejected:
      return AnswerEnd::kStatus;
    case Outcome::kEvicted:
      return answer.first_token ? AnswerEnd::kErrorEvent : AnswerEnd::kStatus;
    default:
      return AnswerEnd::kBroken;
  }
}

void Course::OnEnd(const FleetAnswer& ended) {
  const auto found = asked_.find(ended.id);
  CHECK(found != asked_.end());
  Asked asked = std::move(found->second);
  asked_.erase(found);
  const auto since = [this](TimePoint at) { return std::max(at - start_, kInstant); };
  Answer answer{.end = EndOf(ended), .status = ended.status, .sent = since(ended.arrived)};
  answer.ended = since(ended.ended);
  answer.events = ended.tokens;
  answer.output_tokens = ended.tokens;
  if (ended.first_token) {
    answer.first = since(*ended.first_token);
    answer.last = since(ended.last_token);
    answer.gap_max = ended.gap_max;
  }
  if (ended.cached_tokens) answer.cached_tokens = *ended.cached_tokens;
  if (answer.end != AnswerEnd::kComplete) {
    answer.error = ended.rejection == Rejection::kNone ? std::string(NameOf(answer.end))
                                                       : std::string(InfoOf(ended.rejection).code);
  }
  answer.text = std::move(asked.text);
  Keep(std::move(asked.ask), answer);
}

// Its workload hears of it as it asked: what it warms up with is another thing than what is left
// out of the figures here.
void Course::Keep(Ask ask, const Answer& answer) {
  const bool asked_to_count = ask.counts;
  ask.counts = asked_to_count && ask.due >= options_.warm_up;
  result_.records.Add(ask, answer);
  ask.counts = asked_to_count;
  Tell(ask, answer);
}

void Course::Tell(const Ask& ask, const Answer& answer) {
  if (stopped_) return;
  workload_.OnAnswer(ask, answer, now());
  Arm();
}

void Course::Look() {
  std::vector<EndpointLoad> loads;
  double most = 0;
  double sum = 0;
  for (size_t i = 0; i < fleet_.size(); ++i) {
    const VirtualReplica& replica = fleet_.replica(i);
    EndpointLoad load{.pool = "default/pool", .endpoint = ReplicaAddress(i)};
    load.pod = std::to_string(i);
    load.requests = replica.submitted() - foreign_.sent_to(i);
    if (replica.up()) {
      load.in_flight = replica.engine().waiting() + replica.engine().running();
      load.waiting = replica.engine().waiting();
      load.running = replica.engine().running();
      load.kv_cache_ratio = replica.engine().kv_utilization_ratio();
      most = std::max(most, load.in_flight);
      sum += load.in_flight;
    }
    loads.push_back(std::move(load));
  }
  if (sum > 0 && now() >= options_.warm_up) {
    imbalance_sum_ += most * static_cast<double>(fleet_.size()) / sum;
    ++imbalances_;
  }
  recorder_.Add(now(), loads, {});
  if (options_.goes_on && !options_.goes_on()) stopped_ = true;
  timeline_.After(kLook, [this] { Look(); });
}

}  // namespace

Replayed Replay(const Scenario& scenario, const ReplayOptions& options, LoadWorkload& workload) {
  CHECK(!scenario.engines.empty() && scenario.gateways >= 1);
  return Course(scenario, options, workload).Run();
}

}  // namespace gw::bench
