// Every plug-in by its name, and the profiles that come with the gateway. A plug-in is one file and
// one line here; nothing registers itself at static initialisation.

#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"
#include "pool/pool.h"
#include "scheduling/profile.h"
#include "scheduling/rule.h"

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
// 2, 2 and 3 are the inference extension's weights; its forms are not, where they make small
// numbers weigh as much as large ones (a queue by its rank, a prefix hit by its share of the
// prompt). Candidates without fresh metrics come into play only when nobody has fresh ones (filter
// fresh-metrics).
//
// The in-flight term 6 * S / (S + B - B_min), S = 4 + B_mean / 2 (load_curve.h), is ours. 6 makes
// it a bound on load: at an excess of S over the least loaded candidate it takes away 3, more than
// the longest prefix hit gives. So, other things equal,
//
//   affinity holds at most while  B <= B_min + 4 + B_mean / 2
//
// A replica that holds a hot prefix so gets up to 5 requests before an idle one gets its first,
// which from then on holds the prefix as well; what all hold is worth nothing. Of a long prompt,
// 560 tokens held are worth 1.5 points; a request in flight costs 1.1 where others have none and
// 0.4 where they have 20.
//
// A request that waits is worth 0.4 points where others have no queue, so that one of them on a
// page that is a scrape interval old moves a burst by about one request. Queues of 5 and of 20 are
// worth 1 and 1.4 points, as half and seven tenths of the KV cache are: these are the signals that
// decide between endpoints with as much in flight.
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
// Of all strategies by their names, which are their profiles': these two, "COST" and the published
// policies, behind the filter fresh-metrics; nullptr if there is none of that name. What users
// write may have constants besides: strategy.h.
std::shared_ptr<const Profile> ProfileNamed(std::string_view strategy);
std::span<const std::string_view> StrategyNames();
std::shared_ptr<const Profile> LoadProfile();
// One of these strategies with other constants, which strategy.h lists. REQUIRES: all of them
std::shared_ptr<const Profile> ProfileWith(const Profile& strategy, std::string name,
                                           std::span<const RuleConstant> constants);

}  // namespace gw
