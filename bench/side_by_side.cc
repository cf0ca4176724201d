#include "bench/side_by_side.h"

#include <algorithm>
#include <memory>
#include <queue>
#include <string>
#include <utility>

#include "base/check.h"
#include "collect/apply_page.h"
#include "collect/scrape_options.h"
#include "collect/scrape_pacer.h"
#include "exchange/exchange.h"
#include "http/h1_parser.h"
#include "scheduling/registry.h"
#include "sim/engine/engine.h"

namespace gw::bench {
namespace {

constexpr char kPool[] = "default/pool";

// What one gateway knows of one replica, and when it looks again.
struct Watched {
  Watched(const ScrapeOptions& options, std::shared_ptr<EndpointState> its_state)
      : pacer(options), state(std::move(its_state)) {}

  ScrapePacer pacer;
  PageMemory memory;
  std::shared_ptr<EndpointState> state;
  TimePoint began{};
  TimePoint next_look{};
  int32_t in_flight_at_start = 0;
  int64_t tokens_at_start = 0;
  bool reading = false;
};

struct Gateway {
  Gateway(const Clock& clock, uint64_t seed) : environment(clock, seed, index, metrics) {}

  EndpointTable table;
  PrefixIndex index{PrefixIndex::Options{}};
  MetricRegistry metrics;
  ExchangeEnvironment environment;
  ScrapeOptions scrape;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<Watched> watched;  // by replica
};

// A request under way. Its id is its place.
struct Live {
  std::unique_ptr<Exchange> exchange;
  std::string body;
  size_t gateway = 0;
  size_t conversation = 0;
  size_t turn = 0;
  TimePoint arrived{};
  uint32_t prompt_tokens = 0;
  bool scheduled = false;
};

struct Event {
  enum class Kind : uint8_t { kArrival, kStepEnd, kLook, kPage };
  TimePoint at;
  uint64_t order = 0;  // of events at one time: as they were made
  Kind kind = Kind::kArrival;
  size_t first = 0;   // conversation; replica
  size_t second = 0;  // turn; gateway

  bool operator<(const Event& other) const {  // the queue's first is the largest
    return at != other.at ? at > other.at : order > other.order;
  }
};

class Course {
 public:
  Course(const SideBySide& options, const std::vector<Conversation>& conversations)
      : options_(options), conversations_(conversations), start_(clock_.Now()) {
    text_ = "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    response_.status = 200;
    response_.headers.Add("content-type", "text/event-stream");
    for (int i = 0; i < options.replicas; ++i) {
      replicas_.push_back(std::make_unique<sim::Engine>(options.replica));
    }
    Random random(options.seed);
    for (int i = 0; i < options.gateways; ++i) AddGateway(random);
  }

  Measured Run();

 private:
  void AddGateway(Random& random);
  void Push(Event::Kind kind, TimePoint at, size_t first, size_t second) {
    events_.push({at, ++made_, kind, first, second});
  }
  void Handle(const Event& event);
  void Arrive(size_t conversation, size_t turn);
  void Dispatch(size_t id, std::vector<Part> parts);
  void StartStep(size_t replica);
  void EndStep(size_t replica);
  void OnScheduled(Live& live, uint32_t cached_tokens);
  void OnFirstToken(Live& live);
  void OnFinished(size_t id);
  void Look(size_t replica, size_t gateway);
  void ReadPage(size_t replica, size_t gateway);
  void LookBy(size_t replica, size_t gateway, TimePoint at);
  Duration IntervalOf(const Watched& watched) const {
    return watched.pacer.Interval(watched.state->in_flight_requests > 0, Pool().metrics_age_max);
  }
  bool IsCounted(TimePoint at) const { return at - start_ >= options_.warm_up; }

