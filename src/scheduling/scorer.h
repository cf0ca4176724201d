// A Scorer says how good each candidate endpoint is for one request.
//
// Scores lie in [0, 1]; 1 is best. A profile adds up the scores of its scorers, each times its
// weight, and hands the sums to a Picker.

#pragma once

#include <span>
#include <string_view>

#include "inference/request.h"
#include "pool/candidates.h"

namespace gw {

class Scorer {
 public:
  virtual ~Scorer() = default;

  // The name used in configuration, metrics and logs, e.g. "queue-depth".
  virtual std::string_view name() const = 0;

  // Writes one score per candidate: scores[i] belongs to row i of the candidates' columns.
  // Runs on the request path, on any worker: does not block or allocate.
  //
  // REQUIRES: scores.size() == candidates.size()
  // REQUIRES: !candidates.empty()
  virtual void Score(const InferenceRequest& request, const Candidates& candidates,
                     std::span<float> scores) const = 0;
};

}  // namespace gw
