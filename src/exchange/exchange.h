// Exchange: one request and its response as a state machine, without I/O. It is the only place that
// knows the order of the steps: route -> parse -> admit -> schedule -> endpoint -> observe -> end.
//
// A front end drives it and does what the returned Step says:
//
//   Begin -> OnRequestHead -> kReadBody -> OnRequestBody -> kForward -> OnResponseHead
//         -> OnResponseBody* -> OnResponseEnd -> End
//
// Its state is that of the stages which a request passes, each of them with a header of its own:
// asked, routed, parsed_body, counted, queued, tried, observed. Where its pool has a queue, or the
// environment a gate (gate.h), OnRequestBody may answer kWait, and OnGateAnswer goes on.
//
// OnTryFailed may follow kForward as long as nothing was sent to the client; it answers kForward
// (to another endpoint) or kRespond. Where the rule says how tries are repeated (RetryPolicy) it
// may answer kBackOff, and so may OnResponseHead: nothing is held of any endpoint until
// OnBackOffOver.
//
// A disaggregated request has two halves and may answer kPrefill or kForwardPair: pair.h.
//
// Rule and pool are found at the head, unless they depend on the model that the body names.
//
// End is called exactly once for every Begin, whatever happened, and gives everything back. Used by
// one worker thread, for request after request, so that a request allocates little.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "exchange/asked.h"
#include "exchange/authorized.h"
#include "exchange/counted.h"
#include "exchange/environment.h"
#include "exchange/gate.h"
#include "exchange/model_list.h"
#include "exchange/observed.h"
#include "exchange/parsed_body.h"
#include "exchange/queued.h"
#include "exchange/released.h"
#include "exchange/routed.h"
#include "exchange/session.h"
#include "exchange/spares.h"
#include "exchange/step.h"
#include "exchange/sticky.h"
#include "exchange/traced.h"
#include "exchange/tried.h"
#include "snapshot/snapshot.h"

namespace gw {

class Exchange {
 public:
  // Bytes that must be readable past the end of a body given to OnRequestBody.
  static constexpr size_t kBodyPadding = InferenceParser::kPadding;

  // `waiter` hears of gates' answers. It may be null if the environment has no gate.
  explicit Exchange(ExchangeEnvironment& environment, Waiter* waiter = nullptr)
      : env_(environment),
        waiter_(waiter),
        tried_(environment.spare_tried),
        observed_(environment.spare_observed) {}
  // A request's first byte was seen at `now`. Pins `snapshot`, which may be null (503).
  void Begin(std::shared_ptr<const Snapshot> snapshot, const ListenerKey& listener,
             const ClientIdentity& client, TimePoint now);
  // The same for a front end whose requests have a pool and no route.
  void BeginAtPool(std::shared_ptr<const Snapshot> snapshot, std::string_view pool_id,
                   const ClientIdentity& client, TimePoint now);
  // What came is no head that can be understood, so that the request has no id of its own.
  void OnRefusedHead();
  // `head` must stay valid until End.
  Step OnRequestHead(const http::RequestHead& head);
  // REQUIRES: kBodyPadding readable bytes after body.end(); body valid until End.
  Step OnRequestBody(std::string_view body, TimePoint now);
  // After kBackOff, and back_off() has passed.
  Step OnBackOffOver(TimePoint now);
  // After kWait, and queue_deadline() has passed. REQUIRES: queues(). kContinue: its turn has come
  // just so, OnGateAnswer follows.
  Step OnQueueTimeout(TimePoint now);
  // The route's time for one try is over. REQUIRES: !is_pair(), nothing was sent to the client
  Step OnTryTimeout(TimePoint now);
  // By Waiter::OnEvicted. kRespond: it is to end; where parts of the answer were sent by an error
  // event. kContinue: it goes on after all.
  Step OnEvicted(int for_priority);
  // After kWait. `newest`: the Snapshot that is newest now, whose version of the pool is taken.
  Step OnGateAnswer(std::shared_ptr<const Snapshot> newest, GateAnswer answer, TimePoint now);
  // `detail`: what is known besides, for the record of the request.
  Step OnTryFailed(TryFailure failure, bool sent_whole, TimePoint now,
                   std::string_view detail = {});
  // Anything but kContinue: that response is not the client's, another try is.
  Step OnResponseHead(const http::ResponseHead& head, TimePoint now);
  void OnResponseBody(std::string_view bytes, TimePoint now);
  void OnResponseEnd(TimePoint now);
  // What came of the response is to be kept: none of it is output, another pair may be tried yet.
  bool holds_response() const;
  // After the pieces of one read, while holds_response(). Answers as OnResponseHead does.
  Step OnResponseHeld(TimePoint now);
  // What is held goes out all the same: a limit is reached, or the stream has ended.
  void ReleaseResponse(TimePoint now);
  // The prefill half, after kPrefill or kForwardPair. What is not a success carries its body.
  // kContinue: the decode half goes on.
  Step OnPrefillEnd(HeldAnswer answer, TimePoint now);
  Step OnPrefillFailed(TryFailure failure, bool sent_whole, TimePoint now,
                       std::string_view detail = {});
  Step OnBootstrapTimeout(TimePoint now);  // REQUIRES: awaits_kv_cache()
  // The route's time for one try is over. REQUIRES: is_pair(), nothing was sent to the client
  Step OnPairTimeout(TimePoint now);
  // The response broke off after parts of it were sent, which is charged to the endpoint; true if
  // the stream's last event had come, so that it has ended in order.
  bool OnStreamBroken(TimePoint now);
  // What a broken stream is ended with: an error event, or nothing if the body is not a stream.
  std::string ErrorEventFor(Rejection rejection) const;
  // A try that has a head may still fail and be followed by another one.
  bool may_try_again() const;
  // `status`: what was sent to the client; 0 if nothing was.
  void End(Outcome outcome, int status, TimePoint now);
  Outcome OutcomeOfEnd() const;  // of a response that ended in order
  // The client left with all that came: SDKs do at the last event, before the end of the message.
  Outcome OutcomeOfLeaving() const;

