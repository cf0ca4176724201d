#include "client/handshake_counts.h"

#include <string>

namespace gw {
namespace {

Counter& HandshakesOf(MetricRegistry& registry, std::string_view result) {
  return registry.AddCounter("penstock_endpoint_tls_handshakes_total",
                             "TLS handshakes with endpoints that have ended, by what became of "
                             "them.",
                             {{"result", std::string(result)}});
}

}  // namespace

HandshakeCounts::HandshakeCounts(MetricRegistry& registry)
    : ok_(HandshakesOf(registry, "ok")),
      resumed_(registry.AddCounter("penstock_endpoint_tls_sessions_resumed_total",
                                   "TLS handshakes with endpoints that resumed a session.")) {
  for (size_t i = 0; i < kFailures; ++i) {
    failed_[i] = &HandshakesOf(registry, NameOf(static_cast<TlsFailure>(i)));
  }
}

void HandshakeCounts::Count(const TlsHandshake::Result& result) {
  if (result.stream == nullptr) {
    failed_[static_cast<size_t>(result.error.failure)]->Add();
    return;
  }
  ok_.Add();
  if (result.stream->tls()->resumed) resumed_.Add();
}

}  // namespace gw
