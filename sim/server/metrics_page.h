// A replica's answer to GET /metrics, with the names, labels and order of real servers: vLLM 0.32
// as recorded, SGLang after its documentation.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/server/replica_stats.h"

namespace gw::sim {

enum class Runtime : uint8_t { kVllm, kSglang };

// Of a replica in disaggregated serving. kBoth serves plain requests; with vLLM all roles do, and
// any of them prefills or decodes for others when a request asks for it.
enum class Role : uint8_t { kBoth, kPrefill, kDecode };

struct MetricsInput {
  const Engine& engine;
  const ReplicaStats& stats;
  std::string_view model;
  double started_unix_s = 0;
  Role role = Role::kBoth;
  uint64_t bootstrapping = 0;  // SGLang: prefill requests that wait for their decode half
  // Adapters, newest last: the label sets "running,waiting" that there have been, and when.
  uint32_t loras_max = 0;
  struct LoraState {
    std::string running;  // names joined by commas
    std::string waiting;
    double unix_s = 0;
  };
  const std::vector<LoraState>& lora_states;
};

void AppendMetricsPage(Runtime runtime, const MetricsInput& input, std::string* out);
std::string_view MetricsContentType(Runtime runtime);

// A number as the Prometheus client of Python writes it: "31.0", "0.28", "1.795383670562479e+09".
void AppendPythonNumber(std::string* out, double value);

namespace internal {

// Writes families of one label set.
class PageWriter {
 public:
  // `labels` begins with engine="0", as a bucket's `le` comes between engine and model_name; both
  // may be empty.
  PageWriter(std::string* out, std::string_view labels_before_le, std::string_view labels_after_le,
             double created_unix_s);

  void Family(std::string_view name, std::string_view type, std::string_view help);
  // One line; `more` are further labels at their place in alphabetical order: before or after the
  // model's name.
  void Value(std::string_view name, double value, std::string_view more_before = {},
             std::string_view more_after = {});
  void Gauge(std::string_view name, std::string_view help, double value);
  // With the _created companion that the Python client adds.
  void Counter(std::string_view name, std::string_view help, double value);
  void Created(std::string_view name_without_total, std::string_view help,
               std::string_view more_before = {}, std::string_view more_after = {});
  void Histogram(std::string_view name, std::string_view help, const Distribution& values);

 private:
  void Labels(std::string_view first, std::string_view more_before, std::string_view more_after);

  std::string* out_;
  std::string before_;
  std::string after_;
  double created_;
};

void AppendVllmPage(const MetricsInput& input, std::string* out);
void AppendSglangPage(const MetricsInput& input, std::string* out);

}  // namespace internal
}  // namespace gw::sim
