// The results of `vllm bench serve`, in its own words.

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

}  // namespace gw::bench::internal
