// Event streams that the gateway begins before an endpoint has answered (stream_keepalive).

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exchange/exchange.h"

namespace gw {

// How long an event stream may be without its first byte before the client is sent something all
// the same; nullopt: for ever, or the answer is not going to be an event stream.
std::optional<Duration> StreamKeepaliveOf(const Exchange& exchange);

// What such a stream is ended with: for the exchange's rejection, and for a model server's answer
// that is no event stream.
std::string EarlyErrorEvent(const Exchange& exchange, Rejection rejection);
std::string EarlyErrorEvent(const Exchange& exchange, int status, std::string_view body);

}  // namespace gw
