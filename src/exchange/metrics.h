// Metrics of exchanges. Handles are found once per worker and then used without a lock.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "exchange/queued.h"
#include "exchange/rejection.h"
#include "exchange/series_holder.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

class QueueSeries;  // queue_metrics.h

// How an exchange ended.
enum class Outcome : uint8_t {
  kComplete,       // the whole response was handed to the client
  kRejected,       // the gateway answered itself
  kClientLeft,     // the client closed before the response was complete
  kUpstreamBroke,  // the response broke off, or stalled, after parts of it were sent
  kErrorEvent,     // the stream ended in order but carried an error event
  kAborted,        // the stream ended in order with finish_reason "abort"
  kTimedOut,       // the route's request timeout cut the response
  kEvicted,        // ended for a request of a higher priority
};
std::string_view NameOf(Outcome outcome);

// Why one try of a request did not lead to a response.
enum class TryFailure : uint8_t {
  kConnectRefused,
  kConnectTimeout,
  kTlsHandshake,     // it came to nothing
  kUnreachable,      // no way there from this machine: nothing against the endpoint
  kReset,            // closed or reset before the first body byte
  kStaleConnection,  // a kept-alive connection was closed as it was used again
  kBadResponse,
  kResponseTimeout,  // no first byte within the response timeout: not tried again
  // Of the halves of a disaggregated request.
  kErrorStatus,       // answered with an error
  kBootstrapTimeout,  // the KV cache has not arrived in time
  kPushedBack,        // refused with 429 or 503 by an endpoint that has too many
  kLocalResources,    // the gateway itself has no descriptor, port or memory for a connection
};
inline constexpr size_t kTryFailures = static_cast<size_t>(TryFailure::kLocalResources) + 1;
std::string_view NameOf(TryFailure failure);

// Why a pool's fallback serves in its place.
enum class FallbackReason : uint8_t {
  kNoEndpoint,   // none can be asked
  kSaturated,    // all are
  kTriesFailed,  // those that were asked did not answer, and no other is left to ask
  kMaxRequests,  // it has as many requests as it may
};
inline constexpr size_t kFallbackReasons = static_cast<size_t>(FallbackReason::kMaxRequests) + 1;
std::string_view NameOf(FallbackReason reason);

// The series of one pool, model and target model.
class ExchangeSeries : private SeriesHolder {
 public:
  ExchangeSeries(MetricRegistry& registry, std::string_view pool, std::string_view model,
                 std::string_view target_model);

  void CountRequest(int status, Outcome outcome) { RequestsOf(status, outcome).Add(); }
  Counter& RequestsOf(int status, Outcome outcome);

  Gauge& in_flight;
  Histogram& duration;
  Histogram& ttft;
  Histogram& inter_token;
  Histogram& tpot;
  Counter& prompt_tokens;
  Counter& cached_tokens;
  Counter& completion_tokens;
  Counter& estimated_tokens;  // of them, counted by events
  Counter& prefix_hit_blocks;
  Counter& prefix_blocks;

 private:
  MetricRegistry& registry_;
  Labels labels_;
  std::map<uint32_t, Counter*> requests_;
};

// What befell the tries of one pool's requests.
class TrySeries : private SeriesHolder {
 public:
  TrySeries(MetricRegistry& registry, std::string_view pool);

  Counter& ejections;
  Counter& pushbacks;
  std::array<Counter*, kTryFailures> retries;
  std::array<Counter*, kFallbackReasons> fallbacks;
};

// The series of one pool that serves disaggregated.
class PhaseSeries : private SeriesHolder {
 public:
  PhaseSeries(MetricRegistry& registry, std::string_view pool);

  Histogram& prefill;   // the pair's dispatch to the end of the prefill half
  Histogram& transfer;  // from there to the first byte of the decode half; streams only
  Histogram& decode;    // from there to its end
  Counter& pairs;
  Counter& alone;
  Counter& recomputed;
  Counter& bootstrap_timeouts;
  Counter& leases_abandoned;
  Counter& leases_expired;
  std::array<Counter*, kTryFailures> prefill_failures;
  std::array<Counter*, kTryFailures> decode_failures;
};

