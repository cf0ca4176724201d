#include "bench/load/read_result.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/load/report_json.h"

namespace gw::bench {
namespace internal {
namespace {

namespace dom = simdjson::dom;

Distribution ReadDistribution(Element from, std::string_view name) {
  const std::optional<Element> values = MemberOf(from, name);
  if (!values) return {};
  return {.mean = NumberOf(*values, "mean_ms") / 1e3,
          .p50 = NumberOf(*values, "p50_ms") / 1e3,
          .p90 = NumberOf(*values, "p90_ms") / 1e3,
          .p95 = NumberOf(*values, "p95_ms") / 1e3,
          .p99 = NumberOf(*values, "p99_ms") / 1e3,
          .max = NumberOf(*values, "max_ms") / 1e3,
          .count = UnsignedOf(*values, "count")};
}

std::map<std::string, uint64_t> ReadCounts(Element from, std::string_view name) {
  std::map<std::string, uint64_t> out;
  dom::object counts;
  if (from[name].get(counts) != simdjson::SUCCESS) return out;
  for (const auto& [key, value] : counts) {
    uint64_t count = 0;
    if (value.get(count) == simdjson::SUCCESS) out[std::string(key)] = count;
  }
  return out;
}

std::optional<double> ReadOptional(Element from, std::string_view name) {
  const double number = NumberOf(from, name);
  return std::isnan(number) ? std::nullopt : std::optional(number);
}

Figures ReadFigures(Element from) {
  Figures figures;
  figures.requests = UnsignedOf(from, "requests");
  figures.completed = std::min(UnsignedOf(from, "completed"), figures.requests);
  figures.ended = ReadCounts(from, "ended");
  figures.requests_per_second = NumberOf(from, "requests_per_s");
  figures.prompt_tokens_per_second = NumberOf(from, "prompt_tokens_per_s");
  figures.output_tokens_per_second = NumberOf(from, "output_tokens_per_s");
  figures.prompt_tokens = CountOf(from, "prompt_tokens");
  figures.output_tokens = CountOf(from, "output_tokens");
  figures.cached_share = ReadOptional(from, "cached_share");
  figures.good_share = ReadOptional(from, "good_share");
  figures.goodput_per_second = ReadOptional(from, "goodput_per_s");
  figures.ttft = ReadDistribution(from, "ttft");
  figures.tpot = ReadDistribution(from, "tpot");
  figures.e2e = ReadDistribution(from, "e2e");
  return figures;
}

RecordGroup ReadGroup(Element from) { return {TextOf(from, "tenant"), TextOf(from, "priority")}; }

AnswerEnd ReadEnd(Element from) {
  const std::string name = TextOf(from, "end");
  for (const AnswerEnd end : {AnswerEnd::kComplete, AnswerEnd::kStatus, AnswerEnd::kErrorEvent,
                              AnswerEnd::kBroken, AnswerEnd::kConnect, AnswerEnd::kTimeout}) {
    if (NameOf(end) == name) return end;
  }
  return AnswerEnd::kUnfinished;
}

Record ReadRequest(Element from) {
  constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
  const auto time = [&](std::string_view name) { return FromMillis(NumberOf(from, name)); };
  return {.due = time("due_ms"),
          .sent = time("sent_ms"),
          .first = time("first_ms"),
          .last = time("last_ms"),
          .ended = time("ended_ms"),
          .gap_max = time("gap_max_ms"),
          .held = time("held_ms"),
          .events = static_cast<uint32_t>(UnsignedOf(from, "events", kMost)),
          .prompt_tokens = CountOf(from, "prompt_tokens", -1),
          .output_tokens = CountOf(from, "output_tokens", -1),
          .cached_tokens = CountOf(from, "cached_tokens", -1),
          .end = ReadEnd(from),
          .status = static_cast<int>(UnsignedOf(from, "status", 999)),
          .session = static_cast<uint32_t>(UnsignedOf(from, "session", kMost)),
          .turn = static_cast<uint32_t>(UnsignedOf(from, "turn", kMost))};
}

absl::Status ReadRequests(dom::array requests, Result* result) {
  for (const Element request : requests) {
    if (!request.is_object()) return absl::InvalidArgumentError("requests: must be objects");
    Record record = ReadRequest(request);
    const RecordGroup group = ReadGroup(request);
    auto found = std::ranges::find(result->groups, group);
    if (found == result->groups.end()) {
      // A run has kGroupsMax of them and one for all others.
      if (result->groups.size() > RunRecords::kGroupsMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("requests: at most ", RunRecords::kGroupsMax, " groups are read"));
      }
      found = result->groups.insert(found, group);
    }
    record.group = static_cast<uint16_t>(found - result->groups.begin());
    result->requests.push_back(record);
  }
  return absl::OkStatus();
}

Objectives ReadObjectives(Element root) {
  const std::optional<Element> from = MemberOf(root, "objectives");
  if (!from) return {};
  const auto read = [&](std::string_view name) -> std::optional<Duration> {
    if (std::isnan(NumberOf(*from, name))) return std::nullopt;
    return FromMillis(NumberOf(*from, name));
  };
  return {.ttft = read("ttft_ms"), .tpot = read("tpot_ms"), .e2e = read("e2e_ms")};
}

void Fill(const Distribution& computed, Distribution* values) {
  const auto fill = [](double with, double* value) {
    if (std::isnan(*value)) *value = with;
  };
  fill(computed.mean, &values->mean);
  fill(computed.p50, &values->p50);
  fill(computed.p90, &values->p90);
  fill(computed.p95, &values->p95);
  fill(computed.p99, &values->p99);
  fill(computed.max, &values->max);
  if (values->count == 0) values->count = computed.count;
}

}  // namespace

void FillFrom(const Figures& computed, Figures* figures) {
  Fill(computed.ttft, &figures->ttft);
  Fill(computed.tpot, &figures->tpot);
  Fill(computed.e2e, &figures->e2e);
}

absl::StatusOr<Result> ReadOurs(Element root) {
  const int64_t version = CountOf(root, "version", -1);
  if (version != kResultVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("version: must be ", kResultVersion, ", the one that this program reads"));
  }
  const std::optional<Element> summary = MemberOf(root, "summary");
  if (!summary || !summary->is_object()) {
    return absl::InvalidArgumentError("summary: must be an object");
  }
  Result result;
  result.tool = TextOf(root, "tool");
  result.started = TextOf(root, "started");
  result.command = TextOf(root, "command");
  result.target = TextOf(root, "target");
  result.workload = TextOf(root, "workload");
  result.objectives = ReadObjectives(root);
  result.summary.all = ReadFigures(*summary);
  result.summary.gaps = ReadDistribution(*summary, "gap");
  result.summary.lateness = ReadDistribution(*summary, "lateness");
  result.summary.held = ReadDistribution(*summary, "held");
  result.summary.errors = ReadCounts(root, "errors");
  result.summary.seconds = NumberOf(root, "seconds");
  result.summary.warm_up = UnsignedOf(root, "warm_up_requests");
  dom::array groups;
  if (root["groups"].get(groups) == simdjson::SUCCESS) {
    for (const Element group : groups) {
      result.summary.groups.emplace_back(ReadGroup(group), ReadFigures(group));
    }
  }
  dom::array requests;
  if (root["requests"].get(requests) == simdjson::SUCCESS) {
    if (absl::Status read = ReadRequests(requests, &result); !read.ok()) return read;
  }
  return result;
}

}  // namespace internal

absl::StatusOr<Result> ReadResult(std::string_view json) {
  simdjson::dom::parser parser;
  internal::Element root;
  if (const simdjson::error_code fault = parser.parse(json.data(), json.size(), true).get(root);
      fault != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        absl::StrCat("is no JSON document: ", simdjson::error_message(fault)));
  }
  if (root.is_object()) {
    if (internal::TextOf(root, "tool") == Result().tool) return internal::ReadOurs(root);
    if (internal::MemberOf(root, "benchmarks")) return internal::ReadGuidellm(root);
    if (internal::MemberOf(root, "request_throughput")) return internal::ReadVllm(root);
  }
  return absl::InvalidArgumentError(
      "must be a result of penstock bench, of vllm bench serve or of guidellm");
}

}  // namespace gw::bench
