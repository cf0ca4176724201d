// Every plug-in by its name, and the profiles that come with the gateway. A plug-in is one file and
// one line here; nothing registers itself at static initialisation.

#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"
#include "pool/pool.h"
#include "scheduling/profile.h"

namespace gw {

// NotFound names the plug-in and lists the known ones.
absl::StatusOr<std::unique_ptr<Scorer>> NewScorer(std::string_view name);
absl::StatusOr<std::unique_ptr<Filter>> NewFilter(std::string_view name);
absl::StatusOr<std::unique_ptr<Picker>> NewPicker(std::string_view name);
std::span<const std::string_view> ScorerNames();
std::span<const std::string_view> FilterNames();
std::span<const std::string_view> PickerNames();

// The profiles that come with the gateway, as weights of their scorers:
//
//   DEFAULT       2 queue-depth + 2 kv-cache-utilization + 6 in-flight + 4 lora-affinity
//   PREFIX_CACHE  the same + 3 prefix-cache
//   LOAD          in-flight alone; for Services and for paths whose body is not understood
//
// 2, 2 and 3 and the forms of these scorers are the inference extension's. Candidates without fresh
// metrics come into play only when nobody has fresh ones (filter fresh-metrics).
//
// The in-flight term 6 * S / (S + B - B_min), S = 4 + B_mean / 2 (load_curve.h), is ours. 6 makes
// it a bound on load: at an excess of S over the least loaded candidate it takes away 3, the whole
// weight of a full prefix hit. So, other things equal,
//
//   affinity holds while  B <= B_min + 4 + B_mean / 2
//
// and one replica that holds a hot prefix gets 5 or 6 requests before an idle one gets its first,
// which from then on holds the prefix as well. By the same formula a queue of one waiting request
// (2 points) is worth an excess of half of S, so stale queue figures pile up no more than that.
//
// It bounds the requests of an adapter, too. They stay where it is loaded (4 against 2 for room to
// load it and 0 for no slot)
//
//   rather than load it elsewhere  while  B <= B_min + 2 + B_mean / 4
//   rather than wait for a slot    while  B <= B_min + 8 + B_mean
//
// for an adapter is loaded in a part of a second, and a slot comes free with the last request of
// another adapter.
std::shared_ptr<const Profile> ProfileFor(RoutingStrategy strategy);
std::shared_ptr<const Profile> LoadProfile();

}  // namespace gw