// What the owner of API keys is counted by.
struct OwnerSeries {
  OwnerSeries(MetricRegistry& registry, const std::string& owner);

  Counter& requests;
  Counter& refused_requests;  // by the owner's limits
  Counter& refused_tokens;
  Counter& tokens;
};

// Makes the series of a configuration, so that they stand at 0 before anything is counted: an alert
// on a series that is not there never fires. Those of names that are not configured, and of other
// statuses than 200, begin with their first event.
void ShowSeries(MetricRegistry& registry, const Snapshot& snapshot);

// One per worker. Not thread-safe; the registry behind it is.
class ExchangeMetrics {
 public:
  explicit ExchangeMetrics(MetricRegistry& registry);

  // Where the model's name comes from: the pool's InferenceModels (or it is empty), or a client of
  // a pool that takes any; such a name counts for nothing until a model server has taken it.
  enum class ModelName : uint8_t { kConfigured, kUnproven, kInvented };
  // The series for a pool, a requested model and a target model. Of invented names the first of
  // each pool have series of their own (MetricRegistry::open_values_max); the rest share the model
  // "other", which is counted. An unproven one has that of an invented one if there is one, else
  // the empty model's. To be held by who counts with them: the pool may go meanwhile.
  std::shared_ptr<ExchangeSeries> For(std::string_view pool, std::string_view model,
                                      std::string_view target_model, ModelName from);
  PhaseSeries& PhasesOf(std::string_view pool);
  void CountDisaggregation(std::string_view pool, bool alone);
  void CountHalfFailure(std::string_view pool, std::string_view half, TryFailure reason);
  void CountRetry(std::string_view pool, TryFailure failure);
  void CountEjection(std::string_view pool);
  void CountPushback(std::string_view pool);
  // `tenant` may be of a client's choice (MetricRegistry::open_values_max).
  void CountQueued(std::string_view pool, int priority, std::string_view tenant, QueueResult result,
                   Duration waited);
  void CountFallback(std::string_view pool, FallbackReason reason);
  // `result`: what became of the session of a request to that pool.
  void CountSession(std::string_view pool, std::string_view result);
  void CountRule(std::string_view route, std::string_view rule);
  // A copy that a filter of the route wanted.
  void CountMirror(std::string_view route, std::string_view result);
  // A connection that failed for a reason of the gateway's own machine.
  void CountOwnFailure(TryFailure failure) { OwnFailures(failure).Add(); }
  Counter& OwnFailures(TryFailure failure);
  void CountRejection(Rejection rejection);
  // A request of an API key's owner that has ended. `refused`: kNone if it was not.
  void CountOwner(std::string_view owner, Rejection refused, int64_t tokens);
  void CountLimit(std::string_view limit) { LimitOf(limit).Add(); }
  // Made if missing: shown at 0.
  Counter& LimitOf(std::string_view limit);

 private:
  TrySeries& TriesOf(std::string_view pool);
  template <typename Make>
  Counter& OtherOf(char family, std::string_view a, std::string_view b, Make make);
  // Lets go of what was found before series were removed: a pool of the same name may be another.
  void ForgetRemoved();

  MetricRegistry& registry_;
  uint64_t removals_ = 0;
  std::string key_;
  absl::flat_hash_map<std::string, std::shared_ptr<ExchangeSeries>> series_;
  absl::flat_hash_map<std::string, std::unique_ptr<TrySeries>> tries_;
  absl::flat_hash_map<std::string, std::unique_ptr<PhaseSeries>> phases_;
  absl::flat_hash_map<std::string, std::shared_ptr<QueueSeries>> queued_;
  // Of what few configurations have, by family and labels.
  absl::flat_hash_map<std::string, std::shared_ptr<Counter>> others_;
  std::map<std::string, OwnerSeries, std::less<>> owners_;
  std::map<std::string, Counter*, std::less<>> limits_;
  std::vector<Counter*> rejections_;  // by Rejection
};

}  // namespace gw
