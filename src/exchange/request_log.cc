#include "exchange/request_log.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmath>
#include <string>

#include "absl/container/inlined_vector.h"
#include "routing/route_table.h"

namespace gw {
namespace {

// Of no other hash of the same text: a version that clients stay with by a header of theirs
// (routing/sticky.h) is not the one whose requests are logged.
constexpr uint64_t kSeed = 0x6c6f672073686172;

// What there is not is null in the log.
double OrNull(double value) { return value < 0 ? std::nan("") : value; }
double OrNull(int64_t value) { return OrNull(static_cast<double>(value)); }

// Of the prompt's tokens those that were found cached.
double CachedRatio(const RequestRecord& record) {
  if (record.cached_tokens < 0 || record.prompt_tokens <= 0) return std::nan("");
  return static_cast<double>(record.cached_tokens) / static_cast<double>(record.prompt_tokens);
}

std::string_view ReasonOf(const RequestRecord::Try& tried) { return tried.reason; }
std::string_view AddressOf(const RequestRecord::Try& tried) { return tried.endpoint; }

// One word of each try that has failed, in their order; the record holds kTriesMax of them.
std::string OfFailedTries(const RequestRecord& record,
                          std::string_view (*word_of)(const RequestRecord::Try&)) {
  std::string words;
  bool first = true;
  for (size_t i = 0; i < record.try_count; ++i) {
    const RequestRecord::Try& tried = record.all_tries[i];
    if (tried.reason.empty()) continue;
    if (!first) words += ',';
    words += word_of(tried);
    first = false;
  }
  return words;
}

// As hexadecimal words of 16 digits.
std::string TextOf(const std::vector<uint64_t>& names) {
  constexpr size_t kDigits = 16;
  std::string text;
  text.reserve(names.size() * (kDigits + 1));
  for (const uint64_t name : names) {
    if (!text.empty()) text += ',';
    for (size_t i = kDigits; i > 0; --i) text += "0123456789abcdef"[name >> (4 * (i - 1)) & 0xf];
  }
  return text;
}

using Fields = absl::InlinedVector<LogField, 64>;

void Add(std::initializer_list<LogField> more, Fields* fields) {
  fields->insert(fields->end(), more.begin(), more.end());
}

// `blocks`: the text of its names.
void AddPrompt(const PromptNames& prompt, std::string_view blocks, Fields* fields) {
  Add({{"prompt_blocks", blocks},
       {"prompt_block_tokens", prompt.stretch_tokens()},
       {"prompt_chars", prompt.prompt_chars}},
      fields);
  if (prompt.cut) Add({{"prompt_blocks_cut", true}}, fields);
}

void AddPhases(const RequestRecord& record, Fields* fields) {
  Add({{"disaggregation", record.disaggregation},
       {"prefill_pod", record.prefill_name},
       {"prefill_endpoint", record.prefill_endpoint},
       {"failed_half", record.failed_half},
       {"prefill_status", record.prefill_status},
       {"recomputed", record.recomputed},
       {"prefill_ms", OrNull(record.prefill_ms)},
       {"transfer_ms", OrNull(record.transfer_ms)}},
      fields);
}

}  // namespace

bool IsSampled(std::string_view request_id, float ratio) {
  const uint64_t hash = XXH3_64bits_withSeed(request_id.data(), request_id.size(), kSeed);
  return static_cast<double>(hash >> 11) * 0x1p-53 < static_cast<double>(ratio);
}

bool IsErrorOfLog(const RequestRecord& record, Outcome outcome) {
  return record.status >= 400 || record.tries > 1 ||
         (outcome != Outcome::kComplete && outcome != Outcome::kClientLeft);
}

std::optional<LoggedAs> LineOf(const RequestRecord& record, Outcome outcome, const RouteRule* rule,
                               const LogShare& share) {
  const LogLevel level = rule != nullptr ? rule->log.level : LogLevel::kInfo;
  if (!LogEnabled(level)) return std::nullopt;
  const LogShare& wanted = rule != nullptr && rule->log.share ? *rule->log.share : share;
  if (wanted.errors && (record.trace.sampled || IsErrorOfLog(record, outcome))) {
    // One of these stands for itself alone, however few of the others have a line.
    return LoggedAs{level, wanted.is_sampled() ? 1.0f : 0.0f};
  }
  if (wanted.ratio >= 1) return LoggedAs{level};
  if (wanted.ratio <= 0 || !IsSampled(record.request_id, wanted.ratio)) return std::nullopt;
  return LoggedAs{level, wanted.ratio};
}

void LogRequest(const RequestRecord& record, const LoggedAs& as) {
  Fields fields;
  const auto add = [&fields](std::initializer_list<LogField> more) { Add(more, &fields); };
  if (!record.fell_back_from.empty()) {
    add({{"fell_back_from", record.fell_back_from}, {"fallback_reason", record.fallback_reason}});
  }
  if (!record.client_subject.empty()) add({{"client_subject", record.client_subject}});
  add({{"request_id", record.request_id},
       {"client", record.client},
       {"method", record.method},
       {"path", record.path},
       {"route", record.route},
       {"rule", record.rule},
       {"pool", record.pool},
       {"requested_model", record.requested_model},
       {"target_model", record.target_model},
       {"pod", record.endpoint_name},
       {"endpoint", record.endpoint},
       {"status", record.status},
       {"outcome", record.outcome},
       {"reason", record.reason},
       {"tries", record.tries},
       {"stream", record.stream},
       {"prefix_hit_blocks", record.prefix_hit_blocks},
       {"prefix_blocks", record.prefix_blocks},
       {"candidates", record.candidates},
       {"score", record.score},
       {"decision_us", OrNull(record.decision_us)},
       {"body_ms", OrNull(record.body_ms)},
       {"queue_ms", OrNull(record.queue_ms)},
       {"response_ms", OrNull(record.response_ms)},
       {"ttft_ms", OrNull(record.ttft_ms)},
       {"tpot_ms", OrNull(record.tpot_ms)},
       {"total_ms", record.total_ms},
       {"prompt_tokens", OrNull(record.prompt_tokens)},
       {"cached_tokens", OrNull(record.cached_tokens)},
       {"cached_ratio", CachedRatio(record)},
       {"completion_tokens", OrNull(record.completion_tokens)},
       {"tokens_estimated", record.tokens_estimated},
       {"owner", record.owner}});
  if (as.sample_ratio > 0) add({{"sample_ratio", as.sample_ratio}});
  const std::string blocks = as.prompt != nullptr ? TextOf(as.prompt->names) : std::string();
  if (as.prompt != nullptr) AddPrompt(*as.prompt, blocks, &fields);
  const std::string failed_reasons = OfFailedTries(record, &ReasonOf);
  const std::string failed_endpoints = OfFailedTries(record, &AddressOf);
  if (!failed_reasons.empty()) {
    add({{"failed_reasons", failed_reasons}, {"failed_endpoints", failed_endpoints}});
  }
  if (!record.queue_result.empty()) {
    add({{"queue_result", record.queue_result},
         {"priority", record.priority},
         {"tenant", record.tenant},
         {"queue_wait_ms", record.queue_wait_ms}});
  }
  if (!record.release.empty()) add({{"release", record.release}});
  if (!record.trace_id.empty()) {
    add({{"trace_id", record.trace_id}, {"trace_sampled", record.trace.sampled}});
  }
  if (record.evicted_for) add({{"evicted_for", *record.evicted_for}});
  if (!record.disaggregation.empty()) AddPhases(record, &fields);
  LogLine(as.level, "Request Handled", fields.data(), fields.size());
}

}  // namespace gw
