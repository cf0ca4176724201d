#include "peers/outbox.h"

#include <utility>

#include "absl/container/flat_hash_map.h"

namespace gw::peers {

// What was told of those that stay is kept.
void Outbox::SetEndpoints(std::vector<Shared> endpoints) {
  absl::flat_hash_map<const EndpointState*, GatewaySums> before;
  for (const Told& told : endpoints_) before[told.endpoint.state.get()] = told.sums;
  endpoints_.clear();
  for (Shared& endpoint : endpoints) {
    const auto known = before.find(endpoint.state.get());
    const GatewaySums sums = known == before.end() ? GatewaySums{} : known->second;
    endpoints_.push_back({std::move(endpoint), sums});
  }
}

void Outbox::TakeSums(TimePoint now, std::string* out) {
  const bool generated = now - generated_at_ >= kGeneratedInterval;
  if (generated) generated_at_ = now;
  MessageWriter writer(out);
  for (Told& told : endpoints_) {
    GatewaySums sums = OwnSums(*told.endpoint.state);
    if (sums == told.sums) continue;
    GatewaySums lesser = told.sums;
    lesser.generated_tokens = sums.generated_tokens;
    if (!generated && sums == lesser) continue;
    told.sums = sums;
    writer.Sums(told.endpoint.state->slot, sums);
  }
}

void Outbox::Whole(std::string* out) const {
  MessageWriter writer(out);
  writer.EmptyWhole();
  for (const Told& told : endpoints_) {
    writer.Whole(told.endpoint.state->slot, told.endpoint.address, OwnSums(*told.endpoint.state));
  }
}

void Outbox::TakePrefixes(std::span<const std::unique_ptr<PrefixNews>> workers, size_t bytes_max,
                          std::string* out) {
  const size_t end = out->size() + bytes_max;
  MessageWriter writer(out);
  PrefixNote note;
  for (const std::unique_ptr<PrefixNews>& news : workers) {
    while (news->Take(&note)) {
      writer.Prefix(note);
      if (out->size() >= end) return;
    }
  }
}

}  // namespace gw::peers
