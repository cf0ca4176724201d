#include "translate/features.h"

namespace gw::internal {
namespace {

// Names of the Gateway API's features of which all is served, sorted; each of their tests in the
// conformance suite has its scenario (docs/gateway-api.md). GatewayHTTPSListenerDetectMisdirected-
// Requests is not among them, as its test wants HTTP/2, nor is SupportInferencePool, which takes in
// external endpoint pickers.
constexpr const char* kFeatures[] = {"BackendTLSPolicy",
                                     "BackendTLSPolicySANValidation",
                                     "Gateway",
                                     "GatewayAddressEmpty",
                                     "GatewayBackendClientCertificate",
                                     "GatewayFrontendClientCertificateValidation",
                                     "GatewayFrontendClientCertificateValidationInsecureFallback",
                                     "GatewayHTTPListenerIsolation",
                                     "GatewayPort8080",
                                     "GatewayStaticAddresses",
                                     "HTTPRoute",
                                     "HTTPRoute303RedirectStatusCode",
                                     "HTTPRoute307RedirectStatusCode",
                                     "HTTPRoute308RedirectStatusCode",
                                     "HTTPRouteBackendRequestHeaderModification",
                                     "HTTPRouteBackendTimeout",
                                     "HTTPRouteCORS",
                                     "HTTPRouteDestinationPortMatching",
                                     "HTTPRouteHostRewrite",
                                     "HTTPRouteMethodMatching",
                                     "HTTPRouteNamedRouteRule",
                                     "HTTPRouteParentRefPort",
                                     "HTTPRoutePathRedirect",
                                     "HTTPRoutePathRewrite",
                                     "HTTPRoutePortRedirect",
                                     "HTTPRouteQueryParamMatching",
                                     "HTTPRouteRequestMirror",
                                     "HTTPRouteRequestMultipleMirrors",
                                     "HTTPRouteRequestPercentageMirror",
                                     "HTTPRouteRequestTimeout",
                                     "HTTPRouteResponseHeaderModification",
                                     "HTTPRouteRetry",
                                     "HTTPRouteRetryBackendTimeout",
                                     "HTTPRouteRetryConnectionError",
                                     "HTTPRouteSchemeRedirect",
                                     "ReferenceGrant"};

}  // namespace

std::vector<std::string> SupportedFeatures(const TranslateOptions& options) {
  std::vector<std::string> features(std::begin(kFeatures), std::end(kFeatures));
  if (options.managed_from) std::erase(features, "GatewayStaticAddresses");
  return features;
}

}  // namespace gw::internal
