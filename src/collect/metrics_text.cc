#include "collect/metrics_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <vector>

#include "base/check.h"

namespace gw {

// A name that is looked for, and what it means.
struct MetricName {
  enum class Kind : uint8_t { kValue, kLora, kCacheConfig };
  std::string_view text;
  Kind kind = Kind::kValue;
  MetricsScanner::Wanted wanted = MetricsScanner::kWaiting;
  uint8_t rank = 0;  // 0 is the newest name
  // Only series with this label count, if it is given.
  std::string_view label = {};
  std::string_view label_value = {};
  uint64_t head = 0;  // eight bytes of `text` at MetricNames::head_offset
};

struct MetricNames {
  using Kind = MetricName::Kind;
  using Name = MetricName;

  MetricNames(size_t offset, std::initializer_list<Name> all) : head_offset(offset), names(all) {
    for (Name& name : names) {
      CHECK(name.text.size() >= offset + sizeof(name.head));
      std::memcpy(&name.head, name.text.data() + offset, sizeof(name.head));
    }
  }

  static const MetricNames& Of(Runtime runtime);

  // Names of a runtime begin alike; the bytes behind the common part tell them apart.
  size_t head_offset;
  std::vector<Name> names;
  // Labels of the cache configuration metric.
  std::string_view block_tokens_label = {};
  std::string_view blocks_label = {};
};

namespace {

// Of a name that says the size of the cache in tokens, for pages that do not say it in blocks.
constexpr uint8_t kTokensRank = 2;

// After a name comes its label set, or the value.
bool EndsName(char c) { return c == '{' || c == ' ' || c == '\t'; }

// True if there is a number, which may be one that cannot be: NaN, negative, out of range.
bool ParseValue(std::string_view text, double* value) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return false;
  text.remove_prefix(begin);
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);  // from_chars takes no plus sign
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error == std::errc::result_out_of_range) *value = INFINITY;
  if (error == std::errc::invalid_argument) return false;
  const std::string_view rest = text.substr(static_cast<size_t>(end - text.data()));
  // A time stamp may follow.
  return rest.empty() || rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r';
}

// What the values of one name may come to.
double MaxOf(MetricsScanner::Wanted wanted) {
  switch (wanted) {
    case MetricsScanner::kWaiting:
    case MetricsScanner::kRunning:
      return MetricsScanner::requests_max;
    case MetricsScanner::kKvCache:
      return MetricsScanner::ratio_max;
    case MetricsScanner::kBlockTokens:
    case MetricsScanner::kBlocks:
      return std::numeric_limits<uint32_t>::max();
    case MetricsScanner::kStart:
    case MetricsScanner::kWantedCount:
      break;
  }
  return 1e12;  // seconds since 1970, a long time from now
}

bool ParseCount(std::string_view text, uint32_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// The end of the label set that begins at text[0] == '{': the index of its '}', or npos. Values may
// hold braces and escaped quotes.
size_t EndOfLabels(std::string_view text) {
  bool quoted = false;
  for (size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '}') {
      return i;
    }
  }
  return std::string_view::npos;
}

MetricNames VllmNames() {
  using Kind = MetricNames::Kind;
  constexpr auto kNone = MetricsScanner::kWaiting;
  MetricNames names(5, {
                           {"vllm:num_requests_waiting", Kind::kValue, MetricsScanner::kWaiting},
                           {"vllm:num_requests_running", Kind::kValue, MetricsScanner::kRunning},
                           {"vllm:kv_cache_usage_perc", Kind::kValue, MetricsScanner::kKvCache},
                           {"vllm:gpu_cache_usage_perc", Kind::kValue, MetricsScanner::kKvCache, 1},
                           {"vllm:lora_requests_info", Kind::kLora, kNone},
                           {"vllm:cache_config_info", Kind::kCacheConfig, kNone},
                           {"process_start_time_seconds", Kind::kValue, MetricsScanner::kStart},
                       });
  names.block_tokens_label = "block_size";
  names.blocks_label = "num_gpu_blocks";
  return names;
}

