#include "bench/virtual/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/conditions.h"
#include "base/check.h"
#include "snapshot/queues.h"

namespace gw::bench {

namespace {

constexpr Duration kReleasesTick = std::chrono::seconds(1);  // as the server's

// Names of a few million blocks.
constexpr size_t kNamesBytes = size_t{128} << 20;

PrefixIndex::Options IndexOptions(const VirtualGateway::Options& gateway) {
  PrefixIndex::Options options;
  if (gateway.follows_evictions || gateway.shares) {
    options.names_bytes_max = kNamesBytes;
    options.bytes_max += kNamesBytes;
  }
  options.marks = gateway.shares;
  options.guesses_evictions = !gateway.follows_evictions;
  return options;
}

}  // namespace

struct VirtualGateway::Worker {
  Worker(const Clock& clock, uint64_t seed, PrefixIndex& index, MetricRegistry& metrics,
         WaitingRoom::Post post)
      : environment(clock, seed, index, metrics), room(std::move(post)) {
    environment.room = &room;
  }

  ExchangeEnvironment environment;
  WaitingRoom room;
  TimePoint last_post{};  // tasks are run in the order in which they came
  std::vector<std::unique_ptr<VirtualRequest>> requests;
  std::vector<VirtualRequest*> idle;
};

VirtualGateway::VirtualGateway(Timeline& timeline, const Options& options, const Replicas& replicas,
                               Random& random, OnEnd on_end)
    : timeline_(timeline),
      options_(options),
      replicas_(replicas),
      random_(random),
      on_end_(std::move(on_end)),
      index_(IndexOptions(options)),
      translator_({}, table_, timeline.clock()),
      releases_(store_, metrics_, timeline.clock(), "") {
  for (int i = 0; i < options.workers; ++i) {
    const auto post = [this, i](std::function<void()> task) {
      Post(*workers_[static_cast<size_t>(i)], std::move(task));
    };
    workers_.push_back(
        std::make_unique<Worker>(timeline.clock(), random.Next(), index_, metrics_, post));
    if (!options.shares) continue;
    news_.push_back(std::make_unique<PrefixNews>());
    workers_.back()->environment.prefix_news = news_.back().get();
  }
}

VirtualGateway::~VirtualGateway() = default;

void VirtualGateway::Post(Worker& worker, std::function<void()> task) {
  // What is posted may be a turn, given this moment, or an eviction: whoever gets it knows.
  const bool without_room = options_.checks_room && IsRoomPassed();
  TimePoint at = timeline_.now();
  if (const auto most = static_cast<uint64_t>(options_.post_time_max.count()); most > 0) {
    at += Duration(static_cast<int64_t>(random_.Below(most)));
  }
  worker.last_post = std::max(worker.last_post, at);
  timeline_.At(worker.last_post, [this, without_room, run = std::move(task)] {
    runs_without_room_ = without_room;
    run();
    runs_without_room_ = false;
  });
}

bool VirtualGateway::IsRoomPassed() const {
  for (const std::shared_ptr<RequestQueue>& queue : translator_.queues().All()) {
    const RequestQueue::View view = queue->Look();
    if (view.room && view.granted > *view.room) return true;
  }
  return false;
}

bool VirtualGateway::HasRoom(const PoolEntry* pool) {
  if (!options_.checks_room || pool == nullptr || pool->queue == nullptr) return true;
  const RequestQueue::View view = pool->queue->Look();
  if (!view.room) return true;  // closed
  Candidates candidates;
  const auto sample = [&](const Pool& part) -> const Candidates& {
    SampleEndpoints(part, {}, timeline_.now(), {}, &candidates);
    return candidates;
  };
  return RoomOf(*pool, timeline_.now(), sample) > view.granted;
}

void VirtualGateway::OnRoomPassed(uint64_t id) {
  faults_.push_back(fmt::format("request {} had its turn where there was no room", id));
}

// In the order of Configurator.
void VirtualGateway::Load(api::ResourceSet resources) {
  resources_ = std::move(resources);
  ForgetReleasedSlots();
  Translator::Update update = translator_.TranslateAll(resources_, ++generation_);
  CHECK(api::RefusedCount(update.status) == 0);
  std::set<std::string> known;
  for (const ServedRelease& each : update.releases) known.insert(each.plan.name);
  releases_.Set(update.releases, known);
  release_inputs_ = releases_.inputs();
  translator_.SetReleases(release_inputs_);
  if (!known.empty()) update = translator_.Follow(resources_, {}, generation_);
  Publish(std::move(update));
  if (!known.empty() && !std::exchange(releases_tick_, true)) TickReleases();
}

void VirtualGateway::ForgetReleasedSlots() {
  for (const uint32_t slot : table_.TakeReleasedSlots()) index_.RemoveEndpoint(slot);
}

void VirtualGateway::Publish(Translator::Update update) {
  snapshot_ = std::move(update.snapshot);
  store_.Publish(snapshot_);
  Watch();
  FollowQueues(*snapshot_, translator_.queues());
}

// As often as the gateway does, for good.
void VirtualGateway::TickReleases() {
  timeline_.After(kReleasesTick, [this] { TickReleases(); });
  releases_.Tick(/*leads=*/true);
  releases_.TakeEvents();
  if (releases_.inputs() == release_inputs_) return;
  release_inputs_ = releases_.inputs();
  translator_.SetReleases(release_inputs_);
  ForgetReleasedSlots();
  Publish(translator_.Follow(resources_, {}, ++generation_));
}

// Its first looks are spread over an interval, as the scraper's are.
void VirtualGateway::Watch() {
  decltype(watches_) watches;
  for (const auto& entry : snapshot_->pools) {
    const ReplicaWatch::Options options{options_.scrape, options_.page_time,
                                        entry->pool.metrics_age_max};
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      const EndpointState* const state = endpoint.state.get();
      if (watches.contains(state)) continue;
      std::shared_ptr<ReplicaWatch>& watch = watches[state];
      if (const auto known = watches_.find(state); known != watches_.end()) {
        watch = known->second;
        continue;
      }
      watch = std::make_shared<ReplicaWatch>(timeline_, options, ReplicaAt(endpoint.address),
                                             endpoint.state, index_,
                                             [this, state] { OnEndpointSeen(*snapshot_, *state); });
      states_.push_back(endpoint.state);
      watch->LookBy(timeline_.now() + std::chrono::duration_cast<Duration>(
                                          options_.scrape.interval * random_.Unit()));
    }
  }
  for (const auto& [state, watch] : watches_) {
    if (!watches.contains(state)) pages_of_gone_ += watch->pages();
  }
  watches_ = std::move(watches);
  std::erase_if(states_, [](const auto& state) { return state.expired(); });
}

