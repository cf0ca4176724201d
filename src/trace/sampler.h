// Sampler: whether spans of a request are kept. Where the caller has decided its decision holds,
// so that traces are whole. Of those that begin here it is a share by the trace's id, as every
// OpenTelemetry SDK draws it (TraceIdRatioBased): whoever else looks at the same id decides alike,
// and what a smaller share keeps a larger one keeps, too.

#pragma once

#include <cstdint>
#include <optional>

#include "trace/context.h"

namespace gw {

class Sampler {
 public:
  // REQUIRES: 0 <= ratio <= 1
  explicit Sampler(double ratio);

  // `parent`: the caller's, if there is one.
  bool Keeps(const std::optional<TraceContext>& parent, TraceId id) const {
    return parent ? parent->sampled : (id.low >> 1) < bound_;
  }

 private:
  uint64_t bound_;  // of the 63 bits that are compared
};

}  // namespace gw
