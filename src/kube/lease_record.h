// The spec of a coordination.k8s.io/v1 Lease as an election uses it, out of the object and back
// into it. Values and functions; any thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/node.h"
#include "base/clock.h"

namespace gw::kube {

struct LeaseRecord {
  std::string holder;        // empty: nobody's
  int64_t duration_s = 0;    // 0: not given
  std::string acquire_time;  // as they are written; they are never compared with a clock
  std::string renew_time;
  int64_t transitions = 0;

  bool operator==(const LeaseRecord&) const = default;
};

// Of a Lease without a spec: that of nobody.
LeaseRecord ReadLeaseRecord(const api::Node& lease);
// In the lease's spec; what else is in it, or in the lease, stays.
void WriteLeaseRecord(const LeaseRecord& record, api::Node* lease);

// RFC 3339 in UTC with microseconds (Kubernetes' MicroTime): "2026-01-02T03:04:05.678901Z".
std::string MicroTime(int64_t unix_ns);

}  // namespace gw::kube
