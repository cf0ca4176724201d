#include "collect/scraper.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "collect/scrape_target.h"

namespace gw {
namespace {

// How often targets are looked at: the error in the moment of a scrape, and the time in which work
// dispatched to an idle endpoint is noticed.
constexpr Duration kTick = std::chrono::milliseconds(2);
// How often a new Snapshot is looked for while there is nothing to scrape.
constexpr Duration kTickWithoutTargets = std::chrono::milliseconds(20);

}  // namespace

struct MetricsScraper::Impl {
  Impl(EventLoop& event_loop, const SnapshotStore& snapshots, MetricRegistry& registry,
       const ScrapeOptions& scrape_options)
      : loop(event_loop),
        options(scrape_options),
        reader(snapshots),
        metrics(registry),
        random(scrape_options.seed),
        timer(event_loop, [this] { Tick(); }) {
    timer.Start(Duration(0));
  }

  void Tick() {
    const std::shared_ptr<const Snapshot>& newest = reader.Get();
    if (newest != followed) Follow(newest);
    const TimePoint now = loop.now();
    for (const auto& target : targets) target->Tick(now);
    timer.Start(targets.empty() ? kTickWithoutTargets : kTick);
  }

  // Keeps the targets of endpoints that stay, with their connections and pace.
  void Follow(std::shared_ptr<const Snapshot> snapshot) {
    followed = std::move(snapshot);
    std::unordered_map<const EndpointState*, ScrapeTarget*> known;
    for (const auto& target : targets) {
      target->in_snapshot = false;
      known.emplace(&target->state(), target.get());
    }
    for (const auto& entry : followed->pools) {
      for (const Endpoint& endpoint : entry->pool.endpoints) {
        ScrapeTarget*& target = known[endpoint.state.get()];
        const bool scraped = entry->pool.kind == Pool::Kind::kInferencePool;
        // What was probed for a Service before is scraped once an InferencePool holds it.
        const bool usable = target != nullptr && (target->scraped() || !scraped);
        if (!usable) target = Add(entry->pool, endpoint);
        if (target != nullptr) target->in_snapshot = true;
      }
    }
    std::erase_if(targets, [](const auto& target) { return !target->in_snapshot; });
    metrics.endpoints.Set(static_cast<double>(std::count_if(
        targets.begin(), targets.end(), [](const auto& target) { return target->scraped(); })));
  }

  ScrapeTarget* Add(const Pool& pool, const Endpoint& endpoint) {
    absl::StatusOr<SocketAddress> address = SocketAddress::FromIp(endpoint.ip, endpoint.port);
    if (!address.ok()) {
      Log(LogLevel::kError, "Endpoint cannot be scraped",
          {{"endpoint", endpoint.address}, {"error", std::string(address.status().message())}});
      return nullptr;
    }
    const Duration phase = std::chrono::duration_cast<Duration>(options.interval * random.Unit());
    targets.push_back(std::make_unique<ScrapeTarget>(
        loop, metrics, options,
        ScrapeTarget::Identity{.state = endpoint.state,
                               .address = *address,
                               .name = endpoint.address,
                               .pool_id = pool.id,
                               .runtime = endpoint.runtime,
                               .scraped = pool.kind == Pool::Kind::kInferencePool,
                               .metrics_age_max = pool.metrics_age_max},
        loop.now() + phase));
    return targets.back().get();
  }

  EventLoop& loop;
  const ScrapeOptions options;
  SnapshotReader reader;
  std::shared_ptr<const Snapshot> followed;
  ScrapeMetrics metrics;
  Random random;
  std::vector<std::unique_ptr<ScrapeTarget>> targets;
  Timer timer;
};

MetricsScraper::MetricsScraper(EventLoop& loop, const SnapshotStore& snapshots,
                               MetricRegistry& metrics, const ScrapeOptions& options)
    : impl_(std::make_unique<Impl>(loop, snapshots, metrics, options)) {}

MetricsScraper::~MetricsScraper() = default;

namespace {

class ScraperThreadImpl final : public ScraperThread {
 public:
  ScraperThreadImpl(std::unique_ptr<EventLoop> loop, const SnapshotStore& snapshots,
                    MetricRegistry& metrics, const ScrapeOptions& options)
      : loop_(std::move(loop)),
        scraper_(*loop_, snapshots, metrics, options),
        thread_([this] { loop_->Run(); }) {}

  ~ScraperThreadImpl() override {
    loop_->Stop();
    thread_.join();
  }

 private:
  const std::unique_ptr<EventLoop> loop_;
  MetricsScraper scraper_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ScraperThread>> ScraperThread::Start(const SnapshotStore& snapshots,
                                                                    MetricRegistry& metrics,
                                                                    const ScrapeOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  return std::make_unique<ScraperThreadImpl>(std::move(loop), snapshots, metrics, options);
}

}  // namespace gw
