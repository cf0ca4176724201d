// Rejection: why the gateway itself answers a request, and with what. One table for all front ends.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/head.h"
#include "inference/parser.h"

namespace gw {

enum class Rejection : uint8_t {
  kNone,
  kBadRequest,     // not HTTP that all parsers read alike
  kAmbiguousName,  // a header field that servers take for another one
  kExpectation,    // Expect with something other than 100-continue
  kMalformedBody,  // not the JSON that the API wants; the detail says what
  kUriTooLong,
  kHeadTooLarge,
  kBodyTooLarge,
  kCorruptBody,      // not what its Content-Encoding says
  kBodyRatio,        // decoded it is too many times its size
  kUnknownEncoding,  // a Content-Encoding that is not decoded, of a body that must be read
  kVersionUnsupported,
  kUpgradeRefused,
  kNoRoute,
  kUnknownModel,
  kUnauthorized,  // no API key, or nobody's
  kRequestRate,   // of the key's owner, per minute
  kTokenRate,
  kSaturated,
  kQueueFull,
  kQueueTimeout,
  kMaxRequests,         // as many are here as may be, of the pool or of the route
  kMaxWaiting,          // as many wait as may
  kEvicted,             // ended in flight for one of a higher priority
  kRuleUnsupported,     // the rule needs something that is not built
  kNoValidDestination,  // every backendRef (or the share drawn) does not resolve
  kPoolUnservable,
  kNoEndpoint,     // the pool has no ready endpoint
  kUnreachable,    // no try came to a connection
  kConnectFailed,  // the last try was sent and came to no response
  kBadResponse,    // the endpoint's answer is not HTTP
  kTlsFailed,      // the last try came to no TLS handshake
  kTimeout,
  kBootstrapTimeout,  // of a disaggregated request: no KV cache in time
  kNotDisaggregated,  // the pool has no endpoint that serves such a request alone
  kLocalResources,    // no descriptor or port is left for a connection to the endpoint
  kShuttingDown,
  kBodyTimeout,       // the request's body comes too slowly
  kTooManyBytesHeld,  // the gateway holds as much as it may
  kMisdirected,       // over TLS: the host is of another listener than the connection's SNI
};

struct RejectionInfo {
  int status;
  std::string_view code;  // error.code for the client, label for metrics and logs
  std::string_view text;  // used when there is no detail
  int retry_after_s;      // 0: no Retry-After
};
const RejectionInfo& InfoOf(Rejection rejection);
size_t RejectionCount();  // with kNone

// What a refused head is answered with.
Rejection RejectionFor(http::HeadError error);

}  // namespace gw
