#include "collect/scraper.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread_name.h"
#include "client/handshake_counts.h"
#include "client/pool.h"
#include "collect/look_plan.h"
#include "collect/scrape_target.h"
#include "collect/silence_watch.h"
#include "collect/wanted.h"
#include "snapshot/queues.h"

namespace gw {
namespace {

// Between two rounds of the plan: the error in the moment of a scrape, and LookPlan::kSweepRounds
// times that until work dispatched to an idle endpoint is noticed.
constexpr Duration kTick = std::chrono::milliseconds(2);
// How often a new Snapshot is looked for while there is nothing to scrape.
constexpr Duration kTickWithoutTargets = std::chrono::milliseconds(20);
// A server that closes its idle connections is seen to do it.
constexpr Duration kKeepAlive = std::chrono::seconds(60);

ClientOptions ClientOptionsOf(const ScrapeOptions& options) {
  return {.idle_connections_max = 2,
          .connect_timeout = options.timeout,
          .response_timeout = options.timeout,
          .idle_timeout = options.timeout,
          .keep_alive_timeout = kKeepAlive,
          .trusted_idle_time = kKeepAlive};
}

}  // namespace

struct MetricsScraper::Impl {
  Impl(EventLoop& event_loop, const SnapshotStore& snapshots, PrefixIndex& prefix_index,
       MetricRegistry& registry, const ScrapeOptions& scrape_options)
      : loop(event_loop),
        index(prefix_index),
        options(scrape_options),
        client_options(ClientOptionsOf(options)),
        handshakes(registry),
        client(event_loop, client_options,
               {.on_handshake = [this](const auto& result) { handshakes.Count(result); }}),
        budget(options.pages_per_second_max),
        reader(snapshots),
        metrics(registry),
        random(scrape_options.seed),
        silence(options),
        timer(event_loop, [this] { Tick(); }) {
    SetGateways(options.gateways);
    timer.Start(Duration(0));
  }

  // With fewer of them targets are due earlier than they said.
  void SetGateways(int count) {
    CHECK(count >= 1);
    options.gateways = count;
    metrics.gateways.Set(count);
    for (uint32_t id = 0; id < targets.size(); ++id) {
      if (targets[id] != nullptr) Plan(id);
    }
  }

  void Tick() {
    const std::shared_ptr<const Snapshot>& newest = reader.Get();
    if (newest != followed) Follow(newest);
    const TimePoint now = loop.now();
    budget.Refill(now);
    plan.Round(now, [&](uint32_t id) {
      ScrapeTarget& target = *targets[id];
      const bool had_turn = target.Tick(now);
      return LookPlan::Turn{had_turn, target.Next(now)};
    });
    if (now - looked_at >= options.silence_look) {
      looked_at = now;
      silence.Look(now, [this](const auto&... what) { TellSilence(what...); });
    }
    timer.Start(ids.empty() ? kTickWithoutTargets : kTick);
  }

  void OnSeen(uint32_t id) {
    Plan(id);
    OnEndpointSeen(*followed, *targets[id]->identity().state);
  }

  void Plan(uint32_t id) { plan.Set(id, targets[id]->Next(loop.now())); }

  // Keeps the targets of endpoints that stay what they are, with their connections and pace. An
  // endpoint whose runtime, pool or limit has changed gets a new one: the old one reads the page in
  // the words of the old runtime.
  void Follow(std::shared_ptr<const Snapshot> snapshot) {
    followed = std::move(snapshot);
    Wanted::Change change = wanted.Follow(followed);
    for (const EndpointState* state : change.gone) Drop(state);
    for (ScrapeTarget::Identity& identity : change.put) Put(std::move(identity));
    metrics.endpoints.Set(static_cast<double>(scraped));
    budget.set_endpoints(scraped);
  }

  void Put(ScrapeTarget::Identity identity) {
    const EndpointState* const state = identity.state.get();
    const auto [place, is_new] = ids.try_emplace(state, 0);
    if (is_new) place->second = TakeId();
    const uint32_t id = place->second;
    std::unique_ptr<ScrapeTarget>& target = targets[id];
    if (!is_new && target->identity().SameAs(identity)) return;
    if (!is_new) scraped -= target->identity().scraped;
    scraped += identity.scraped;
    // What a Service's endpoints serve, and how long that takes, is not known.
    if (identity.scraped) {
      silence.Watch({identity.state, identity.pool_id, identity.name});
    } else {
      silence.Forget(state);
    }
    target = Make(id, std::move(identity));
    plan.Put(id, state, target->Next(loop.now()));
  }

