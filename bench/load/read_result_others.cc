// The results of other load generators, in their own words.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/load/read_result.h"

namespace gw::bench::internal {
namespace {

namespace dom = simdjson::dom;

// vLLM: mean_ttft_ms, median_ttft_ms, p99_ttft_ms and whichever percentiles were asked for.
Distribution VllmDistribution(Element from, std::string_view name, uint64_t count) {
  const auto read = [&](std::string_view which) {
    return NumberOf(from, absl::StrCat(std::string(which), "_", std::string(name), "_ms")) / 1e3;
  };
  Distribution out{.mean = read("mean"),
                   .p50 = read("median"),
                   .p90 = read("p90"),
                   .p95 = read("p95"),
                   .p99 = read("p99"),
                   .max = read("p100")};
  if (!std::isnan(out.mean)) out.count = count;
  return out;
}

std::optional<dom::array> ListOf(Element from, std::string_view name) {
  dom::array out;
  if (from[name].get(out) != simdjson::SUCCESS) return std::nullopt;
  return out;
}

std::vector<double> NumbersOf(Element from, std::string_view name) {
  std::vector<double> out;
  const std::optional<dom::array> list = ListOf(from, name);
  if (!list) return out;
  for (const Element item : *list) {
    double number = Distribution::kNone;
    if (item.get(number) != simdjson::SUCCESS) number = Distribution::kNone;
    out.push_back(number);
  }
  return out;
}

Duration FromSeconds(double seconds) { return FromMillis(seconds * 1e3); }

// Columns of vLLM's --save-detailed, a row for each request; none unless all of them are there.
struct VllmColumns {
  std::vector<double> starts_s, ttfts_s, latencies_s, prompt_tokens, output_tokens;
  std::vector<std::string> errors;