void VirtualGateway::Send(size_t worker, uint64_t id, FleetRequest request) {
  Worker& on = *workers_[worker];
  if (on.idle.empty()) {
    on.requests.push_back(std::make_unique<VirtualRequest>(timeline_, *this, on.environment));
    on.idle.push_back(on.requests.back().get());
  }
  VirtualRequest* const sent = on.idle.back();
  on.idle.pop_back();
  CHECK(live_.emplace(id, Live{sent, worker}).second);
  sent->Send(id, std::move(request));
}

void VirtualGateway::OnEnded(VirtualRequest* request, FleetAnswer answer) {
  const auto found = live_.find(answer.id);
  CHECK(found != live_.end() && found->second.request == request);
  workers_[found->second.worker]->idle.push_back(request);
  live_.erase(found);
  on_end_(answer);
}

VirtualRequest* VirtualGateway::Find(uint64_t id) const {
  const auto found = live_.find(id);
  return found == live_.end() ? nullptr : found->second.request;
}

std::vector<uint64_t> VirtualGateway::live(size_t worker) const {
  std::vector<uint64_t> ids;
  for (const auto& [id, live] : live_) {
    if (live.worker == worker) ids.push_back(id);
  }
  return ids;
}

VirtualReplica& VirtualGateway::ReplicaAt(std::string_view address) const {
  const auto found = replicas_.find(address);
  CHECK(found != replicas_.end());
  return *found->second;
}

void VirtualGateway::LookSoon(const EndpointState& state) {
  const auto watch = watches_.find(&state);
  if (watch != watches_.end()) watch->second->LookSoon();
}

void VirtualGateway::OnEvicted(std::string_view address, std::span<const uint64_t> names) {
  const VirtualReplica* const replica = &ReplicaAt(address);
  for (const auto& [state, watch] : watches_) {
    if (&watch->replica() != replica) continue;
    for (const uint64_t name : names) index_.RemoveBlock(name, state->slot);
  }
}

void VirtualGateway::NameBlocks(std::span<const uint64_t> hashes, std::span<const uint64_t> names) {
  if (!options_.follows_evictions) return;
  const size_t count = std::min(hashes.size(), names.size());
  index_.NameBlocks(hashes.first(count), 0, names.first(count));
}

uint64_t VirtualGateway::pages() const {
  uint64_t sum = pages_of_gone_;
  for (const auto& [state, watch] : watches_) sum += watch->pages();
  return sum;
}

std::vector<std::string> VirtualGateway::Held() const {
  std::vector<std::string> held;
  const auto add = [&held](std::string_view what, int64_t count) {
    if (count != 0) held.push_back(fmt::format("{}: {}", what, count));
  };
  add("live requests", static_cast<int64_t>(live_.size()));
  for (const std::weak_ptr<EndpointState>& known : states_) {
    const std::shared_ptr<EndpointState> state = known.lock();
    if (state == nullptr) continue;
    add("requests in flight at an endpoint", state->in_flight_requests);
    add("prompt tokens pending at an endpoint", state->pending_prompt_tokens);
    add("tokens decoding at an endpoint", state->decoding_context_tokens);
    add("requests awaited of an endpoint", state->awaiting_requests);
    add("tokens of contexts at an endpoint", state->context_tokens);
    add("generated tokens at an endpoint", state->generated_tokens);
    // It would grow for as long as one is pending.
    const TimePoint later = timeline_.now() + 60 * BusyTime::kDecay;
    add("endpoints that are busy", state->busy.SecondsAt(later) > 0 ? 1 : 0);
  }
  for (const std::shared_ptr<RequestQueue>& queue : translator_.queues().All()) {
    const RequestQueue::View view = queue->Look();
    add("requests waiting in a queue", static_cast<int64_t>(view.waiting));
    add("bytes waiting in a queue", static_cast<int64_t>(view.waiting_bytes));
    add("turns of a queue", view.granted);
    for (const RequestQueue::View::Tenant& tenant : view.tenants) {
      add("requests of tenant " + tenant.name, tenant.in_flight_requests);
      add("tokens of tenant " + tenant.name, tenant.in_flight_tokens);
    }
  }
  for (const auto& entry : snapshot_->pools) {
    if (entry->breaker == nullptr) continue;
    add("requests counted for a pool's limit", entry->breaker->requests.now());
    add("waiting requests counted for a pool's limit", entry->breaker->waiting.now());
  }
  for (const std::unique_ptr<Worker>& worker : workers_) {
    add("requests in a waiting room", static_cast<int64_t>(worker->room.size()));
    add("requests that are not idle",
        static_cast<int64_t>(worker->requests.size() - worker->idle.size()));
  }
  return held;
}

}  // namespace gw::bench
