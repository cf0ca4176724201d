// DownstreamConnection: one client. Reads requests one after the other, drives an Exchange for
// each, and is the pump between the endpoint's response and the client.
//
// Back-pressure is a property of the pump: what the client's socket does not take at once is kept
// (at most one read's worth), and the endpoint is not read until it is gone.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/pool.h"
#include "dataplane/body_buffer.h"
#include "dataplane/decode_queue.h"
#include "dataplane/forwarding.h"
#include "dataplane/held_bytes.h"
#include "dataplane/model_list.h"
#include "dataplane/prefill_leg.h"
#include "exchange/early_stream.h"
#include "exchange/exchange.h"
#include "http/h1_parser.h"
#include "net/event_loop.h"
#include "net/intrusive_list.h"
#include "net/orderly_close.h"
#include "net/stream.h"

namespace gw {

class ProxyWorker;

class DownstreamConnection final : public StreamObserver,
                                   public ResponseHandler,
                                   public internal::ListNode,  // the worker's, idle or sending
                                   public PrefillObserver {
 public:
  DownstreamConnection(ProxyWorker& worker, uint16_t port, std::unique_ptr<Stream> stream);
  ~DownstreamConnection();

  // Finishes what is in flight and closes then; an idle connection closes after a grace, in which a
  // request that was under way to us is still answered.
  void Drain();
  // Closes now: what waits for its answer gets 503, a stream an error event.
  void Abort();
  // Closes an idle client to make room for others, unless a request of its has just come.
  void CloseIfIdle();
  // Refuses a request whose body is coming, to make room for older ones.
  // REQUIRES: it is in the worker's list of those
  void RefuseBody();
  bool holds_much() const { return share_.counted() > 0; }
  uint16_t port() const { return port_; }

  void OnReadable() override;
  void OnWritable() override;

  void OnResponseHead(const http::ResponseHead& head) override;
  void OnResponseBody(std::string_view piece) override;
  void OnResponseFlush() override;
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;

  void OnPrefillEnd(HeldAnswer answer) override;
  void OnPrefillFailed(TryFailure failure, bool sent_whole) override;
  void OnPrefillLimit(std::string_view limit) override;

 private:
  enum class State : uint8_t {
    kIdle,     // between requests
    kHead,     // parts of a head have come
    kBody,     // the request's body is being read
    kWaiting,  // an endpoint works on it, or its response is being passed on
    kLinger,   // answered and closing: what the client still sends is thrown away
    kClosing,  // answered: closes when everything is written
    kClosed,
  };

  bool busy() const {
    return state_ == State::kWaiting || state_ == State::kClosing || !out_.empty();
  }
  void SetState(State state);
  void ReadLoop();
  void Discard();
  void BufferPipelined();
  void KeepPipelined(std::string_view bytes);
  void Consume(std::string_view in);
  void ContinueInput();
  void OnHead();
  bool KeepBody(std::string_view bytes);
  void WatchBody();
  void OnBodyTimeout();
  void OnBodyEnd();
  void TakeBody();
  size_t HeldNow() const { return body_.size() + pipelined_.size() + out_.size() + held_.size(); }
  void Act(const Step& step);
  void Dispatch();
  void ListModels();
  void AnswerModels(const ModelListAnswer& list);
  void Respond(Rejection rejection);
  struct Answer {
    int status;
    std::string_view content_type;
    std::string_view body;
    int retry_after_s;             // 0: none
    std::string_view fields = {};  // further lines of the head
  };
  void RespondWith(const Answer& answer, bool keep_alive, Outcome outcome);
  ClientRequest ForwardedTry(BodyEdit* body, bool read_here);
  void StartTryTimer();
  Reuse ReuseOfNextTry() const;

  // coded_body.cc
  void DecodeBody();
  void OnBodyDecoded(CodedBody::Outcome outcome);

  // stream_keepalive.cc
  bool StartKeepalive();
  void OnKeepalive();
  bool BeginEarlyStream(std::string* head);
  bool KeepMisfit();
  void EndEarlyStream(Outcome outcome, const std::string& event);

  // pair.cc
  void DispatchPrefill();
  void StartBootstrapTimer();
  void CancelHalves();
  void ActOnHalf(const Step& step);
  bool HoldPieces();
  void DropResponse();
  void OnBootstrapTimeout();
  void Relay(const HeldAnswer& answer);

  void OnClientGone();
  void FinishExchange(Outcome outcome);
  // `keep_alive`: the client was told that the connection stays open.
  void AfterResponse(bool keep_alive);
  void BecomeIdle();
  void WatchIdle();
  void OnIdleTimeout();
  void BreakOff(Outcome outcome, Rejection rejection);
  void EndResponse(bool delimited);
  void EndUnfinished(Outcome outcome, std::string_view event);
  void StartRequestTimers();
  void OnTimer();
  void OnRequestTimeout();
  void OnTryTimeout();
  void FlushPieces(bool last);
  void Send(std::vector<iovec>* parts);
  void CloseWhenWritten();
  void CloseGently();
  void Close();
  void WatchFor(Duration timeout);

  ProxyWorker& worker_;
  const uint16_t port_;
  const std::string client_ip_;
  std::unique_ptr<Stream> stream_;         // until it is closed
  std::unique_ptr<OrderlyClose> closing_;  // kLinger
  State state_ = State::kIdle;
  http::RequestParser parser_;
  Exchange exchange_;
  BodyBuffer body_;
  std::unique_ptr<CodedBody> coded_;  // reads body_
  std::string pipelined_;             // read ahead while busy
  std::string out_;                   // accepted for the client, not yet taken by its socket
  bool keep_alive_ = true;            // as the request wants it
  bool response_keep_alive_ = true;   // as the head of the response says
  bool draining_ = false;
  bool body_unread_ = false;
  size_t discarded_ = 0;  // bytes that came after the last answer
  HeldBytes::Share share_;
  TimePoint body_read_at_{};  // the last part of the body
  Duration body_time_{};      // that the body has had so far

  // The response that is passed on.
  ClientCall* upstream_ = nullptr;
  std::unique_ptr<ModelLists::Ticket> model_ticket_;  // waits for a model list
  std::unique_ptr<PrefillLeg> prefill_;               // made at the first disaggregated request
  std::string response_head_;
  bool response_head_sent_ = false;
  bool early_head_ = false;  // a head of our own was sent: the answer is an event stream
  bool misfit_ = false;      // the endpoint's answer is not, so it becomes an error event
  DownstreamFraming framing_ = DownstreamFraming::kNoBody;
  std::vector<std::string_view> pieces_;
  size_t pieces_bytes_ = 0;
  std::string held_;  // of a pair's stream, before its first output
  int upstream_status_ = 0;
  int status_ = 0;  // sent to the client; 0: nothing was

  Timer timer_;            // header, body, keep-alive, linger, stalled write
  Timer request_timer_;    // the rule's request timeout
  Timer try_timer_;        // the rule's backendRequest timeout
  Timer keepalive_timer_;  // of an event stream, until its first byte
  Timer bootstrap_timer_;  // of a disaggregated request, until its KV cache has arrived
};

}  // namespace gw
