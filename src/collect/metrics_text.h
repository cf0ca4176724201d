// Reads the few values that routing needs out of a model server's Prometheus page (text format
// 0.0.4).
//
// A page of 35 to 70 kB holds some 600 lines, of which at most ten matter, so this is a scan and
// not a parse: lines are told apart by eight bytes of their name, and only the matching ones are
// looked into. A page may be fed in pieces cut anywhere; what stands between the pieces is at most
// one line. With `Details::kSkip` the scan ends as soon as waiting, running and KV-cache use are
// known and the next family begins (real vLLM pages: within the first 7 of 60 kB).
//
// One page may hold several series of a name (data-parallel engines behind one address):
//   waiting, running, cache blocks  summed
//   KV-cache use                    mean, since the model server spreads requests over its engines
//   LoRA adapters                   the series with the largest value, which is its time
// SGLang can report each tensor-parallel rank: all of one engine repeat the same requests, so that
// one of them counts: of each data-parallel rank the first one met, without data parallelism rank
// 0. A renamed metric counts under its newest name found. Lines that are not understood are as good
// as absent. So is a value that cannot be (negative, not finite, beyond what any server reaches, or
// a sum of such size), but that there was one is told: what the other series add up to is not the
// whole, and nothing of a decision may overflow.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pool/endpoint.h"

namespace gw {

// Adapters as reported, lists not split: "a,b".
struct LoraReport {
  uint32_t max_active = 0;
  std::string running;
  std::string waiting;
  std::string base_model;  // label model_name of the waiting metric; empty if there is none

  bool operator==(const LoraReport&) const = default;
};

struct MetricsSample {
  bool waiting_found = false;
  bool running_found = false;
  bool kv_cache_found = false;
  bool cache_config_found = false;  // either of its two
  bool lora_found = false;

  float waiting_requests = 0;
  float running_requests = 0;
  float kv_cache_utilization_ratio = 0;
  uint32_t cache_block_tokens = 0;
  uint32_t cache_blocks = 0;
  double process_start_s = 0;  // since 1970; 0: not found

  // A bit for each MetricsScanner::Wanted of which the page has a value that cannot be.
  uint8_t refused = 0;

  LoraReport lora;

  bool any_load_found() const { return waiting_found || running_found || kv_cache_found; }
};

// The names of one runtime (metrics_text.cc).
struct MetricNames;
struct MetricName;

class MetricsScanner {
 public:
  // The values that a page is searched for.
  enum Wanted : uint8_t {
    kWaiting,
    kRunning,
    kKvCache,
    kBlockTokens,
    kBlocks,
    kStart,
    kWantedCount
  };

  // kRead: adapters and cache configuration too, for which the whole page must be scanned.
  enum class Details : uint8_t { kSkip, kRead };

  // No server holds as many requests. Floats count exactly up to here, and sums of a thousand
  // endpoints do not overflow.
  static constexpr double requests_max = 1e6;
  // A little above 1 is rounding, far above is another unit.
  static constexpr double ratio_max = 2;

  // A longer line is skipped and counted.
  static constexpr size_t line_bytes_max = 64 * 1024;

  explicit MetricsScanner(Runtime runtime);

  void Begin(Details details);
  // The next piece of the page. True once nothing more is wanted; further pieces are ignored.
  bool Feed(std::string_view bytes);
  // The page is complete. Valid until the next Begin.
  const MetricsSample& Finish();

  uint64_t skipped_lines() const { return skipped_lines_; }

 private:
  // What one value is made of: the best name found so far and its series.
  struct Series {
    uint8_t rank = 255;
    uint8_t refused_rank = 255;  // best name with a value that cannot be
    uint32_t count = 0;
    double sum = 0;
  };
  // True if the line belongs to a family that is wanted.
  bool Line(std::string_view line);
  // A tensor or pipeline rank beside the one that reports its engine's requests.
  bool RepeatsAnotherRank(const MetricName& name, std::string_view labels);
  void Add(Wanted wanted, uint8_t rank, double value);
  bool IsRefused(Wanted wanted) const;
  void ReadLora(std::string_view labels, double value);
  void ReadCacheConfig(std::string_view labels);
  bool AllLoadFound() const;

  const MetricNames& names_;
  Details details_ = Details::kRead;
  bool done_ = false;
  bool skipping_line_ = false;
  std::string carry_;  // the beginning of a line that was cut
  Series series_[kWantedCount];
  // Which tensor rank reports a data rank's value of that name.
  struct Reporter {
    const MetricName* name;
    uint32_t data_rank;
    uint32_t tensor_rank;
  };
  static constexpr size_t reporters_max = 1024;  // beyond, all are counted
  std::vector<Reporter> reporters_;
  double lora_value_ = -1;
  MetricsSample sample_;
  uint64_t skipped_lines_ = 0;
};

// A whole page at once.
MetricsSample ParseMetrics(Runtime runtime, std::string_view page);

// The value of label `name` in "a=\"1\",b=\"2\"" as it stands, escapes not undone; empty if absent.
std::string_view LabelValue(std::string_view labels, std::string_view name);

}  // namespace gw
