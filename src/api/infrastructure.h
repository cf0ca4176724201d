// What the objects have that are made for one Gateway: spec.infrastructure, and the Service's type,
// which is an annotation of the Gateway. A value.

#pragma once

#include <string>

#include "api/meta.h"

namespace gw::api {

struct Infrastructure {
  StringMap labels;
  StringMap annotations;
  std::string service_type = "LoadBalancer";

  bool operator==(const Infrastructure&) const = default;
};

}  // namespace gw::api
