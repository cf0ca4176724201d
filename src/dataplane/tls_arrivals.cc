#include "dataplane/tls_arrivals.h"

#include <algorithm>
#include <string>
#include <utility>

namespace gw {
namespace {

Counter& HandshakesOf(MetricRegistry& metrics, std::string_view result) {
  return metrics.AddCounter("penstock_tls_handshakes_total",
                            "TLS handshakes with clients that have ended, by what became of them.",
                            {{"result", std::string(result)}});
}

}  // namespace

TlsArrivals::TlsArrivals(TlsHandshakes& handshakes, MetricRegistry& metrics,
                         const DataplaneOptions& options, Owner owner)
    : options_(options),
      owner_(std::move(owner)),
      handshakes_(handshakes),
      ok_(HandshakesOf(metrics, "ok")),
      displaced_(HandshakesOf(metrics, "displaced")),
      resumed_(metrics.AddCounter("penstock_tls_sessions_resumed_total",
                                  "TLS handshakes with clients that resumed a session.")) {
  for (size_t i = 0; i < kFailures; ++i) {
    failed_[i] = &HandshakesOf(metrics, NameOf(static_cast<TlsFailure>(i)));
  }
}

void TlsArrivals::Begin(const ListenerKey& listener, std::unique_ptr<Stream> stream,
                        std::shared_ptr<const ServerTls> tls) {
  const Place place = arrivals_.insert(arrivals_.end(), {listener, nullptr});
  place->handshake = handshakes_.Accept(
      std::move(stream), std::move(tls), options_.tls_handshake_timeout,
      [this, place](TlsHandshake::Result result) { End(place, std::move(result)); });
  if (arrivals_.size() > options_.tls_handshakes_max) DropOldest();
}

void TlsArrivals::End(Place place, TlsHandshake::Result result) {
  const ListenerKey listener = place->listener;
  arrivals_.erase(place);
  if (result.stream == nullptr) {
    failed_[static_cast<size_t>(result.error.failure)]->Add();
    if (result.error.failure == TlsFailure::kTimeout) owner_.count_limit("tls_handshake_timeout");
    owner_.failed(listener);
    return;
  }
  ok_.Add();
  if (result.stream->tls()->resumed) resumed_.Add();
  owner_.arrived(listener, std::move(result.stream));
}

void TlsArrivals::DropOldest() {
  const ListenerKey listener = arrivals_.front().listener;
  arrivals_.pop_front();
  displaced_.Add();
  owner_.count_limit("tls_handshakes");
  owner_.failed(listener);
}

bool TlsArrivals::HasOf(const ListenerKey& listener) const {
  return std::any_of(arrivals_.begin(), arrivals_.end(),
                     [&](const Arrival& arrival) { return arrival.listener == listener; });
}

}  // namespace gw
