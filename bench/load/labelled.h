// Labels: whose requests are whose, and how urgent, for workloads that do not say it themselves. A
// decorator that gives each session, or each request without one, a tenant and an objective, and
// says so to the gateway in the fields of the inference extension. Reports have groups by them.
//
// Both are drawn by weights, from the seed and the session's name alone: a session keeps its
// labels, and a run that is repeated has the same ones in whatever order answers come.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/load_workload.h"

namespace gw::bench {

struct Label {
  std::string name;
  double weight = 1;  // above 0

  bool operator==(const Label&) const = default;
};

// "a=3,b=1", or "a,b" for equal weights. An error says what was wanted.
absl::StatusOr<std::vector<Label>> ParseLabels(std::string_view text);

struct LabelOptions {
  std::vector<Label> tenants = {};  // --tenants: x-llm-d-inference-fairness-id, Ask::tenant
  // --objectives: x-llm-d-inference-objective, Ask::priority
  std::vector<Label> objectives = {};
  uint64_t seed = 1;  // --seed
};

// Of what there are no labels for, nothing is changed.
std::unique_ptr<LoadWorkload> NewLabelled(std::unique_ptr<LoadWorkload> workload,
                                          const LabelOptions& options);

}  // namespace gw::bench
