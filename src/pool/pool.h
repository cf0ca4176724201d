// Pool: the endpoints of one InferencePool (or of one Service) as one Snapshot sees them.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "pool/endpoint_access.h"
#include "pool/endpoints.h"

namespace gw {

// How much a request matters when a pool is saturated (InferenceModel.spec.criticality).
enum class Criticality : uint8_t { kCritical, kStandard, kSheddable };

// The two of the product whose annotation names them.
enum class RoutingStrategy : uint8_t { kDefault, kPrefixCache };

struct Pool {
  // kElsewhere: a model server elsewhere, whose metrics nobody reads.
  enum class Kind : uint8_t { kInferencePool, kService, kElsewhere };
  Kind kind = Kind::kInferencePool;
  std::string ns;
  std::string name;
  std::string id;  // "default/qwen"; "service default/web:80"; "backend default/openai"
  Runtime runtime = Runtime::kVllm;
  std::string strategy = "DEFAULT";  // by which endpoints are chosen, as it was written
  // Only endpoints that may receive requests (the Pod is Ready and not terminating).
  Endpoints endpoints;
  std::shared_ptr<const EndpointAccess> access = nullptr;  // nullptr: plain, with nothing added
  // Metrics older than this, and older than the scraper's own pace of that endpoint lets them get
  // (EndpointState::paced_age_ns), make it rank behind all endpoints with fresh ones.
  Duration metrics_age_max = std::chrono::seconds(2);
};

}  // namespace gw