  // As small as possible: those of the gone are given again.
  uint32_t TakeId() {
    if (free_ids.empty()) {
      targets.emplace_back();
      return static_cast<uint32_t>(targets.size() - 1);
    }
    const uint32_t id = free_ids.back();
    free_ids.pop_back();
    return id;
  }

  void Drop(const EndpointState* state) {
    const auto place = ids.find(state);
    if (place == ids.end()) return;  // its address was none
    silence.Forget(state);
    const uint32_t id = place->second;
    scraped -= targets[id]->identity().scraped;
    plan.Remove(id);
    ids.erase(place);
    targets[id].reset();
    free_ids.push_back(id);
  }

  void TellSilence(const SilenceWatch::Subject& subject, uint8_t what, bool begins) {
    const char* reason = what == Silence::kMetrics ? "metrics" : "requests";
    if (begins) metrics.CountSilence(subject.pool_id, reason);
    Log(begins ? LogLevel::kWarning : LogLevel::kInfo,
        begins ? "Endpoint silent, others are preferred" : "Endpoint answers again",
        {{"endpoint", subject.name}, {"pool", subject.pool_id}, {"reason", reason}});
  }

  std::unique_ptr<ScrapeTarget> Make(uint32_t id, ScrapeTarget::Identity identity) {
    const Duration phase = std::chrono::duration_cast<Duration>(options.interval * random.Unit());
    return std::make_unique<ScrapeTarget>(client, index, metrics, options, budget,
                                          std::move(identity), loop.now() + phase,
                                          [this, id] { OnSeen(id); });
  }

  EventLoop& loop;
  PrefixIndex& index;
  ScrapeOptions options;  // of which the number of gateways may change
  const ClientOptions client_options;
  HandshakeCounts handshakes;
  ClientPool client;
  ScrapeBudget budget;
  SnapshotReader reader;
  std::shared_ptr<const Snapshot> followed;
  ScrapeMetrics metrics;
  Random random;
  Wanted wanted;
  LookPlan plan;
  std::vector<std::unique_ptr<ScrapeTarget>> targets;      // by their ids in `plan`
  std::unordered_map<const EndpointState*, uint32_t> ids;  // of `targets`
  std::vector<uint32_t> free_ids;
  size_t scraped = 0;  // of `targets`
  SilenceWatch silence;
  TimePoint looked_at{};
  Timer timer;
};

MetricsScraper::MetricsScraper(EventLoop& loop, const SnapshotStore& snapshots, PrefixIndex& index,
                               MetricRegistry& metrics, const ScrapeOptions& options)
    : impl_(std::make_unique<Impl>(loop, snapshots, index, metrics, options)) {}

MetricsScraper::~MetricsScraper() = default;

void MetricsScraper::SetGateways(int count) { impl_->SetGateways(count); }

uint64_t MetricsScraper::looks() const { return impl_->plan.looks(); }

namespace {

class ScraperThreadImpl final : public ScraperThread {
 public:
  ScraperThreadImpl(std::unique_ptr<EventLoop> loop, const SnapshotStore& snapshots,
                    PrefixIndex& index, MetricRegistry& metrics, const ScrapeOptions& options)
      : loop_(std::move(loop)),
        scraper_(*loop_, snapshots, index, metrics, options),
        thread_([this] {
          NameThread("scrapes");
          loop_->Run();
        }) {}

  ~ScraperThreadImpl() override {
    loop_->Stop();
    thread_.join();
  }

  void SetGateways(int count) override {
    CHECK(count >= 1);
    loop_->Post([this, count] { scraper_.SetGateways(count); });
  }

 private:
  const std::unique_ptr<EventLoop> loop_;
  MetricsScraper scraper_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ScraperThread>> ScraperThread::Start(const SnapshotStore& snapshots,
                                                                    PrefixIndex& index,
                                                                    MetricRegistry& metrics,
                                                                    const ScrapeOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  return std::make_unique<ScraperThreadImpl>(std::move(loop), snapshots, index, metrics, options);
}

}  // namespace gw