  bool active() const { return active_; }
  bool waits() const { return wait_id_ != 0; }
  bool queues() const { return waits() && queued_.queue != nullptr; }
  TimePoint queue_deadline() const { return queued_.deadline; }
  TimePoint began() const { return asked_.began; }
  std::string_view request_id() const { return asked_.request_id; }
  const http::Target& target() const { return asked_.target; }
  const Asked& asked() const { return asked_; }
  const PoolEntry* PoolById(std::string_view id) const { return routed_.FindById(id); }
  const std::shared_ptr<const Snapshot>& snapshot() const { return routed_.snapshot(); }
  // nullptr until the body has come, maybe, and where the request began at a pool.
  const RouteRule* rule() const { return routed_.rule(); }
  const Authorized& authorized() const { return authorized_; }
  const ModelListRules& model_rules() const { return routed_.model_rules(); }  // of kListModels
  FilterChain filters() const { return routed_.filters(); }
  const FilterAnswer& filter_answer() const { return filter_answer_; }  // of kAnswer
  const PoolEntry* pool() const { return routed_.pool(); }  // nullptr: not found yet, or it waits
  std::optional<Duration> stream_keepalive() const { return routed_.stream_keepalive(); }
  // After OnRequestHead: what the body says decides something, so that it must not stay coded.
  bool reads_body() const;
  // The value of kModelNameField in place of the client's own (empty: the field must not be sent);
  // nullopt: the client's is left alone.
  std::optional<std::string_view> model_field() const;
  const InferenceRequest& request() const { return parsed_.request; }
  BodyEdit& body() { return tried_->body; }
  // Asks in the client's place. What comes of it must be taken out, and so not be coded.
  bool asks_usage() const { return parsed_.usage_ask.has_value(); }
  // What must be undone before OnRequestBody, in the order in which it was applied.
  std::span<const http::ContentCoding> body_codings() const { return parsed_.codings; }

  const Endpoint& endpoint() const { return *tried_->decision.endpoint; }
  bool is_repeatable() const;  // may be sent again after a server may have acted on it
  const Traced& traced() const { return traced_; }
  // That its spans will carry; nullptr: none.
  const PromptMessages* traced_prompt() const { return parsed_.messages.get(); }
  SpanId try_span() const { return tried_->notes.span(); }
  SpanId prefill_span() const { return tried_->notes.prefill_span(); }
  const Tries& tries() const { return tried_->failed; }
  bool is_first_try() const { return tried_->count == 1; }
  bool backs_off() const { return tried_->backs_off; }
  Duration back_off() const { return tried_->back_off; }  // of kBackOff
  bool is_pair() const { return tried_->pair.active; }
  const Endpoint& prefill_endpoint() const { return *tried_->pair.decision.endpoint; }
  BodyEdit& prefill_body() {
    return tried_->pair.runtime == Runtime::kSglang ? tried_->body : tried_->pair.body;
  }
  // Of the prefill half a successful answer is needed, too.
  bool needs_prefill_answer() const { return tried_->pair.runtime == Runtime::kVllm; }
  bool awaits_kv_cache() const;  // a pair's, which has not provably arrived at decode
  const HeldAnswer& held_answer() const { return tried_->pair.answer; }