MetricNames SglangNames() {
  using Kind = MetricNames::Kind;
  constexpr auto kNone = MetricsScanner::kWaiting;
  // Some versions write an underscore in place of the colon.
  MetricNames names(
      7, {
             {"sglang:num_queue_reqs", Kind::kValue, MetricsScanner::kWaiting},
             {"sglang:num_running_reqs", Kind::kValue, MetricsScanner::kRunning},
             {"sglang:token_usage", Kind::kValue, MetricsScanner::kKvCache},
             {"sglang_num_queue_reqs", Kind::kValue, MetricsScanner::kWaiting, 1},
             {"sglang_num_running_reqs", Kind::kValue, MetricsScanner::kRunning, 1},
             {"sglang_token_usage", Kind::kValue, MetricsScanner::kKvCache, 1},
             {"sglang:cache_config_info", Kind::kCacheConfig, kNone},
             {"sglang:page_size", Kind::kValue, MetricsScanner::kBlockTokens, 1},
             {"sglang:num_pages", Kind::kValue, MetricsScanner::kBlocks, 1},
             {"sglang:max_total_num_tokens", Kind::kValue, MetricsScanner::kBlocks, kTokensRank},
             {"process_start_time_seconds", Kind::kValue, MetricsScanner::kStart},
         });
  names.block_tokens_label = "page_size";
  names.blocks_label = "num_pages";
  return names;
}

// Both serve TensorRT-LLM engines, and the runtime "trt-llm" names either: trtllm-serve, and Triton
// with its TensorRT-LLM backend. Triton with other backends reports its queue alone.
MetricNames TensorRtNames() {
  using Kind = MetricNames::Kind;
  constexpr std::string_view kRequests = "nv_trt_llm_request_metrics";
  constexpr std::string_view kBlocks = "nv_trt_llm_kv_cache_block_metrics";
  constexpr std::string_view kType = "request_type";
  constexpr std::string_view kBlockType = "kv_cache_block_type";
  return MetricNames(
      0, {
             {"trtllm_num_requests_waiting", Kind::kValue, MetricsScanner::kWaiting},
             {"trtllm_num_requests_running", Kind::kValue, MetricsScanner::kRunning},
             {"trtllm_kv_cache_utilization", Kind::kValue, MetricsScanner::kKvCache},
             {"trtllm_kv_cache_tokens_per_block", Kind::kValue, MetricsScanner::kBlockTokens},
             {"trtllm_kv_cache_max_blocks", Kind::kValue, MetricsScanner::kBlocks},
             {kRequests, Kind::kValue, MetricsScanner::kWaiting, 0, kType, "waiting"},
             {kRequests, Kind::kValue, MetricsScanner::kRunning, 0, kType, "scheduled"},
             {kBlocks, Kind::kValue, MetricsScanner::kKvCache, 0, kBlockType, "fraction"},
             {kBlocks, Kind::kValue, MetricsScanner::kBlockTokens, 0, kBlockType, "tokens_per"},
             {kBlocks, Kind::kValue, MetricsScanner::kBlocks, 0, kBlockType, "max"},
             {"nv_inference_pending_request_count", Kind::kValue, MetricsScanner::kWaiting, 1},
         });
}

}  // namespace

const MetricNames& MetricNames::Of(Runtime runtime) {
  static const MetricNames vllm = VllmNames();
  static const MetricNames sglang = SglangNames();
  static const MetricNames tensor_rt = TensorRtNames();
  switch (runtime) {
    case Runtime::kVllm:
      return vllm;
    case Runtime::kSglang:
      return sglang;
    case Runtime::kTrtLlm:
    case Runtime::kTriton:
      return tensor_rt;
  }
  CHECK(false);
}

std::string_view LabelValue(std::string_view labels, std::string_view name) {
  size_t at = 0;
  while (at < labels.size()) {
    at = labels.find_first_not_of(", \t", at);
    if (at == std::string_view::npos) return {};
    const size_t equals = labels.find('=', at);
    if (equals == std::string_view::npos) return {};
    std::string_view label = labels.substr(at, equals - at);
    while (!label.empty() && (label.back() == ' ' || label.back() == '\t')) label.remove_suffix(1);
    const size_t open = labels.find_first_not_of(" \t", equals + 1);
    if (open == std::string_view::npos || labels[open] != '"') return {};
    size_t close = open + 1;
    while (close < labels.size() && labels[close] != '"') close += labels[close] == '\\' ? 2 : 1;
    if (close >= labels.size()) return {};
    if (label == name) return labels.substr(open + 1, close - open - 1);
    at = close + 1;
  }
  return {};
}

