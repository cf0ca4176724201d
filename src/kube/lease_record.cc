#include "kube/lease_record.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "kube/node_edit.h"

namespace gw::kube {

LeaseRecord ReadLeaseRecord(const api::Node& lease) {
  const api::Node* spec = MapAt(&lease, "spec");
  return {.holder = TextAt(spec, "holderIdentity"),
          .duration_s = IntegerAt(spec, "leaseDurationSeconds").value_or(0),
          .acquire_time = TextAt(spec, "acquireTime"),
          .renew_time = TextAt(spec, "renewTime"),
          .transitions = IntegerAt(spec, "leaseTransitions").value_or(0)};
}

void WriteLeaseRecord(const LeaseRecord& record, api::Node* lease) {
  const api::Node* there = MapAt(lease, "spec");
  api::Node spec = there == nullptr ? MapNode() : *there;
  SetMember(&spec, "holderIdentity", TextNode(record.holder));
  SetMember(&spec, "leaseDurationSeconds", NumberNode(record.duration_s));
  SetMember(&spec, "acquireTime", TextNode(record.acquire_time));
  SetMember(&spec, "renewTime", TextNode(record.renew_time));
  SetMember(&spec, "leaseTransitions", NumberNode(record.transitions));
  SetMember(lease, "spec", std::move(spec));
}

std::string MicroTime(int64_t unix_ns) {
  std::string text = UtcText(unix_ns / 1'000'000'000);
  text.pop_back();
  return fmt::format("{}.{:06}Z", text, unix_ns % 1'000'000'000 / 1000);
}

}  // namespace gw::kube
