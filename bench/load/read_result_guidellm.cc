// The results of guidellm, in its own words: its JSON report (benchmarks.json), in both forms that
// there are. Until 0.3 a benchmark has "request_totals" and "worker" beside its "metrics", and a
// request "start_time" and "first_token_time"; since 0.4 the totals are metrics, what was set is
// "config", and times of requests are below "info". Since 0.7 what the report was made with is its
// "config" and no longer "args".

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "bench/load/read_result.h"

namespace gw::bench::internal {
namespace {

namespace dom = simdjson::dom;

// The member of a member of .., or nullopt where one of them is not there.
std::optional<Element> Below(Element from, std::initializer_list<std::string_view> path) {
  std::optional<Element> at = from;
  for (const std::string_view name : path) {
    if (at) at = MemberOf(*at, name);
  }
  return at;
}

// {"successful": {"mean": .., "median": .., "percentiles": {"p90": ..}}, ..}. Of answers that were
// no streams all of its times of tokens are zero.
Distribution DistributionOf(Element metrics, std::string_view name, double unit_s) {
  const std::optional<Element> from = Below(metrics, {name, "successful"});
  const std::optional<Element> percentiles = from ? MemberOf(*from, "percentiles") : std::nullopt;
  if (!percentiles || UnsignedOf(*from, "count") == 0 || NumberOf(*from, "max") == 0) return {};
  return {.mean = NumberOf(*from, "mean") * unit_s,
          .p50 = NumberOf(*from, "median") * unit_s,
          .p90 = NumberOf(*percentiles, "p90") * unit_s,
          .p95 = NumberOf(*percentiles, "p95") * unit_s,
          .p99 = NumberOf(*percentiles, "p99") * unit_s,
          .max = NumberOf(*from, "max") * unit_s,
          .count = UnsignedOf(*from, "count")};
}

// By the clock, in seconds; NaN: it did not come to that.
struct RequestTimes {
  double start_s, end_s, last_token_s;
};

RequestTimes TimesOf(Element request) {
  const std::optional<Element> timings = Below(request, {"info", "timings"});
  if (timings) {
    return {NumberOf(request, "request_start_time"), NumberOf(request, "request_end_time"),
            NumberOf(*timings, "last_token_iteration")};
  }
  if (MemberOf(request, "request_start_time")) {
    return {NumberOf(request, "request_start_time"), NumberOf(request, "request_end_time"),
            Distribution::kNone};
  }
  return {NumberOf(request, "start_time"), NumberOf(request, "end_time"),
          NumberOf(request, "last_token_time")};
}

std::string ErrorOf(Element request) {
  const std::optional<Element> info = MemberOf(request, "info");
  return TextOf(info ? *info : request, "error");
}

struct Window {
  double start_s, end_s;