  const ObservedResponse& response() const { return observed_->response; }
  // What the answer tells its client of a session; nullopt: nothing. Once, for the answer that is
  // the client's. REQUIRES: a try is under way
  std::optional<http::HeaderField> SessionField(std::string* storage);
  // The answer's field with the cookie that its client is given to stay with a version by; nullopt:
  // it is given none.
  std::optional<http::HeaderField> StickyField(std::string* storage) const;
  // The pieces of one read become what the client gets. REQUIRES: response().filtered()
  void FilterResponse(std::vector<std::string_view>* pieces, bool last);
  std::string RejectionBody(Rejection rejection) const;  // in the client's dialect
  std::string_view rejection_text() const;
  int RetryAfterSeconds(Rejection rejection) const;  // 0: not to be told
  // Of the front end's own: a rejection; a limit that this request has reached.
  void set_rejection(Rejection rejection) { rejection_ = rejection; }
  void CountLimit(std::string_view limit);
  // The model list does not hold the one that was asked for; kUnknownModel says so.
  void OnModelNotListed();

 private:
  void BeginWith(const ClientIdentity& client, TimePoint now);
  Step Reject(Rejection rejection);
  Step Reject(Refusal refusal);

  // body.cc
  Step RouteByHead();
  void AskAsAnyOther();
  Step FindPool();
  Step AnswerByFilter();
  Refusal CheckKey();
  Refusal CheckKeyOfList();
  Refusal ReserveTokens(TimePoint now);
  Step ReadCodings();
  Step RouteByBody();
  Step RefuseBody();
  Step TakeBody();
  void HashPrompt();
  Step RefuseModel();

  // admit.cc
  Step Admit(TimePoint now);
  bool IsShort(TimePoint now);
  std::optional<int> ObjectivePriority() const;
  Criticality FindCriticality() const;
  Step AskGate(Criticality criticality, TimePoint now);
  Step TakeAnswer(GateAnswer answer, TimePoint now);
  Step Wait();
  void StopWaiting();
  void LeaveGate(TimePoint now);

  // count_in.cc
  bool CountInRoute();
  bool CountInPool();
  std::string_view CountAsWaiting();
  Step RejectAsTooMany(Rejection rejection, std::string_view why);

  // queue.cc
  bool NeedsTurn() const;
  int FindPriority() const;
  void FindTenant();
  Refusal FindDeadline(TimePoint now);
  Step AskQueue(TimePoint now);
  Step WaitForTurn(const FairQueue::Request& request, TimePoint now);
  Step RejectQueued(QueueResult result, const RequestQueue& queue);
  void TakeTurn(GateAnswer* answer, TimePoint now);
  void LeaveQueue(TimePoint now);
  void UseTurn();
  void SetStage(Victims::Stage stage);
  void EndTurn(Outcome outcome);

  Step ScheduleTry(TimePoint now);
  Step ScheduleInPool(TimePoint now);
  Step ScheduleWhole(const Pool& pool, const Profile& profile, bool uses_prefix, TimePoint now);
  Decision Choose(const Pool& pool, const Profile& profile, bool uses_prefix, TimePoint now);
  Decision ChooseOfSample(const Profile& profile, bool uses_prefix, TimePoint now);
  void TakeSample(const Pool& pool, TimePoint now);
  bool IsInUse(size_t row, TimePoint now, Standing last = Standing::kInUse) const;
  Decision DecisionFor(size_t row) const;
  Decision ChooseInOrder(TimePoint now) const;
  void DispatchWhole(TimePoint now);
  void CountDispatch(const Decision& decision);
  void FindSeries(ExchangeMetrics::ModelName invented);
  void ReleaseTry(TimePoint now);
  void ChargeEndpoint(EndpointState& state, TryFailure failure, TimePoint now);
  void ChargeStatus(EndpointState& state, int status, TimePoint now);
  Step RepeatStale(bool sent_whole, TimePoint now);
  bool HasOtherInUse(const Pool& pool, TimePoint now);
  int RepeatsMax() const;
  // What may follow a try, of one endpoint or of a pair of them, that has failed.
  enum class Again : uint8_t { kNo, kOverFreshConnection, kElsewhere };
  void FailTry(TryFailure failure, bool sent_whole);
  Again AfterFailure(TryFailure failure, bool sent_whole, bool worth_another);

