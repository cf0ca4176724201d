// H1Downstream: a client's connection that speaks HTTP/1.1 (RFC 9112) or 1.0: parses requests one
// after the other, frames answers, keeps the connection alive, lingers when it closes. What becomes
// of a request is its RequestDriver's business. Between requests it holds next to nothing: what a
// request needs (h1_request.h) is its worker's.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/downstream.h"
#include "dataplane/h1_request.h"
#include "dataplane/held_bytes.h"
#include "dataplane/response_sink.h"
#include "net/event_loop.h"
#include "net/orderly_close.h"
#include "net/stream.h"

namespace gw {

class H1Downstream final : public DownstreamConnection, public StreamObserver, public ResponseSink {
 public:
  H1Downstream(ProxyWorker& worker, const ListenerKey& listener, std::unique_ptr<Stream> stream);
  ~H1Downstream() override;

  void Start() override { OnReadable(); }
  void Drain() override;
  void Abort() override;
  void CloseIfIdle() override;
  const ListenerKey& listener() const override { return listener_; }

  void OnReadable() override;
  void OnWritable() override;

  ClientIdentity client() const override;
  bool has_open_form() const override { return head().minor_version != 0; }
  BodyForm HoldHead(const http::ResponseHead& head, std::string_view request_id,
                    bool changes_length) override;
  void HoldStreamHead(std::span<const http::HeaderField> fields) override;
  bool Write(std::span<const std::string_view> pieces, bool last,
             std::span<const http::HeaderField> trailers) override;
  bool Answer(const OwnAnswer& answer) override;
  void Done(MessageEnd end) override;
  bool congested() const override { return !out_.empty(); }

 private:
  enum class State : uint8_t {
    kIdle,     // between requests
    kHead,     // parts of a head have come
    kRequest,  // the driver has one
    kLinger,   // answered and closing: what the client still sends is thrown away
    kClosing,  // answered: closes when everything is written
    kClosed,
  };

  bool wants_body() const { return request_ != nullptr && request_->driver.wants_body(); }
  bool waits() const { return request_ != nullptr && request_->driver.waits(); }
  const http::RequestHead& head() const { return request_->parser.head(); }
  bool busy() const { return waits() || state_ == State::kClosing || !out_.empty(); }
  void SetState(State state);
  void ReadLoop();
  IoResult ReadOnce();
  void Discard();
  void BufferPipelined();
  void KeepPipelined(std::string_view bytes);
  void Consume(std::string_view in);
  bool ConsumeStep(std::string_view* in);
  void ContinueInput();
  void OnHead();
  size_t HeldNow() const { return pipelined_.size() + out_.size(); }
  bool Send(std::vector<iovec>* parts);

  // h1_lifetime.cc
  void BecomeIdle();
  void WatchIdle();
  void OnIdleTimeout();
  void OnTimer();
  void OnClientGone();
  void GiveBackRequest();
  void CloseWhenWritten();
  void CloseGently();
  void Close();

  ProxyWorker& worker_;
  const ListenerKey listener_;
  std::unique_ptr<Stream> stream_;         // until it is closed
  std::unique_ptr<OrderlyClose> closing_;  // kLinger
  State state_ = State::kIdle;
  const std::string client_ip_;
  std::unique_ptr<H1Request> request_;  // from its first byte until its answer is written
  std::string pipelined_;               // read ahead while busy
  std::string out_;                     // accepted for the client, not yet taken by its socket
  BodyForm form_ = BodyForm::kNone;
  bool keep_alive_ = true;           // as the request wants it
  bool response_keep_alive_ = true;  // as the head of the response says
  bool draining_ = false;
  bool body_unread_ = false;
  bool consuming_ = false;  // Consume goes on with what has come
  size_t discarded_ = 0;    // bytes that came after the last answer
  HeldBytes::Share share_;
  Timer timer_;  // header, keep-alive, stalled write
};

}  // namespace gw