  explicit VllmColumns(Element root)
      : starts_s(NumbersOf(root, "start_times")),
        ttfts_s(NumbersOf(root, "ttfts")),
        latencies_s(NumbersOf(root, "latencies")),
        prompt_tokens(NumbersOf(root, "input_lens")),
        output_tokens(NumbersOf(root, "output_lens")) {
    if (const std::optional<dom::array> list = ListOf(root, "errors")) {
      for (const Element item : *list) {
        std::string_view error;
        errors.emplace_back(item.get(error) == simdjson::SUCCESS ? error : "");
      }
    }
    if (latencies_s.empty()) AddLatencies(root);
  }
  // Versions before 2026 keep none: the TTFT and all gaps.
  void AddLatencies(Element root) {
    const std::optional<dom::array> gaps = ListOf(root, "itls");
    if (!gaps) return;
    for (const Element list : *gaps) {
      const size_t row = latencies_s.size();
      double latency_s = row < ttfts_s.size() ? ttfts_s[row] : 0;
      dom::array inner;
      if (list.get(inner) != simdjson::SUCCESS) inner = {};
      for (const Element gap : inner) {
        double gap_s = 0;
        if (gap.get(gap_s) == simdjson::SUCCESS) latency_s += gap_s;
      }
      latencies_s.push_back(latency_s);
    }
  }
  bool complete() const {
    const size_t rows = starts_s.size();
    return rows > 0 && ttfts_s.size() == rows && latencies_s.size() == rows &&
           prompt_tokens.size() == rows && output_tokens.size() == rows && errors.size() == rows;
  }
};

int64_t CountOrNone(double number) { return std::abs(number) < 1e15 ? std::llround(number) : -1; }

// What the run's first request was sent at is the start of the run, as its clock has no date; but
// for a microsecond, as a request that was sent at zero was never sent.
void AddVllmRequests(const VllmColumns& columns, Result* result) {
  const double start_s = *std::ranges::min_element(columns.starts_s) - 1e-6;
  for (size_t i = 0; i < columns.starts_s.size(); ++i) {
    Record record;
    record.due = record.sent = FromSeconds(columns.starts_s[i] - start_s);
    record.prompt_tokens = CountOrNone(columns.prompt_tokens[i]);
    record.output_tokens = CountOrNone(columns.output_tokens[i]);
    record.ended = record.sent + FromSeconds(columns.latencies_s[i]);
    if (columns.ttfts_s[i] > 0) record.first = record.sent + FromSeconds(columns.ttfts_s[i]);
    if (record.has_output()) record.last = record.ended;
    record.end = columns.errors[i].empty() ? AnswerEnd::kComplete : AnswerEnd::kBroken;
    if (!columns.errors[i].empty()) {
      // The last line of a Python traceback is what happened.
      std::string_view error = columns.errors[i];
      while (error.ends_with('\n')) error.remove_suffix(1);
      ++result->summary.errors[std::string(error.substr(error.rfind('\n') + 1))];
    }
    result->requests.push_back(record);
  }
}

// Of requests alone: how latencies were distributed.
Figures FiguresOf(const Result& result) {
  RunRecords run;
  run.records = result.requests;
  return Summarize(run, {}).all;
}

// guidellm: {"successful": {"mean": .., "median": .., "percentiles": {"p90": ..}}, ..}.
Distribution GuidellmDistribution(Element metrics, std::string_view name, double unit_s) {
  const std::optional<Element> all = MemberOf(metrics, name);
  const std::optional<Element> from = all ? MemberOf(*all, "successful") : std::nullopt;
  const std::optional<Element> percentiles = from ? MemberOf(*from, "percentiles") : std::nullopt;
  if (!percentiles || UnsignedOf(*from, "count") == 0) return {};
  return {.mean = NumberOf(*from, "mean") * unit_s,
          .p50 = NumberOf(*from, "median") * unit_s,
          .p90 = NumberOf(*percentiles, "p90") * unit_s,
          .p95 = NumberOf(*percentiles, "p95") * unit_s,
          .p99 = NumberOf(*percentiles, "p99") * unit_s,
          .max = NumberOf(*from, "max") * unit_s,
          .count = UnsignedOf(*from, "count")};
}

void AddGuidellmRequests(Element requests, std::string_view status, AnswerEnd end, double start_s,
                         Result* result) {
  const std::optional<dom::array> list = ListOf(requests, status);
  if (!list) return;
  for (const Element request : *list) {
    Record record;
    record.due = record.sent = FromSeconds(NumberOf(request, "request_start_time") - start_s);
    record.ended = FromSeconds(NumberOf(request, "request_end_time") - start_s);
    const double ttft_ms = NumberOf(request, "time_to_first_token_ms");
    if (ttft_ms > 0) record.first = record.sent + FromMillis(ttft_ms);
    if (record.has_output()) record.last = record.ended;
    record.prompt_tokens = CountOf(request, "prompt_tokens", -1);
    record.output_tokens = CountOf(request, "output_tokens", -1);
    record.end = end;
    result->requests.push_back(record);
  }
}

}  // namespace

absl::StatusOr<Result> ReadVllm(Element root) {
  Result result;
  result.tool = "vllm bench serve";
  result.target = TextOf(root, "model_id");
  result.summary.seconds = NumberOf(root, "duration");
  const auto per_second = [&](double count) { return count / result.summary.seconds; };
  Figures& all = result.summary.all;
  all.completed = UnsignedOf(root, "completed");
  // Versions that do not say how many failed say how many there were.
  all.requests = MemberOf(root, "failed")
                     ? all.completed + UnsignedOf(root, "failed")
                     : std::max(all.completed, UnsignedOf(root, "num_prompts"));
  all.prompt_tokens = CountOf(root, "total_input_tokens");
  all.output_tokens = CountOf(root, "total_output_tokens");
  all.requests_per_second = NumberOf(root, "request_throughput");
  all.output_tokens_per_second = NumberOf(root, "output_throughput");
  all.prompt_tokens_per_second = per_second(static_cast<double>(all.prompt_tokens));
  const double goodput = NumberOf(root, "request_goodput");
  if (!std::isnan(goodput)) {
    all.goodput_per_second = goodput;
    if (all.requests > 0) all.good_share = goodput / per_second(static_cast<double>(all.requests));
  }
  all.ttft = VllmDistribution(root, "ttft", all.completed);
  all.tpot = VllmDistribution(root, "tpot", all.completed);
  all.e2e = VllmDistribution(root, "e2el", all.completed);
  // About as many: how many there were it does not say.
  result.summary.gaps = VllmDistribution(root, "itl", UnsignedOf(root, "total_output_tokens"));
  if (const VllmColumns columns(root); columns.complete()) AddVllmRequests(columns, &result);
  FillFrom(FiguresOf(result), &all);
  return result;
}

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
  result.summary.seconds = NumberOf(benchmark, "duration");
  Figures& all = result.summary.all;
  if (const std::optional<Element> totals = MemberOf(*metrics, "request_totals")) {
    all.requests = UnsignedOf(*totals, "total");
    all.completed = std::min(UnsignedOf(*totals, "successful"), all.requests);
  }
  const auto sum_of = [&](std::string_view name) {
    const std::optional<Element> counts = MemberOf(*metrics, name);
    const std::optional<Element> ok = counts ? MemberOf(*counts, "successful") : std::nullopt;
    return ok ? CountOf(*ok, "total_sum") : 0;
  };
  all.prompt_tokens = sum_of("prompt_token_count");
  all.output_tokens = sum_of("output_token_count");
  // guidellm gives means of rates over time; these are of the whole run, as ours are.
  const auto per_second = [&](auto count) {
    return static_cast<double>(count) / result.summary.seconds;
  };
  all.requests_per_second = per_second(all.completed);
  all.prompt_tokens_per_second = per_second(all.prompt_tokens);
  all.output_tokens_per_second = per_second(all.output_tokens);
  all.ttft = GuidellmDistribution(*metrics, "time_to_first_token_ms", 1e-3);
  // Its time_per_output_token_ms counts the first token in. This one is without, as our TPOT, but
  // weighs each request by its tokens.
  all.tpot = GuidellmDistribution(*metrics, "inter_token_latency_ms", 1e-3);
  all.e2e = GuidellmDistribution(*metrics, "request_latency", 1);
  if (const std::optional<Element> requests = MemberOf(benchmark, "requests")) {
    const double start_s = NumberOf(benchmark, "start_time");
    AddGuidellmRequests(*requests, "successful", AnswerEnd::kComplete, start_s, &result);
    AddGuidellmRequests(*requests, "incomplete", AnswerEnd::kUnfinished, start_s, &result);
    AddGuidellmRequests(*requests, "errored", AnswerEnd::kBroken, start_s, &result);
  }
  return result;
}

}  // namespace gw::bench::internal
