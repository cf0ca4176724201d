// TraceExporter: sends the spans of the records in a TraceQueue to a collector, by OTLP over HTTP
// in JSON: a batch as soon as there is one, else each second what there is. One POST is under way
// at a time; what the collector does not keep up with waits in the queue, and is dropped there.
//
// As OTLP wants it, a POST is tried again after 429, 502, 503 and 504 and where no answer came,
// after pauses that double, or as long as the collector asks for (Retry-After); any other answer
// but 2xx loses its batch. So does a batch that was tried for retry_timeout. How spans were lost
// is counted; the log says at most once a minute that they are.
//
// On its loop's thread, all of it.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "client/pool.h"
#include "net/event_loop.h"
#include "telemetry/name_lookup.h"
#include "telemetry/options.h"
#include "telemetry/trace_metrics.h"
#include "telemetry/trace_queue.h"

namespace gw {

class TraceExporter final : private ResponseHandler {
 public:
  // Everything referred to outlives it. REQUIRES: options.on()
  TraceExporter(EventLoop& loop, TraceQueue& queue, TraceMetrics& metrics,
                const TraceOptions& options, uint64_t seed);
  ~TraceExporter();

  // Enough for a batch may be here.
  void Look();
  // Sends what is left, each batch once, then calls `done`.
  void Flush(std::function<void()> done);

  static constexpr size_t kBatchSpansMax = 512;
  static constexpr size_t kBatchBytesMax = 4u << 20;
  static constexpr Duration kInterval = std::chrono::seconds(1);
  static constexpr Duration kBackOffFirst = std::chrono::seconds(1);
  static constexpr Duration kBackOffMax = std::chrono::seconds(30);

 private:
  bool TakeBatch();
  void Send();
  void Post();
  void OnResponseHead(const http::ResponseHead& head) override;
  void OnResponseBody(std::string_view piece) override;
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;
  void OnTimeout();
  void Taken();
  // The try came to nothing, and may be made again. `asked`: the pause that the collector wants.
  void TryAgain(const std::string& why, std::optional<Duration> asked);
  void Lose(Counter& counter, const std::string& why);
  void EndBatch();
  Duration NextBackOff();
  void Tell(const std::string& why);

  EventLoop& loop_;
  TraceQueue& queue_;
  TraceMetrics& metrics_;
  const TraceOptions options_;
  const ClientOptions client_options_;
  Random random_;
  ClientPool client_;
  NameLookup lookup_;
  std::optional<std::string> address_;  // of the collector, as it was found last
  std::string user_agent_;

  // The batch in work; 0 spans: there is none.
  std::string body_;
  std::string_view parts_[1];
  size_t spans_ = 0;
  TimePoint first_try_{};
  ClientCall* call_ = nullptr;
  int status_ = 0;
  std::optional<Duration> retry_after_;
  std::string answer_;

  Duration back_off_ = kBackOffFirst;
  TimePoint told_{};
  bool failing_ = false;
  std::function<void()> flushed_;  // while the end is near
  Timer look_;                     // for the next batch
  Timer pause_;                    // until the next try
  Timer timeout_;                  // of one
};

}  // namespace gw
