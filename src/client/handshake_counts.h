// HandshakeCounts: what became of the TLS handshakes with endpoints, for metrics: those of workers
// and of the scraper are counted in the same series.

#pragma once

#include <array>

#include "net/tls.h"
#include "stats/metrics.h"

namespace gw {

class HandshakeCounts {
 public:
  explicit HandshakeCounts(MetricRegistry& registry);
  void Count(const TlsHandshake::Result& result);

 private:
  static constexpr size_t kFailures = static_cast<size_t>(TlsFailure::kOther) + 1;

  Counter& ok_;
  Counter& resumed_;
  std::array<Counter*, kFailures> failed_;
};

}  // namespace gw
