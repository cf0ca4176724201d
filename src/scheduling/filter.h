// A Filter removes candidates that must not, or had better not, serve a request.

#pragma once

#include <string_view>

#include "inference/request.h"
#include "pool/candidates.h"

namespace gw {

class Filter {
 public:
  virtual ~Filter() = default;
  virtual std::string_view name() const = 0;
  // Keeps the order of those that stay. A filter that is a preference leaves the list as it is
  // rather than empty; one that is a requirement may empty it.
  // Runs on the request path, on any worker: does not block or allocate.
  virtual void Keep(const InferenceRequest& request, Candidates* candidates) const = 0;
};

}  // namespace gw
