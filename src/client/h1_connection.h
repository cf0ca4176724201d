// H1Connection: a connection to a server that speaks HTTP/1.1 (RFC 9112), over TLS or without, one
// request at a time. Owned by its ClientPool; idle between requests.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "client/request.h"
#include "http/h1_parser.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/tls.h"
#include "tls/client_tls.h"

namespace gw {

class ClientPool;

class H1Connection final : public ClientCall, public StreamObserver {
 public:
  // `tls`: nullptr if it is plain.
  H1Connection(ClientPool& pool, std::string address, std::shared_ptr<const ClientTls> tls);

  // REQUIRES: no request is under way
  void Send(const ClientRequest& request, ResponseHandler* handler);

  void Cancel() override;
  void Pause() override { paused_ = true; }
  void Resume() override;
  bool connecting() const override { return stream_ == nullptr; }

  void OnReadable() override;
  void OnWritable() override;

  const std::string& address() const { return address_; }
  const ClientTls* tls() const { return tls_.get(); }
  TimePoint idle_since() const { return idle_since_; }
  bool IsOpenAndQuiet() const { return stream_->IsOpenAndQuiet(); }
  void BecomeIdle();
  void Close() {
    handshake_.reset();
    stream_.reset();
  }

 private:
  enum class Timeout : uint8_t { kResponse, kIdle };

  void WriteHead(const ClientRequest& request, size_t body_bytes);
  void WriteChunk(std::span<const http::HeaderField> trailers, size_t body_bytes);
  void Connect();
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void Shake(std::unique_ptr<Stream> stream);
  void OnShaken(TlsHandshake::Result result);
  void Start(std::unique_ptr<Stream> stream);
  void WriteRequest();
  // False once the connection is closed or back in the pool.
  bool Parse(std::string_view in);
  void OnParseError(bool has_body);
  void OnResponseComplete(bool reusable);
  void OnPeerClosed();
  void Fail(ClientFailure failure, int error_number = 0, std::string detail = {});
  bool IsRefusalOfHandshake(const IoResult& result) const;
  ClientFailure FailureOfEnd() const;
  void OnTimeout();
  void WatchFor(Timeout timeout);

  ClientPool& pool_;
  const std::string address_;
  const std::shared_ptr<const ClientTls> tls_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<TlsHandshake> handshake_;
  std::unique_ptr<Stream> stream_;
  http::ResponseParser parser_;
  ResponseHandler* handler_ = nullptr;  // nullptr: idle
  std::string head_;
  std::string tail_;  // behind the parts, where there are trailers
  std::span<const std::string_view> parts_;
  size_t sent_ = 0;
  size_t to_send_ = 0;
  bool reused_ = false;
  bool paused_ = false;
  bool closed_ = false;
  bool tried_again_ = false;  // to connect, after descriptors were freed
  bool saw_byte_ = false;     // of the response, whatever it is
  bool saw_body_ = false;
  Timeout timeout_ = Timeout::kResponse;
  TimePoint sent_at_;
  TimePoint last_activity_;
  TimePoint idle_since_;
  Timer timer_;
};

}  // namespace gw