  // Whether guidellm counts it: what ended in the warm-up, or began in the cool-down, it keeps all
  // the same.
  bool Has(const RequestTimes& times) const {
    return !(times.end_s < start_s) && !(times.start_s > end_s);
  }
};

void AddRequests(Element requests, std::string_view status, AnswerEnd end, const Window& window,
                 double zero_s, Result* result) {
  const std::optional<dom::array> list = ListOf(requests, status);
  if (!list) return;
  for (const Element request : *list) {
    const RequestTimes times = TimesOf(request);
    if (!window.Has(times)) {
      ++result->summary.warm_up;
      continue;
    }
    if (end == AnswerEnd::kBroken) {
      const std::string error = ErrorOf(request);
      ++result->summary.errors[error.empty() ? std::string(NameOf(end)) : error];
    }
    // One that was cancelled before it was sent has no times.
    Record record;
    record.due = record.sent = FromSeconds(times.start_s - zero_s);
    record.ended = FromSeconds(times.end_s - zero_s);
    const double ttft_ms = NumberOf(request, "time_to_first_token_ms");
    if (ttft_ms > 0) record.first = record.sent + FromMillis(ttft_ms);
    if (record.has_output()) {
      record.last =
          std::isnan(times.last_token_s) ? record.ended : FromSeconds(times.last_token_s - zero_s);
    }
    record.prompt_tokens = CountOf(request, "prompt_tokens", -1);
    record.output_tokens = CountOf(request, "output_tokens", -1);
    record.cached_tokens = CountOf(request, "cached_tokens", -1);
    record.end = end;
    result->requests.push_back(record);
  }
}

// Of all requests that are kept: the first one's start, but for a microsecond, as a request that
// was sent at zero was never sent.
double ZeroOf(Element requests, double begin_s) {
  double zero_s = begin_s;
  for (const std::string_view status : {"successful", "incomplete", "errored"}) {
    const std::optional<dom::array> list = ListOf(requests, status);
    if (!list) continue;
    for (const Element request : *list) {
      const double start_s = TimesOf(request).start_s;
      if (start_s > 0) zero_s = std::fmin(zero_s, start_s);
    }
  }
  return zero_s - 1e-6;
}

std::string TargetOf(Element root, Element benchmark) {
  for (const std::optional<Element>& from :
       {Below(root, {"config", "spec", "backend"}), Below(benchmark, {"config", "backend"}),
        Below(root, {"args", "backend_kwargs"}), MemberOf(root, "args")}) {
    if (from && !TextOf(*from, "target").empty()) return TextOf(*from, "target");
  }
  const std::optional<Element> worker = MemberOf(benchmark, "worker");
  return worker ? TextOf(*worker, "backend_target") : "";
}

void ReadFigures(Element benchmark, Element metrics, Result* result) {
  Figures& all = result->summary.all;
  std::optional<Element> totals = MemberOf(metrics, "request_totals");
  if (!totals) totals = MemberOf(benchmark, "request_totals");
  if (totals) {
    all.requests = UnsignedOf(*totals, "total");
    all.completed = std::min(UnsignedOf(*totals, "successful"), all.requests);
    const uint64_t incomplete = UnsignedOf(*totals, "incomplete");
    const uint64_t errored = UnsignedOf(*totals, "errored");
    if (incomplete > 0) all.ended[std::string(NameOf(AnswerEnd::kUnfinished))] = incomplete;
    if (errored > 0) all.ended[std::string(NameOf(AnswerEnd::kBroken))] = errored;
  }
  const auto sum_of = [&](std::string_view name) {
    const std::optional<Element> ok = Below(metrics, {name, "successful"});
    return ok ? CountOf(*ok, "total_sum") : 0;
  };
  all.prompt_tokens = sum_of("prompt_token_count");
  all.output_tokens = sum_of("output_token_count");
  // guidellm gives means of rates over time; these are of the whole run, as ours are.
  const auto per_second = [&](auto count) {
    return static_cast<double>(count) / result->summary.seconds;
  };
  all.requests_per_second = per_second(all.completed);
  all.prompt_tokens_per_second = per_second(all.prompt_tokens);
  all.output_tokens_per_second = per_second(all.output_tokens);
  all.ttft = DistributionOf(metrics, "time_to_first_token_ms", 1e-3);
  // Its time_per_output_token_ms counts the first token in. This one is without, as our TPOT, but
  // weighs each request by its tokens.
  all.tpot = DistributionOf(metrics, "inter_token_latency_ms", 1e-3);
  all.e2e = DistributionOf(metrics, "request_latency", 1);
}

}  // namespace

absl::StatusOr<Result> ReadGuidellm(Element root) {
  const std::optional<dom::array> benchmarks = ListOf(root, "benchmarks");
  if (!benchmarks || benchmarks->size() != 1) {
    return absl::InvalidArgumentError("benchmarks: must be one, as a profile of one rate gives");
  }
  const Element benchmark = benchmarks->at(0).value_unsafe();
  const std::optional<Element> metrics = MemberOf(benchmark, "metrics");
  if (!metrics) return absl::InvalidArgumentError("benchmarks[0].metrics: must be an object");
  Result result;
  result.tool = "guidellm";
  result.target = TargetOf(root, benchmark);
  result.summary.seconds = NumberOf(benchmark, "duration");
  const Window window = {NumberOf(benchmark, "start_time"), NumberOf(benchmark, "end_time")};
  // As many seconds as gmtime knows.
  if (window.start_s > 0 && window.start_s < 4e9) {
    result.started =
        fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(window.start_s)));
  }
  ReadFigures(benchmark, *metrics, &result);
  if (const std::optional<Element> requests = MemberOf(benchmark, "requests")) {
    const double zero_s = ZeroOf(*requests, window.start_s);
    AddRequests(*requests, "successful", AnswerEnd::kComplete, window, zero_s, &result);
    AddRequests(*requests, "incomplete", AnswerEnd::kUnfinished, window, zero_s, &result);
    AddRequests(*requests, "errored", AnswerEnd::kBroken, window, zero_s, &result);
  }
  return result;
}

}  // namespace gw::bench::internal
