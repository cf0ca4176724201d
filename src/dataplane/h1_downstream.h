// H1Downstream: a client's connection that speaks HTTP/1.1 (RFC 9112) or 1.0: parses requests one
// after the other, frames answers, keeps the connection alive, lingers when it closes. What becomes
// of a request is its RequestDriver's business.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/downstream.h"
#include "dataplane/forwarding.h"
#include "dataplane/held_bytes.h"
#include "dataplane/request_driver.h"
#include "dataplane/response_sink.h"
#include "http/h1_parser.h"
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

  bool has_open_form() const override { return parser_.head().minor_version != 0; }
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

  bool busy() const { return driver_.waits() || state_ == State::kClosing || !out_.empty(); }
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
  void CloseWhenWritten();
  void CloseGently();
  void Close();

  ProxyWorker& worker_;
  const ListenerKey listener_;
  std::unique_ptr<Stream> stream_;         // until it is closed
  std::unique_ptr<OrderlyClose> closing_;  // kLinger
  State state_ = State::kIdle;
  http::RequestParser parser_;
  RequestDriver driver_;
  std::string pipelined_;      // read ahead while busy
  std::string response_head_;  // held until the first byte that follows it
  std::string out_;            // accepted for the client, not yet taken by its socket
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