  const SideBySide& options_;
  const std::vector<Conversation>& conversations_;
  ManualClock clock_;
  const TimePoint start_;
  std::string text_;
  http::RequestParser parser_;
  http::ResponseHead response_;
  std::vector<std::unique_ptr<sim::Engine>> replicas_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::priority_queue<Event> events_;
  uint64_t made_ = 0;
  size_t dealt_ = 0;
  size_t unended_ = 0;  // requests of conversations that are to come or under way
  std::vector<Live> lives_;
  std::vector<size_t> free_;  // places in lives_
  std::vector<sim::EngineEvent> happened_;
  Measured measured_;
};

// Its first looks are spread over an interval, as the scraper's are.
void Course::AddGateway(Random& random) {
  gateways_.push_back(std::make_unique<Gateway>(clock_, random.Next()));
  Gateway& gateway = *gateways_.back();
  gateway.scrape.gateways = options_.gateways;
  auto entry = std::make_shared<PoolEntry>();
  entry->pool.id = kPool;
  for (size_t i = 0; i < replicas_.size(); ++i) {
    Endpoint endpoint;
    endpoint.name = std::to_string(i);
    endpoint.address = "replica-" + endpoint.name;
    endpoint.state = gateway.table.Get(endpoint.address);
    gateway.watched.emplace_back(gateway.scrape, endpoint.state);
    const auto phase =
        std::chrono::duration_cast<Duration>(gateway.scrape.interval * random.Unit());
    gateway.watched.back().next_look = TimePoint::max();
    LookBy(i, gateways_.size() - 1, clock_.Now() + phase);
    entry->pool.endpoints.push_back(std::move(endpoint));
  }
  entry->profile = ProfileFor(options_.strategy);
  entry->load_profile = LoadProfile();
  entry->uses_prefix = options_.strategy == RoutingStrategy::kPrefixCache;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = 1;
  snapshot->pools.push_back(std::move(entry));
  gateway.snapshot = std::move(snapshot);
}

Measured Course::Run() {
  for (size_t i = 0; i < conversations_.size(); ++i) {
    unended_ += conversations_[i].turns.size();
    Push(Event::Kind::kArrival, start_ + conversations_[i].begins, i, 0);
  }
  while (unended_ > 0) {
    const Event event = events_.top();
    events_.pop();
    clock_.Set(event.at);
    Handle(event);
  }
  measured_.lasted = clock_.Now() - start_ - options_.warm_up;
  return std::move(measured_);
}

void Course::Handle(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kArrival:
      return Arrive(event.first, event.second);
    case Event::Kind::kStepEnd:
      return EndStep(event.first);
    case Event::Kind::kLook:
      return Look(event.first, event.second);
    case Event::Kind::kPage:
      return ReadPage(event.first, event.second);
  }
}

void Course::Arrive(size_t conversation, size_t turn) {
  if (free_.empty()) {
    free_.push_back(lives_.size());
    lives_.emplace_back();
  }
  const size_t id = free_.back();
  free_.pop_back();
  Live& live = lives_[id];
  live.gateway = dealt_++ % gateways_.size();
  live.conversation = conversation;
  live.turn = turn;
  live.arrived = clock_.Now();
  live.scheduled = false;
  std::vector<Part> parts = PromptOf(conversations_[conversation], conversation, turn);
  live.prompt_tokens = 0;
  for (const Part& part : parts) live.prompt_tokens += part.tokens;
  live.body = R"({"model":"m","stream":true,"prompt":")" + TextOf(parts) + R"("})";
  live.body.reserve(live.body.size() + Exchange::kBodyPadding);
  Dispatch(id, std::move(parts));
}

void Course::Dispatch(size_t id, std::vector<Part> parts) {
  Live& live = lives_[id];
  Gateway& gateway = *gateways_[live.gateway];
  const TimePoint now = clock_.Now();
  live.exchange = std::make_unique<Exchange>(gateway.environment);
  live.exchange->BeginAtPool(gateway.snapshot, kPool, "127.0.0.1", now);
  CHECK(live.exchange->OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
  CHECK(live.exchange->OnRequestBody(live.body, now).kind == Step::Kind::kForward);
  const auto replica = static_cast<size_t>(&live.exchange->endpoint() -
                                           &gateway.snapshot->pools[0]->pool.endpoints.front());
  // Its first request ends the idle time of an endpoint at once.
  const Watched& watched = gateway.watched[replica];
  if (!watched.reading) LookBy(replica, live.gateway, watched.began + IntervalOf(watched));
  const uint32_t answer = conversations_[live.conversation].turns[live.turn].answer_tokens;
  parts.push_back({AnswerId(live.conversation, live.turn), answer});
  CHECK(replicas_[replica]->Submit(
      {.id = id,
       .prompt_tokens = live.prompt_tokens,
       .output_tokens = answer,
       .block_names = BlockNamesOf(parts, options_.replica.block_tokens)}));
  StartStep(replica);
}

void Course::StartStep(size_t replica) {
  sim::Engine& engine = *replicas_[replica];
  if (engine.in_step() || !engine.busy()) return;
  Push(Event::Kind::kStepEnd, clock_.Now() + engine.BeginStep(), replica, 0);
}

void Course::EndStep(size_t replica) {
  happened_.clear();
  replicas_[replica]->EndStep(&happened_);
  for (const sim::EngineEvent& event : happened_) {
    Live& live = lives_[event.id];
    if (event.kind == sim::EngineEvent::Kind::kScheduled) OnScheduled(live, event.tokens);
    if (event.kind == sim::EngineEvent::Kind::kToken && event.tokens == 1) OnFirstToken(live);
    if (event.kind == sim::EngineEvent::Kind::kFinished) OnFinished(event.id);
  }
  StartStep(replica);
}

// After a preemption it is scheduled again, and finds what it has computed itself.
void Course::OnScheduled(Live& live, uint32_t cached_tokens) {
  if (live.scheduled || !IsCounted(live.arrived)) return;
  live.scheduled = true;
  measured_.prompt_tokens += live.prompt_tokens;
  measured_.cached_tokens += cached_tokens;
}

void Course::OnFirstToken(Live& live) {
  const TimePoint now = clock_.Now();
  if (IsCounted(live.arrived)) measured_.ttfts.push_back(now - live.arrived);
  live.exchange->OnResponseHead(response_, now);
  live.exchange->OnResponseBody("data: {\"choices\":[{\"text\":\"a\"}]}\n\n", now);
}

void Course::OnFinished(size_t id) {
  Live& live = lives_[id];
  const TimePoint now = clock_.Now();
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" + std::to_string(live.prompt_tokens) +
      "}}\n\ndata: [DONE]\n\n";
  live.exchange->OnResponseBody(usage, now);
  live.exchange->OnResponseEnd(now);
  live.exchange->End(live.exchange->OutcomeOfEnd(), 200, now);
  live.exchange.reset();
  --unended_;
  const std::vector<Turn>& turns = conversations_[live.conversation].turns;
  const size_t next = live.turn + 1;
  if (next < turns.size()) {
    Push(Event::Kind::kArrival, now + turns[next].pause, live.conversation, next);
  }
  free_.push_back(id);
}

// No later than that. Of several looks that are to come the earliest is taken.
void Course::LookBy(size_t replica, size_t gateway, TimePoint at) {
  Watched& watched = gateways_[gateway]->watched[replica];
  at = std::max(at, clock_.Now());
  if (at >= watched.next_look) return;
  watched.next_look = at;
  Push(Event::Kind::kLook, at, replica, gateway);
}

void Course::Look(size_t replica, size_t gateway) {
  Watched& watched = gateways_[gateway]->watched[replica];
  const TimePoint now = clock_.Now();
  if (watched.next_look != now || watched.reading) return;
  watched.next_look = TimePoint::max();
  watched.reading = true;
  watched.began = now;
  watched.in_flight_at_start = watched.state->in_flight_requests;
  watched.tokens_at_start = watched.state->own_tokens();
  Push(Event::Kind::kPage, now + options_.page_time, replica, gateway);
}

void Course::ReadPage(size_t replica, size_t gateway) {
  Watched& watched = gateways_[gateway]->watched[replica];
  const sim::Engine& engine = *replicas_[replica];
  MetricsSample sample;
  sample.waiting_found = sample.running_found = sample.kv_cache_found = true;
  sample.cache_config_found = true;
  sample.waiting_requests = static_cast<float>(engine.waiting());
  sample.running_requests = static_cast<float>(engine.running());
  sample.kv_cache_utilization_ratio = static_cast<float>(engine.kv_utilization_ratio());
  sample.cache_block_tokens = options_.replica.block_tokens;
  sample.cache_blocks = options_.replica.kv_blocks;
  ++measured_.pages;
  watched.reading = false;
  watched.pacer.OnAnswer(options_.page_time, engine.waiting() + engine.running() == 0);
  watched.state->paced_age_ns = watched.pacer.PacedAge(Pool().metrics_age_max, Duration(0)).count();
  ApplyPage(sample, {watched.in_flight_at_start, watched.tokens_at_start, true, clock_.Now()},
            &watched.memory, watched.state.get());
  LookBy(replica, gateway, watched.began + IntervalOf(watched));
}

}  // namespace

Measured RunSideBySide(const SideBySide& options, const std::vector<Conversation>& conversations) {
  CHECK(options.gateways >= 1 && options.replicas >= 1);
  return Course(options, conversations).Run();
}

}  // namespace gw::bench
