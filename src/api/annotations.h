// The annotations under penstock.dev/: which kinds act on which. One that is not among them was
// meant to do something, so that it is never passed over in silence.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/meta.h"

namespace gw::api {

// Of a Pod: the port that model server listens on, in place of the pool's.
inline constexpr char kTargetPortAnnotation[] = "penstock.dev/target-port";
// Of an InferencePool. "built-in": our picker, whatever Service the pool's reference names.
inline constexpr char kPickerAnnotation[] = "penstock.dev/picker";
// As a label of a Service: the same for all pools that refer to it.
inline constexpr char kPickerLabel[] = "penstock.dev/picker";
inline constexpr char kBuiltInPicker[] = "built-in";
// Prefix hashing of one pool; both are positive numbers.
inline constexpr char kPrefixBlockCharsAnnotation[] = "penstock.dev/prefix-block-chars";
inline constexpr char kPrefixBlocksMaxAnnotation[] = "penstock.dev/prefix-blocks-max";
// Of an InferencePool: how endpoints are chosen, one of scheduling's strategies by its name.
inline constexpr char kRoutingStrategyAnnotation[] = "penstock.dev/routing-strategy";
// "true": the gateway asks for the usage of streams whose client does not.
inline constexpr char kStreamUsageAnnotation[] = "penstock.dev/stream-usage";
// Of an InferencePool: how its model servers are spoken to.
inline constexpr char kEndpointSchemeAnnotation[] = "penstock.dev/endpoint-scheme";
inline constexpr char kEndpointTlsVerifyAnnotation[] = "penstock.dev/endpoint-tls-verify";
inline constexpr char kEndpointTlsServerNameAnnotation[] = "penstock.dev/endpoint-tls-server-name";
// The name of a Secret of the pool's namespace.
inline constexpr char kEndpointCredentialsAnnotation[] = "penstock.dev/endpoint-credentials";
// Of an InferencePool or an HTTPRoute: event streams begin before their first byte.
inline constexpr char kStreamKeepaliveAnnotation[] = "penstock.dev/stream-keepalive";
// Of an HTTPRoute: by what its clients stay with their versions of what serves them.
inline constexpr char kStickyAnnotation[] = "penstock.dev/sticky";
// Of an InferencePool or an HTTPRoute: how many of its requests may be here at once, and wait.
inline constexpr char kMaxRequestsAnnotation[] = "penstock.dev/max-requests";
inline constexpr char kMaxWaitingAnnotation[] = "penstock.dev/max-waiting";
inline constexpr int64_t kMaxRequestsMax = 1'000'000'000;
// Of an HTTPRoute: which of its requests have a line in the log, and at which level.
inline constexpr char kLogRequestsAnnotation[] = "penstock.dev/log-requests";
inline constexpr char kLogLevelAnnotation[] = "penstock.dev/log-level";
// Of an InferencePool: the Backend that serves in its place when it cannot.
inline constexpr char kFallbackAnnotation[] = "penstock.dev/fallback";
// Of an InferencePool: requests wait while it is saturated, and for how long and how many.
inline constexpr char kQueueingAnnotation[] = "penstock.dev/queueing";
inline constexpr char kQueueRequestsMaxAnnotation[] = "penstock.dev/queue-requests-max";
inline constexpr char kQueueBytesMaxAnnotation[] = "penstock.dev/queue-bytes-max";
inline constexpr char kQueueTimeoutAnnotation[] = "penstock.dev/queue-timeout";
// Smallest shares of priorities: "-1=0.1,0=0.2".
inline constexpr char kQueueSharesAnnotation[] = "penstock.dev/queue-shares";
// "true": they wait, too, while no endpoint is ready.
inline constexpr char kQueueWithoutEndpointsAnnotation[] = "penstock.dev/queue-without-endpoints";
// Requests of lower priorities are ended in flight for those of this one and higher ones: "0".
inline constexpr char kQueueEvictBelowAnnotation[] = "penstock.dev/queue-evict-below";
// Places of each endpoint that only requests of a priority and higher ones get: "1=4".
inline constexpr char kQueueReservedAnnotation[] = "penstock.dev/queue-reserved";
// Of an InferencePool: what each of its endpoints has when it is saturated.
inline constexpr char kSaturationWaitingAnnotation[] = "penstock.dev/saturation-waiting";
inline constexpr char kSaturationKvCacheAnnotation[] = "penstock.dev/saturation-kv-cache";
inline constexpr char kSaturationRequestsAnnotation[] = "penstock.dev/saturation-requests";
// Of a Gateway or an HTTPRoute: labels of the Secrets that hold API keys; or "none".
inline constexpr char kApiKeysAnnotation[] = "penstock.dev/api-keys";
inline constexpr char kApiKeysForwardAnnotation[] = "penstock.dev/api-keys-forward";
// Of these, and of such a Secret: what each owner of a key may use.
inline constexpr char kRequestsPerMinuteAnnotation[] = "penstock.dev/requests-per-minute";
inline constexpr char kTokensPerMinuteAnnotation[] = "penstock.dev/tokens-per-minute";
// Of such a Secret: how its owners stand in queues.
inline constexpr char kQueueWeightAnnotation[] = "penstock.dev/queue-weight";
inline constexpr char kConcurrentRequestsAnnotation[] = "penstock.dev/concurrent-requests";
inline constexpr char kConcurrentTokensAnnotation[] = "penstock.dev/concurrent-tokens";
// Of a Gateway: the type of the Service that is made for it.
inline constexpr char kServiceTypeAnnotation[] = "penstock.dev/service-type";
// Of an InferenceTrafficPolicy.
inline constexpr char kBootstrapTimeoutAnnotation[] = "penstock.dev/bootstrap-timeout";
inline constexpr char kUncachedTokensMinAnnotation[] = "penstock.dev/uncached-tokens-min";

struct OwnAnnotation {
  std::string_view kind;
  std::string_view name;
};
std::span<const OwnAnnotation> OwnAnnotations();

// What is wrong with an annotation under penstock.dev/ that objects of this kind do not have:
// `unknown, did you mean "penstock.dev/picker"?`. "" if they have it, and for all other
// annotations.
std::string WhyUnknown(std::string_view kind, std::string_view annotation);

}  // namespace gw::api
