#include "bench/load/fleet_series.h"

#include <simdjson.h>

#include <limits>
#include <optional>

#include "base/status.h"

namespace gw::bench {

namespace {

namespace dom = simdjson::dom;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

absl::Status Wrong(std::string_view page) {
  return absl::InvalidArgumentError(std::string(page) + " is not what a gateway answers");
}

double NumberIn(dom::element from, std::string_view name) {
  double out = kNone;
  return from[name].get(out) == simdjson::SUCCESS ? out : kNone;
}

std::string TextIn(dom::element from, std::string_view name) {
  std::string_view out;
  return from[name].get(out) == simdjson::SUCCESS ? std::string(out) : "";
}

// NaN for all samples that came before it.
std::vector<double> From(size_t samples) { return std::vector<double>(samples, kNone); }

void DropEverySecond(std::vector<double>* values) {
  size_t kept = 0;
  for (size_t i = 0; i < values->size(); i += 2) (*values)[kept++] = (*values)[i];
  values->resize(kept);
}

template <typename Each>
void ForEachColumn(FleetSeries* series, const Each& each) {
  for (EndpointSeries& one : series->endpoints) {
    for (std::vector<double>* values :
         {&one.in_flight, &one.waiting, &one.running, &one.kv_cache_ratio}) {
      if (!values->empty()) each(values);
    }
  }
  for (QueueSeries& one : series->queues) each(&one.waiting);
}

}  // namespace

uint64_t FleetSeries::requests() const {
  uint64_t sum = 0;
  for (const EndpointSeries& one : endpoints) sum += one.requests;
  return sum;
}

absl::Status FleetRecorder::Add(Duration at, std::string_view endpoints_json,
                                std::string_view queues_json) {
  dom::parser parser;
  dom::array list;
  if (parser.parse(simdjson::padded_string(endpoints_json)).get(list) != simdjson::SUCCESS) {
    return Wrong("/endpoints");
  }
  std::vector<EndpointLoad> endpoints;
  for (const dom::element one : list) {
    EndpointLoad read{.pool = TextIn(one, "pool"),
                      .pod = TextIn(one, "pod"),
                      .endpoint = TextIn(one, "endpoint"),
                      .in_flight = NumberIn(one, "in_flight"),
                      .waiting = NumberIn(one, "waiting"),
                      .running = NumberIn(one, "running"),
                      .kv_cache_ratio = NumberIn(one, "kv_cache_utilization_ratio")};
    if (read.endpoint.empty() || one["requests"].get(read.requests) != simdjson::SUCCESS) {
      return Wrong("/endpoints");
    }
    endpoints.push_back(std::move(read));
  }
  dom::element root;
  dom::array pools;
  if (parser.parse(simdjson::padded_string(queues_json)).get(root) != simdjson::SUCCESS ||
      root["items"].get(pools) != simdjson::SUCCESS) {
    return Wrong("/get?kind=queues");
  }
  std::vector<QueueLoad> queues;
  for (const dom::element pool : pools) {
    dom::array priorities;
    if (pool["priorities"].get(priorities) != simdjson::SUCCESS) continue;
    for (const dom::element priority : priorities) {
      QueueLoad read{.pool = TextIn(pool, "pool"), .waiting = NumberIn(priority, "waiting")};
      if (priority["priority"].get(read.priority) == simdjson::SUCCESS) queues.push_back(read);
    }
  }
  Add(at, endpoints, queues);
  return absl::OkStatus();
}

void FleetRecorder::Add(Duration at, const std::vector<EndpointLoad>& endpoints,
                        const std::vector<QueueLoad>& queues) {
  for (const EndpointLoad& endpoint : endpoints) Count(endpoint, run_begins_);
  run_begins_ = false;
  if (looks_++ % stride_ == 0) Keep(at, endpoints, queues);
}

void FleetRecorder::AddFailure(std::string error) {
  ++series_.failed_reads;
  series_.error = std::move(error);
}

// What one had at the first look of a run came before it; one that is new since has its requests of
// it.
void FleetRecorder::Count(const EndpointLoad& endpoint, bool is_first) {
  const Key key{endpoint.pool, endpoint.endpoint};
  auto found = known_.find(key);
  if (found == known_.end()) {
    if (known_.size() >= FleetSeries::kEndpointsMax) {
      series_.left_out = true;
      return;
    }
    found = known_.emplace(key, Known{series_.endpoints.size(), 0}).first;
    series_.endpoints.push_back(
        {.pool = endpoint.pool, .pod = endpoint.pod, .endpoint = endpoint.endpoint});
  }
  Known& known = found->second;
  if (is_first) known.requests = endpoint.requests;
  // Less than before: it went and came back, and counts anew.
  const uint64_t more =
      endpoint.requests >= known.requests ? endpoint.requests - known.requests : endpoint.requests;
  series_.endpoints[known.place].requests += more;
  known.requests = endpoint.requests;
}

void FleetRecorder::Keep(Duration at, const std::vector<EndpointLoad>& endpoints,
                         const std::vector<QueueLoad>& queues) {
  const size_t before = series_.times_s.size();
  series_.times_s.push_back(ToSeconds(at));
  ForEachColumn(&series_, [](std::vector<double>* values) { values->push_back(kNone); });
  for (const EndpointLoad& endpoint : endpoints) {
    const auto found = known_.find({endpoint.pool, endpoint.endpoint});
    if (found == known_.end() || found->second.place >= FleetSeries::kSeriesMax) continue;
    EndpointSeries& one = series_.endpoints[found->second.place];
    const auto keep = [&](std::vector<double>* values, double value) {
      if (values->empty()) *values = From(before + 1);
      values->back() = value;
    };
    keep(&one.in_flight, endpoint.in_flight);
    keep(&one.waiting, endpoint.waiting);
    keep(&one.running, endpoint.running);
    keep(&one.kv_cache_ratio, endpoint.kv_cache_ratio);
  }
  // A priority is told only while it has something: nothing waits in one that is not.
  for (QueueSeries& one : series_.queues) one.waiting.back() = 0;
  for (const QueueLoad& queue : queues) {
    auto found = queues_.find({queue.pool, queue.priority});
    if (found == queues_.end()) {
      if (queues_.size() >= FleetSeries::kQueuesMax) {
        series_.left_out = true;
        continue;
      }
      found = queues_.emplace(std::pair(queue.pool, queue.priority), series_.queues.size()).first;
      series_.queues.push_back({queue.pool, queue.priority, std::vector<double>(before + 1, 0)});
    }
    series_.queues[found->second].waiting.back() = queue.waiting;
  }
  if (series_.times_s.size() >= FleetSeries::kSamplesMax) Thin();
}

void FleetRecorder::Thin() {
  DropEverySecond(&series_.times_s);
  ForEachColumn(&series_, DropEverySecond);
  stride_ *= 2;
}

}  // namespace gw::bench
