// Exchange: one request and its response as a state machine, without I/O. It is the only place that
// knows the order of the steps: route -> parse -> admit -> schedule -> endpoint -> observe -> end.
//
// A front end drives it and does what the returned Step says:
//
//   Begin -> OnRequestHead -> kReadBody -> OnRequestBody -> kForward -> OnResponseHead
//         -> OnResponseBody* -> OnResponseEnd -> End
//
// OnTryFailed may follow kForward as long as nothing was sent to the client; it answers kForward
// (to another endpoint) or kRespond. End is called exactly once for every Begin, whatever happened,
// and gives back everything that the request held. Used by one worker thread; reused for request
// after request, so that a request allocates little.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "exchange/history.h"
#include "exchange/metrics.h"
#include "exchange/rejection.h"
#include "http/head.h"
#include "http/url.h"
#include "inference/parser.h"
#include "inference/request.h"
#include "inference/response.h"
#include "prefix/index.h"
#include "scheduling/profile.h"
#include "snapshot/snapshot.h"

namespace gw {

// What the exchanges of one worker share. Outlives them.
struct ExchangeEnvironment {
  ExchangeEnvironment(const Clock& c, uint64_t seed, PrefixIndex& i, MetricRegistry& registry)
      : clock(c), random(seed), index(i), metrics(registry) {}

  const Clock& clock;  // wall time for log lines only; steps are given their time
  Random random;
  PrefixIndex& index;
  ExchangeMetrics metrics;
  InferenceParser parser;
  // Working memory of a decision.
  SchedulingScratch scratch;
  std::vector<EndpointView> views;
  std::vector<uint32_t> slots;
  std::vector<uint32_t> hits;
  RequestRecord record;
  RequestHistory history;
  bool log_requests = true;
};

struct Step {
  enum class Kind : uint8_t {
    kReadBody,    // collect the request's body (it may be empty), then OnRequestBody
    kForward,     // send the request to endpoint()
    kListModels,  // answer with the merged model lists of rule()'s pools
    kRespond,     // answer with `rejection`
  };
  Kind kind = Kind::kRespond;
  Rejection rejection = Rejection::kNone;
};

class Exchange {
 public:
  // Further tries after the first.
  static constexpr int kRetriesMax = 2;
  // Bytes that must be readable past the end of a body given to OnRequestBody.
  static constexpr size_t kBodyPadding = InferenceParser::kPadding;

  explicit Exchange(ExchangeEnvironment& environment) : env_(environment) {}

  // A request's first byte was seen at `now`. Pins `snapshot`, which may be null (503).
  void Begin(std::shared_ptr<const Snapshot> snapshot, uint16_t port, std::string_view client_ip,
             TimePoint now);
  // `head` must stay valid until End.
  Step OnRequestHead(const http::RequestHead& head);
  // REQUIRES: kBodyPadding readable bytes after body.end(); body valid until End.
  Step OnRequestBody(std::string_view body, TimePoint now);
  Step OnTryFailed(TryFailure failure, TimePoint now);
  void OnResponseHead(const http::ResponseHead& head);
  void OnResponseBody(std::string_view bytes, TimePoint now);
  void OnResponseEnd();
  // The response broke off after parts of it were sent: charged to the endpoint.
  void OnStreamBroken(TimePoint now);
  // What a broken stream is ended with: an error event, or nothing if the body is not a stream.
  std::string ErrorEventFor(Rejection rejection) const;
  // `status`: what was sent to the client; 0 if nothing was.
  void End(Outcome outcome, int status, TimePoint now);
  // The outcome of a response that ended in order.
  Outcome OutcomeOfEnd() const;

  bool active() const { return active_; }
  std::string_view request_id() const { return request_id_; }
  const Snapshot& snapshot() const { return *snapshot_; }
  const RouteRule* rule() const { return rule_; }
  const PoolEntry* pool() const { return pool_; }
  const Endpoint& endpoint() const { return *decision_.endpoint; }
  const InferenceRequest& request() const { return request_; }
  // The body to send: `splice().head` is all of it if the model name stays.
  const Splice& splice() const { return splice_; }
  bool is_event_stream() const { return event_stream_; }
  const http::Target& target() const { return target_; }

  // The body and status line facts of a rejection, in the client's dialect.
  std::string RejectionBody(Rejection rejection) const;
  // A rejection that the front end found: a limit or a timeout of its own.
  void set_rejection(Rejection rejection) { rejection_ = rejection; }

 private:
  Step Reject(Rejection rejection);
  Step RouteToPool();
  Step ParseBody();
  Step Admit(TimePoint now);
  Step ScheduleTry(TimePoint now);
  void FillPrefixHits();
  void Dispatch(TimePoint now);
  void ReleaseTry();
  // What a failed try says about the endpoint's health.
  void ChargeEndpoint(TryFailure failure, TimePoint now);
  void FillRecord(Outcome outcome, int status, TimePoint now);

  ExchangeEnvironment& env_;
  bool active_ = false;
  std::shared_ptr<const Snapshot> snapshot_;
  uint16_t port_ = 0;
  std::string client_ip_;
  TimePoint began_;
  const http::RequestHead* head_ = nullptr;
  http::Target target_;
  std::string request_id_;
  const RouteRule* rule_ = nullptr;
  const PoolEntry* pool_ = nullptr;
  InferenceRequest request_;
  std::string_view body_;
  Splice splice_;
  Rejection rejection_ = Rejection::kNone;
  std::string detail_;

  // The current try.
  Decision decision_;
  std::shared_ptr<EndpointState> held_;  // in-flight counts are held there
  int64_t held_prompt_tokens_ = 0;
  int64_t held_context_tokens_ = 0;
  std::vector<uint32_t> tried_slots_;
  int tries_ = 0;
  TimePoint dispatched_;

  // The response.
  ResponseReader reader_;
  bool event_stream_ = false;
  int upstream_status_ = 0;
  TimePoint first_byte_;
  TimePoint last_byte_;
  bool saw_first_byte_ = false;
  ExchangeSeries* series_ = nullptr;
};

}  // namespace gw
