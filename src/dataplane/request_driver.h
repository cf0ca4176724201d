// RequestDriver: one request after the other on behalf of a client: reads its body, does what its
// Exchange says (asks endpoints, answers, tries again), keeps its times, and is the pump between
// the endpoint's response and a ResponseSink. It knows nothing of how the client's bytes are
// framed: whoever owns it parses requests and writes answers.
//
//   Begin -> (wants_body) OnBody* -> OnBodyEnd -> ResponseSink calls -> Done
//
// Back-pressure is a property of the pump: what the sink's client does not take at once is kept
// there (at most one read's worth), and the endpoint is not read until it is gone. All of it on the
// worker's thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/pool.h"
#include "dataplane/body_buffer.h"
#include "dataplane/decode_queue.h"
#include "dataplane/held_bytes.h"
#include "dataplane/model_list.h"
#include "dataplane/prefill_leg.h"
#include "dataplane/response_sink.h"
#include "exchange/early_stream.h"
#include "exchange/exchange.h"
#include "net/event_loop.h"
#include "net/intrusive_list.h"

namespace gw {

class ProxyWorker;

class RequestDriver final : public ResponseHandler,
                            public PrefillObserver,
                            public Waiter,
                            public internal::ListNode {  // the worker's, while its body is coming
 public:
  explicit RequestDriver(ProxyWorker& worker);
  ~RequestDriver() { End(Outcome::kClientLeft); }

  // Whose requests come from here on; first of all. Both stay valid as long as their requests come.
  // REQUIRES: !active()
  void Serve(const ListenerKey& listener, ResponseSink& sink);
  // A request has come. It may be done when this returns; `head` is valid until it is.
  // REQUIRES: !active()
  void Begin(const http::RequestHead& head);
  // In place of Begin: what came is no request. Answers and is done.
  void RefuseHead(http::HeadError error);
  // REQUIRES: wants_body()
  void OnBody(std::string_view bytes);
  // Where a reader may put the next bytes of a body of known length, at most `most`, to hand them
  // to OnBody without their being copied; if that is all of it there is room for one byte more,
  // which is not the body's. REQUIRES: body_left() > 0
  std::span<char> BodyRoom(size_t most);
  void OnBodyPause();  // what had come of it was handed over, and it goes on
  void OnBodyEnd(const http::HeaderList& trailers);  // which are valid until the request is done
  // The sink is not congested any more.
  void OnWritable();
  // `took_all`: nothing of what the sink was given is left with it. Ends the request.
  void OnClientGone(bool took_all);
  // Answers at once, as the gateway stops: 503, or what ends a stream.
  void Abort();
  // Refuses a request whose body is coming, to make room for older ones. REQUIRES: wants_body()
  void RefuseBody();
  // Gives back memory that a client chose the size of. REQUIRES: !active()
  void ClearForIdle();

  bool active() const { return state_ != State::kIdle; }
  bool wants_body() const { return state_ == State::kBody; }
  bool waits() const { return state_ == State::kWaiting; }
  size_t body_left() const;  // of a body of known length that is to come; else 0
  bool holds_much() const { return share_.counted() > 0; }
  // Also of a request that has just ended.
  void CountLimit(std::string_view limit) { exchange_.CountLimit(limit); }

  void OnResponseHead(const http::ResponseHead& head) override;
  void OnResponseBody(std::string_view piece) override;
  void OnResponseTrailers(const http::HeaderList& trailers) override;
  void OnResponseFlush() override;
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;

  void OnGateAnswer(GateAnswer answer) override;
  void OnEvicted(int for_priority) override;

  void OnPrefillEnd(HeldAnswer answer) override;
  void OnPrefillFailed(TryFailure failure, const ClientError& error) override;
  void OnPrefillLimit(std::string_view limit) override;

 private:
  enum class State : uint8_t {
    kIdle,     // between requests
    kBody,     // the request's body is being read
    kWaiting,  // for a gate, or for an endpoint; or its response is being passed on
  };

  void SetState(State state);
  bool KeepBody(std::string_view bytes);
  void OnBodyTimeout();
  void TakeBody();
  size_t HeldNow() const { return body_.size() + held_.size(); }
  void End(Outcome outcome);
  void Finish(Outcome outcome, MessageEnd end);

  // answer.cc
  void Act(const Step& step);
  void Wait();
  void BackOff();
  void SendCopies();
  void Dispatch();
  ClientTarget TargetOf(const Endpoint& endpoint) const;
  ClientRequest ForwardedTry(const EndpointAccess* access, BodyEdit* body, bool read_here,
                             SpanId span);
  void Respond(Rejection rejection);
  void AnswerByFilter();
  // `answer.fields`: beside the content's type, id, Retry-After and what the route's filters make.
  void RespondWith(OwnAnswer answer, std::string_view content_type, int retry_after_s,
                   Outcome outcome);

  // timeouts.cc
  void StartRequestTimers();
  void StartTryTimer();
  void OnRequestTimeout();
  bool OnQueueTimeout();  // false: its turn has just come
  void OnStepTimeout();
  void OnTryTimeout();

  // list_models.cc
  void ListModels();
  void AnswerModels(const ModelListAnswer& list);

  // coded_body.cc
  void DecodeBody();
  void OnBodyDecoded(CodedBody::Outcome outcome);

  // stream_keepalive.cc
  bool StartKeepalive();
  void OnKeepalive();
  bool BeginEarlyStream();
  bool KeepMisfit();
  void EndEarlyStream(Outcome outcome, const std::string& event);

  // pair.cc
  Reuse ReuseOfNextTry() const;
  void DispatchPrefill();
  void StartBootstrapTimer();
  void CancelHalves();
  void ActOnHalf(const Step& step);
  bool HoldPieces();
  void DropResponse();
  void OnBootstrapTimeout();
  void Relay(const HeldAnswer& answer);

  // pump.cc
  void BreakOff(Outcome outcome, Rejection rejection);
  void EndResponse();
  void EndUnfinished(Outcome outcome, std::string_view event);
  bool FlushPieces(bool last);

  ProxyWorker& worker_;
  const ListenerKey* listener_ = nullptr;
  ResponseSink* sink_ = nullptr;
  State state_ = State::kIdle;
  const http::RequestHead* head_ = nullptr;
  std::vector<http::HeaderField> trailers_;  // of the request, that pass
  Exchange exchange_;
  BodyBuffer body_;
  std::unique_ptr<CodedBody> coded_;  // reads body_
  HeldBytes::Share share_;
  TimePoint body_read_at_{};  // the last part of the body
  Duration body_time_{};      // that the body has had so far

  // The response that is passed on.
  ClientCall* upstream_ = nullptr;
  std::unique_ptr<ModelLists::Ticket> model_ticket_;  // waits for a model list
  std::unique_ptr<PrefillLeg> prefill_;               // made at the first disaggregated request
  bool response_head_sent_ = false;
  bool early_head_ = false;  // a head of our own was sent: the answer is an event stream
  bool misfit_ = false;      // the endpoint's answer is not, so it becomes an error event
  BodyForm form_ = BodyForm::kNone;
  std::vector<std::string_view> pieces_;
  OwnedFields response_trailers_;  // that pass
  std::string held_;               // of a pair's stream, before its first output
  int upstream_status_ = 0;
  int status_ = 0;  // sent to the client; 0: nothing was

  Duration keepalive_interval_{};  // of the request in work
  Timer request_timer_;            // the rule's request timeout
  // A body's coming, the deadline in a queue, back-off, or the rule's backendRequest timeout.
  Timer step_timer_;
  Timer keepalive_timer_;  // of an event stream, until its first byte
  Timer bootstrap_timer_;  // of a disaggregated request, until its KV cache has arrived
};

}  // namespace gw