MetricsScanner::MetricsScanner(Runtime runtime) : names_(MetricNames::Of(runtime)) {}

void MetricsScanner::Begin(Details details) {
  details_ = details;
  done_ = false;
  skipping_line_ = false;
  carry_.clear();
  std::fill(std::begin(series_), std::end(series_), Series{});
  reporters_.clear();
  lora_value_ = -1;
  // The strings keep their memory.
  sample_.lora_found = false;
  sample_.lora.max_active = 0;
  sample_.lora.running.clear();
  sample_.lora.waiting.clear();
  sample_.lora.base_model.clear();
}

bool MetricsScanner::Feed(std::string_view bytes) {
  if (done_) return true;
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const auto* newline =
        static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
    const char* const line_end = newline != nullptr ? newline : end;
    std::string_view line(at, static_cast<size_t>(line_end - at));
    at = newline != nullptr ? newline + 1 : end;
    if (skipping_line_) {
      skipping_line_ = newline == nullptr;
      continue;
    }
    if (newline == nullptr || !carry_.empty()) {
      if (carry_.size() + line.size() > line_bytes_max) {
        ++skipped_lines_;
        carry_.clear();
        skipping_line_ = newline == nullptr;
        continue;
      }
      carry_.append(line);
      if (newline == nullptr) break;
      line = carry_;
    }
    const bool wanted = Line(line);
    carry_.clear();
    // The series of a family stand together: behind the last wanted family nothing can be added.
    if (!wanted && details_ == Details::kSkip && AllLoadFound()) {
      done_ = true;
      break;
    }
  }
  return done_;
}

bool MetricsScanner::Line(std::string_view line) {
  uint64_t head;
  if (line.size() <= names_.head_offset + sizeof(head)) return false;
  std::memcpy(&head, line.data() + names_.head_offset, sizeof(head));
  bool wanted = false;
  for (const MetricNames::Name& name : names_.names) {
    if (head != name.head || line.size() <= name.text.size() || !EndsName(line[name.text.size()]) ||
        !line.starts_with(name.text)) {
      continue;
    }
    wanted = true;
    std::string_view rest = line.substr(name.text.size());
    std::string_view labels;
    if (rest[0] == '{') {
      const size_t close = EndOfLabels(rest);
      if (close == std::string_view::npos) break;
      labels = rest.substr(1, close - 1);
      rest.remove_prefix(close + 1);
    }
    double value = 0;
    if (!ParseValue(rest, &value)) break;
    if (!name.label.empty() && LabelValue(labels, name.label) != name.label_value) continue;
    if (name.kind == MetricNames::Kind::kValue) {
      if (RepeatsAnotherRank(name, labels)) break;
      Add(name.wanted, name.rank, value);
      if (name.wanted == kWaiting && details_ == Details::kRead &&
          sample_.lora.base_model.empty()) {
        sample_.lora.base_model = LabelValue(labels, "model_name");
      }
    } else if (details_ == Details::kSkip || !std::isfinite(value) || value < 0) {
      break;
    } else if (name.kind == MetricNames::Kind::kLora) {
      ReadLora(labels, value);
    } else if (!RepeatsAnotherRank(name, labels)) {
      ReadCacheConfig(labels);
    }
    break;
  }
  return wanted;
}

void MetricsScanner::Add(Wanted wanted, uint8_t rank, double value) {
  Series& series = series_[wanted];
  if (!(value >= 0 && value <= MaxOf(wanted))) {  // NaN, too
    series.refused_rank = std::min(series.refused_rank, rank);
    return;
  }
  if (rank > series.rank) return;
  if (rank < series.rank) series = Series{.rank = rank, .refused_rank = series.refused_rank};
  series.sum += value;
  ++series.count;
}

