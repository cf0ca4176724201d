// TlsArrivals: clients of one worker that have connected to an HTTPS listener and have not ended
// their handshake. They are no clients yet: each has a time-out, and there is a limit to how many
// there are, beyond which the one that began first goes: who floods a listener with connections
// that say nothing displaces those, and others come through.

#pragma once

#include <array>
#include <functional>
#include <list>
#include <memory>

#include "dataplane/options.h"
#include "net/tls.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"
#include "tls/server_tls.h"

namespace gw {

class TlsArrivals {
 public:
  struct Owner {
    // A handshake has succeeded; its stream has no observer yet.
    std::function<void(const ListenerKey&, std::unique_ptr<Stream>)> arrived;
    // One that is counted by nothing any more: it came to nothing.
    std::function<void(const ListenerKey&)> failed;
    std::function<void(std::string_view limit)> count_limit;
  };
  // Everything referred to outlives it.
  TlsArrivals(TlsHandshakes& handshakes, MetricRegistry& metrics, const DataplaneOptions& options,
              Owner owner);

  void Begin(const ListenerKey& listener, std::unique_ptr<Stream> stream,
             std::shared_ptr<const ServerTls> tls);
  bool empty() const { return arrivals_.empty(); }
  bool HasOf(const ListenerKey& listener) const;
  // Abandons them all, and tells nobody.
  void Clear() { arrivals_.clear(); }

 private:
  struct Arrival {
    ListenerKey listener;
    std::unique_ptr<TlsHandshake> handshake;
  };
  using Place = std::list<Arrival>::iterator;

  void End(Place place, TlsHandshake::Result result);
  void DropOldest();

  static constexpr size_t kFailures = static_cast<size_t>(TlsFailure::kOther) + 1;

  const DataplaneOptions& options_;
  const Owner owner_;
  TlsHandshakes& handshakes_;
  std::list<Arrival> arrivals_;  // the oldest first
  std::array<Counter*, kFailures> failed_;
  Counter& ok_;
  Counter& displaced_;
  Counter& resumed_;
};

}  // namespace gw
