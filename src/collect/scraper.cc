#include "collect/scraper.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "client/handshake_counts.h"
#include "client/pool.h"
#include "collect/scrape_target.h"
#include "collect/silence_watch.h"
#include "collect/wanted.h"

namespace gw {
namespace {

// How often targets are looked at: the error in the moment of a scrape, and the time in which work
// dispatched to an idle endpoint is noticed.
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

  // Each target looks at the options when it asks whether it is due.
  void SetGateways(int count) {
    CHECK(count >= 1);
    options.gateways = count;
    metrics.gateways.Set(count);
  }

  void Tick() {
    const std::shared_ptr<const Snapshot>& newest = reader.Get();
    if (newest != followed) Follow(newest);
    const TimePoint now = loop.now();
    TickTargets(now);
    if (now - looked_at >= options.silence_look) {
      looked_at = now;
      silence.Look(now, [this](const auto&... what) { TellSilence(what...); });
    }
    timer.Start(targets.empty() ? kTickWithoutTargets : kTick);
  }

  // Those that the budget left out come first in the next round.
  void TickTargets(TimePoint now) {
    budget.Refill(now);
    const size_t count = targets.size();
    const size_t first = next_turn < count ? next_turn : 0;
    bool all_had_theirs = true;
    for (size_t i = 0; i < count; ++i) {
      const size_t at = first + i < count ? first + i : first + i - count;
      if (targets[at]->Tick(now) || !all_had_theirs) continue;
      all_had_theirs = false;
      next_turn = at;
    }
  }

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
    const auto [place, is_new] = places.try_emplace(state, targets.size());
    if (is_new) targets.emplace_back();
    std::unique_ptr<ScrapeTarget>& target = targets[place->second];
    if (!is_new && target->identity().SameAs(identity)) return;
    if (!is_new) scraped -= target->identity().scraped;
    scraped += identity.scraped;
    // What a Service's endpoints serve, and how long that takes, is not known.
    if (identity.scraped) {
      silence.Watch({identity.state, identity.pool_id, identity.name});
    } else {
      silence.Forget(state);
    }
    target = Make(std::move(identity));
  }

  void Drop(const EndpointState* state) {
    const auto place = places.find(state);
    if (place == places.end()) return;  // its address was none
    silence.Forget(state);
    std::unique_ptr<ScrapeTarget>& target = targets[place->second];
    scraped -= target->identity().scraped;
    places[targets.back()->identity().state.get()] = place->second;
    target.swap(targets.back());
    places.erase(state);
    targets.pop_back();
  }

  void TellSilence(const SilenceWatch::Subject& subject, uint8_t what, bool begins) {
    const char* reason = what == Silence::kMetrics ? "metrics" : "requests";
    if (begins) metrics.CountSilence(subject.pool_id, reason);
    Log(begins ? LogLevel::kWarning : LogLevel::kInfo,
        begins ? "Endpoint silent, others are preferred" : "Endpoint answers again",
        {{"endpoint", subject.name}, {"pool", subject.pool_id}, {"reason", reason}});
  }

  std::unique_ptr<ScrapeTarget> Make(ScrapeTarget::Identity identity) {
    const Duration phase = std::chrono::duration_cast<Duration>(options.interval * random.Unit());
    return std::make_unique<ScrapeTarget>(client, index, metrics, options, budget,
                                          std::move(identity), loop.now() + phase);
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
  std::vector<std::unique_ptr<ScrapeTarget>> targets;
  std::unordered_map<const EndpointState*, size_t> places;  // in `targets`
  size_t scraped = 0;                                       // of `targets`
  size_t next_turn = 0;                                     // in `targets`, who is asked first
  SilenceWatch silence;
  TimePoint looked_at{};
  Timer timer;
};

MetricsScraper::MetricsScraper(EventLoop& loop, const SnapshotStore& snapshots, PrefixIndex& index,
                               MetricRegistry& metrics, const ScrapeOptions& options)
    : impl_(std::make_unique<Impl>(loop, snapshots, index, metrics, options)) {}

MetricsScraper::~MetricsScraper() = default;

void MetricsScraper::SetGateways(int count) { impl_->SetGateways(count); }

namespace {

class ScraperThreadImpl final : public ScraperThread {
 public:
  ScraperThreadImpl(std::unique_ptr<EventLoop> loop, const SnapshotStore& snapshots,
                    PrefixIndex& index, MetricRegistry& metrics, const ScrapeOptions& options)
      : loop_(std::move(loop)),
        scraper_(*loop_, snapshots, index, metrics, options),
        thread_([this] { loop_->Run(); }) {}

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
