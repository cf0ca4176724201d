// Observed: what has come of the response of the try in work, and when.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "exchange/metrics.h"
#include "exchange/observed_response.h"

namespace gw {

struct Observed {
  ObservedResponse response;
  int status = 0;  // of its head; 0: none has come
  bool saw_first_byte = false;
  bool home_learned = false;  // of a response that the endpoint keeps
  TimePoint first_byte;
  TimePoint last_byte;
  std::shared_ptr<ExchangeSeries> series;  // that it counts in, from the first try on

  // (end - first byte) / (tokens - 1) of an event stream that is read; none: of others, and of one
  // token.
  std::optional<double> TpotSeconds() const {
    if (!saw_first_byte || !response.event_stream()) return std::nullopt;
    const int64_t estimated = response.estimated_tokens();
    const int64_t tokens = estimated > 0 ? estimated : response.reader().usage().completion_tokens;
    if (tokens <= 1) return std::nullopt;
    return ToSeconds(last_byte - first_byte) / static_cast<double>(tokens - 1);
  }

  // None has come, or it is not the client's after all.
  void Drop() {
    status = 0;
    response.Drop();
  }
  // For the next request.
  void Reset() {
    Drop();
    saw_first_byte = false;
    home_learned = false;
    series = nullptr;
  }
};

}  // namespace gw
