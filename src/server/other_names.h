// Metrics under the names of the inference extension's endpoint picker, so that the boards and
// alerts that people have of it go on working: the same values, counted once, under other names
// and labels when the page is asked for. What is not known here is not made up: such families are
// absent, such labels left out. docs/metrics.md has the table.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "stats/metrics.h"

namespace gw {

struct OtherNames {
  bool llm_d = false;   // "llm-d": llm_d_epp_*
  bool v0_5_1 = false;  // "v0.5.1": inference_model_*, inference_pool_*, inference_extension_*
};

// Of words with commas between them. The error lists the words that there are.
absl::StatusOr<OtherNames> OtherNamesFrom(std::string_view list);

// Adds their families. Of an InferencePool only: nobody else has a picker.
void RegisterOtherNames(MetricRegistry& metrics, const OtherNames& names);

// What a request counts as among their errors, by its labels `status` and `outcome`. nullopt: none.
std::optional<std::string_view> ErrorCodeOf(std::string_view status, std::string_view outcome,
                                            bool v0_5_1);

}  // namespace gw