  // pushback.cc
  bool IsPushbackHere(int status) const;
  void TakePushback(EndpointState& state, int status, std::string_view retry_after,
                    TimePoint dispatched, TimePoint now);
  const Pool& PoolOfTries() const;
  Step TryElsewhere(int status, TimePoint now);

  // fall_back.cc
  bool MayFallBack() const { return routed_.Fallback() != nullptr && home_ == nullptr; }
  std::optional<FallbackReason> WhyToFallBack(TimePoint now);
  Step FallBack(FallbackReason reason, TimePoint now);

  // retry.cc
  const RetryPolicy* retry_policy() const {
    return routed_.rule() != nullptr ? routed_.rule()->retry.get() : nullptr;
  }
  int RetriesMax() const;
  bool HasRetryLeft() const {
    return tried_->count - tried_->count_before_fallback - tried_->failed.stale <= RetriesMax();
  }
  Step RetryStatus(int status, TimePoint now);
  Step BackOff(TryFailure cause, TimePoint now);

  // session.cc
  const SessionPolicy* session_policy() const;
  int64_t UnixSeconds() const;
  void FindSession();
  Decision ChooseOfSession(TimePoint now) const;

  // sticky.cc
  void FindSticky();

  // home.cc
  void FindHome(std::string_view response_id);
  void LearnHome();
  Decision ChooseHome() const;
  bool SampleHome(const Pool& pool, TimePoint now);

  // prefix.cc
  void FillPrefixHits();
  int64_t UncachedTokens(const Decision& decision) const;
  void InsertPrefix(const Decision& decision, uint32_t held, size_t told);
  void LearnPrefix(const Decision& decision);
  void RefreshPrefix(const Decision& decision);
  void LearnTokens();
  bool WasServed(Outcome outcome) const;

  // remembered.cc
  void TakeHold(const Decision& decision, TimePoint now, EndpointHold* hold);
  void TakeDecodeHold(TimePoint now);
  void LearnFirstToken(TimePoint now);
  void LearnPrefill(TimePoint now);
  void LearnEnd(Outcome outcome, TimePoint now);

  // released.cc
  void TakeModelVersion();
  void LeaveSample(Outcome outcome, int status);

  // traced.cc
  void BeginTrace(const http::RequestHead* head);
  void NameTrySpans(bool with_prefill);
  void FillTrace();
  std::optional<Exemplar> ExemplarNow() const;  // for histograms: nullopt if it is not sampled

  // record.cc
  int64_t UsedTokens(Outcome outcome) const;

  // pair.cc
  Step ScheduleDisaggregated(TimePoint now);
  Step SchedulePair(TimePoint now);
  Step ScheduleDecodeAgain(TimePoint now);
  bool ChoosePair(TimePoint now, Decision* decode, Decision* prefill);
  bool ChoosePairOnce(TimePoint now, Decision* decode, Decision* prefill);
  Step DispatchChosen(const Decision& decode, const Decision& prefill, TimePoint now);
  Step DispatchPair(TimePoint now);
  Step OnHalfFailed(Half half, TryFailure failure, bool sent_whole, TimePoint now);
  Step OnDecodeRefused(int status, TimePoint now);
  Step TryAnotherPair(int status, TimePoint now);
  Half LateHalf() const;
  void EndLatePrefill(TryFailure failure, TimePoint now);
  void OnFirstByte(TimePoint now);
  void OnKvCacheArrived(TimePoint now);
  void EndLease();
  PhaseSeries& Phases() { return env_.metrics.PhasesOf(routed_.pool_id()); }
  void FillQueue();
  void FillPhases();
  void FillRecord(Outcome outcome, int status, TimePoint now);

  ExchangeEnvironment& env_;
  Waiter* const waiter_;
  bool active_ = false;
  Asked asked_;
  Traced traced_;
  Authorized authorized_;
  Routed routed_;
  Session session_;
  Sticky sticky_;
  ParsedBody parsed_;
  WaitingRoom::Id wait_id_ = 0;  // 0: does not wait
  Counted counted_;
  Queued queued_;
  Released released_;
  // From its beginning to its end, but not while it waits.
  Spares<Tried>::Held tried_;
  Spares<Observed>::Held observed_;
  std::shared_ptr<EndpointState> home_;  // of the response that is asked for, or gone on from
  Rejection rejection_ = Rejection::kNone;
  std::string_view limit_;  // the last one that was reached; a name from the program's text
  std::string detail_;      // in place of the rejection's text
  FilterAnswer filter_answer_;
};

}  // namespace gw
