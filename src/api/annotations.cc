#include "api/annotations.h"

#include <vector>

#include "api/gateway.h"
#include "base/suggest.h"

namespace gw::api {
namespace {

constexpr std::string_view kOwnPrefix = "penstock.dev/";
constexpr OwnAnnotation kOwn[] = {
    {"Gateway", kApiKeysAnnotation},
    {"Gateway", kApiKeysForwardAnnotation},
    {"Gateway", kCertificateFileOption},
    {"Gateway", kKeyFileOption},
    {"Gateway", kRequestsPerMinuteAnnotation},
    {"Gateway", kServiceTypeAnnotation},
    {"Gateway", kTokensPerMinuteAnnotation},
    {"HTTPRoute", kApiKeysAnnotation},
    {"HTTPRoute", kApiKeysForwardAnnotation},
    {"HTTPRoute", kLogLevelAnnotation},
    {"HTTPRoute", kLogRequestsAnnotation},
    {"HTTPRoute", kMaxRequestsAnnotation},
    {"HTTPRoute", kMaxWaitingAnnotation},
    {"HTTPRoute", kRequestsPerMinuteAnnotation},
    {"HTTPRoute", kStickyAnnotation},
    {"HTTPRoute", kStreamKeepaliveAnnotation},
    {"HTTPRoute", kTokensPerMinuteAnnotation},
    {"InferencePool", kEndpointCredentialsAnnotation},
    {"InferencePool", kEndpointSchemeAnnotation},
    {"InferencePool", kEndpointTlsServerNameAnnotation},
    {"InferencePool", kEndpointTlsVerifyAnnotation},
    {"InferencePool", kFallbackAnnotation},
    {"InferencePool", kMaxRequestsAnnotation},
    {"InferencePool", kMaxWaitingAnnotation},
    {"InferencePool", kPickerAnnotation},
    {"InferencePool", kPrefixBlockCharsAnnotation},
    {"InferencePool", kPrefixBlocksMaxAnnotation},
    {"InferencePool", kQueueBytesMaxAnnotation},
    {"InferencePool", kQueueEvictBelowAnnotation},
    {"InferencePool", kQueueRequestsMaxAnnotation},
    {"InferencePool", kQueueReservedAnnotation},
    {"InferencePool", kQueueSharesAnnotation},
    {"InferencePool", kQueueTimeoutAnnotation},
    {"InferencePool", kQueueWithoutEndpointsAnnotation},
    {"InferencePool", kQueueingAnnotation},
    {"InferencePool", kRoutingStrategyAnnotation},
    {"InferencePool", kSaturationKvCacheAnnotation},
    {"InferencePool", kSaturationRequestsAnnotation},
    {"InferencePool", kSaturationWaitingAnnotation},
    {"InferencePool", kStreamKeepaliveAnnotation},
    {"InferencePool", kStreamUsageAnnotation},
    {"InferenceTrafficPolicy", kBootstrapTimeoutAnnotation},
    {"InferenceTrafficPolicy", kUncachedTokensMinAnnotation},
    {"Pod", kTargetPortAnnotation},
    {"Secret", kConcurrentRequestsAnnotation},
    {"Secret", kConcurrentTokensAnnotation},
    {"Secret", kQueueWeightAnnotation},
    {"Secret", kRequestsPerMinuteAnnotation},
    {"Secret", kTokensPerMinuteAnnotation},
};

}  // namespace

std::span<const OwnAnnotation> OwnAnnotations() { return kOwn; }

std::string WhyUnknown(std::string_view kind, std::string_view annotation) {
  if (!annotation.starts_with(kOwnPrefix)) return "";
  std::vector<std::string_view> known;
  std::string others;  // kinds that have it
  for (const OwnAnnotation& own : kOwn) {
    if (own.kind == kind && own.name == annotation) return "";
    if (own.kind == kind) known.push_back(own.name);
    if (own.name == annotation) others.append(others.empty() ? "" : " and ").append(own.kind);
  }
  if (!others.empty()) return "is not read on this kind, only on " + others;
  std::string why = "unknown" + DidYouMean(annotation, known);
  if (known.empty()) return why + ", this kind has none under " + std::string(kOwnPrefix);
  if (why != "unknown") return why;
  why += "; known are ";
  for (size_t i = 0; i < known.size(); ++i) {
    if (i > 0) why += i + 1 < known.size() ? ", " : " and ";
    why += known[i];
  }
  return why;
}

}  // namespace gw::api