void MetricsScanner::ReadLora(std::string_view labels, double value) {
  if (value <= lora_value_) return;
  lora_value_ = value;
  sample_.lora_found = true;
  sample_.lora.max_active = 0;
  ParseCount(LabelValue(labels, "max_lora"), &sample_.lora.max_active);
  sample_.lora.running = LabelValue(labels, "running_lora_adapters");
  sample_.lora.waiting = LabelValue(labels, "waiting_lora_adapters");
}

void MetricsScanner::ReadCacheConfig(std::string_view labels) {
  uint32_t count = 0;
  if (ParseCount(LabelValue(labels, names_.block_tokens_label), &count)) {
    Add(kBlockTokens, 0, count);
  }
  if (ParseCount(LabelValue(labels, names_.blocks_label), &count)) Add(kBlocks, 0, count);
}

bool MetricsScanner::RepeatsAnotherRank(const MetricName& name, std::string_view labels) {
  const std::string_view pipeline = LabelValue(labels, "pp_rank");
  if (!pipeline.empty() && pipeline != "0") return true;
  const std::string_view tensor = LabelValue(labels, "tp_rank");
  if (tensor.empty()) return false;
  const std::string_view data = LabelValue(labels, "dp_rank");
  if (data.empty()) return tensor != "0";
  uint32_t tensor_rank = 0;
  uint32_t data_rank = 0;
  if (!ParseCount(tensor, &tensor_rank) || !ParseCount(data, &data_rank)) return false;
  const auto known =
      std::find_if(reporters_.begin(), reporters_.end(), [&](const Reporter& reporter) {
        return reporter.name == &name && reporter.data_rank == data_rank;
      });
  if (known != reporters_.end()) return known->tensor_rank != tensor_rank;
  if (reporters_.size() < reporters_max) reporters_.push_back({&name, data_rank, tensor_rank});
  return false;
}

// The values of an older name do not matter where the newest is found.
bool MetricsScanner::IsRefused(Wanted wanted) const {
  const Series& series = series_[wanted];
  if (series.refused_rank != 255 && series.refused_rank <= series.rank) return true;
  const bool is_mean = wanted == kKvCache || wanted == kBlockTokens;
  return !is_mean && series.sum > MaxOf(wanted);
}

bool MetricsScanner::AllLoadFound() const {
  return series_[kWaiting].rank == 0 && series_[kRunning].rank == 0 && series_[kKvCache].rank == 0;
}

const MetricsSample& MetricsScanner::Finish() {
  if (!done_ && !carry_.empty()) Line(carry_);  // a last line without its end
  carry_.clear();
  done_ = true;
  const auto found = [this](Wanted wanted) { return series_[wanted].count != 0; };
  const auto sum = [this](Wanted wanted) { return static_cast<float>(series_[wanted].sum); };
  const auto mean_count = [this](Wanted wanted) {
    const Series& series = series_[wanted];
    return series.count == 0 ? 0.0 : series.sum / series.count;
  };
  const auto count_of = [](double value) {
    return static_cast<uint32_t>(std::min(value, 4294967295.0));
  };
  sample_.refused = 0;
  for (uint8_t wanted = 0; wanted < kWantedCount; ++wanted) {
    if (IsRefused(static_cast<Wanted>(wanted))) sample_.refused |= 1u << wanted;
  }
  sample_.waiting_found = found(kWaiting);
  sample_.running_found = found(kRunning);
  sample_.kv_cache_found = found(kKvCache);
  sample_.cache_config_found = found(kBlockTokens) || found(kBlocks);
  sample_.waiting_requests = sum(kWaiting);
  sample_.running_requests = sum(kRunning);
  sample_.kv_cache_utilization_ratio = static_cast<float>(mean_count(kKvCache));
  sample_.cache_block_tokens = count_of(mean_count(kBlockTokens));
  if (series_[kBlocks].rank == kTokensRank) sample_.cache_block_tokens = 1;
  sample_.cache_blocks = count_of(series_[kBlocks].sum);
  sample_.process_start_s = series_[kStart].sum;
  return sample_;
}

MetricsSample ParseMetrics(Runtime runtime, std::string_view page) {
  MetricsScanner scanner(runtime);
  scanner.Begin(MetricsScanner::Details::kRead);
  scanner.Feed(page);
  return scanner.Finish();
}

}  // namespace gw
