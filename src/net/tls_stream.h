// TlsStream: a Stream of plain bytes over another one, after its handshake.

#pragma once

#include <memory>
#include <string>

#include "net/observer_calls.h"
#include "net/stream.h"
#include "net/tls.h"
#include "tls/openssl.h"

namespace gw::internal {

// A connection of OpenSSL whose records come from and go to a Stream. It keeps what went wrong
// there: OpenSSL says only that something did.
class TlsTransport {
 public:
  TlsTransport(SslPtr ssl, std::unique_ptr<Stream> stream);
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;
  ~TlsTransport();

  SSL* ssl() const { return ssl_.get(); }
  Stream& stream() const { return *stream_; }
  std::unique_ptr<Stream> TakeStream() { return std::move(stream_); }
  bool at_end() const { return at_end_; }             // the peer's side has ended, or died
  int error_number() const { return error_number_; }  // of the stream; 0: none
  bool write_waits() const { return write_waits_; }   // the rest of a record, for room

 private:
  friend struct TransportBio;

  // The first error is the one that says why: others come of writing an alert behind it.
  void Fail(int error_number) {
    if (error_number_ == 0) error_number_ = error_number;
  }

  std::unique_ptr<Stream> stream_;
  bool at_end_ = false;
  bool write_waits_ = false;
  int error_number_ = 0;
  SslPtr ssl_;
};

class TlsStream final : public Stream, private StreamObserver {
 public:
  TlsStream(std::unique_ptr<TlsTransport> transport, std::shared_ptr<const void> context,
            TlsInfo info);
  // Tells the peer that this is the end, if that can be done at once.
  ~TlsStream() override;

  void set_observer(StreamObserver* observer) override;
  IoResult Read(std::span<char> into) override;
  IoResult Write(std::span<const iovec> parts) override;
  void ReadAgainLater() override { under().ReadAgainLater(); }
  bool drained() const override;
  bool peer_gone() const override { return under().peer_gone(); }
  bool IsOpenAndQuiet() const override;
  IoState ShutdownWrite() override;
  void ResetOnClose() override;
  void KeepAlive(Duration idle) override { under().KeepAlive(idle); }
  const SocketAddress& peer() const override { return under().peer(); }
  const SocketAddress& local() const override { return under().local(); }
  const TlsInfo* tls() const override { return &info_; }

 private:
  void OnReadable() override;
  void OnWritable() override;
  Stream& under() const { return transport_->stream(); }
  SSL* ssl() const { return transport_->ssl(); }
  IoResult WriteRecord(std::string_view bytes);
  // What a call that moved nothing means.
  IoResult Stopped(int returned, bool writing);
  IoResult Failed(bool writing);
  IoState EndTransport();

  const std::shared_ptr<const void> context_;  // whose callbacks the connection may still call
  const std::unique_ptr<TlsTransport> transport_;
  const TlsInfo info_;
  ObserverCalls calls_;
  size_t offered_ = 0;        // bytes of a record that was not taken: it is offered again
  bool read_writes_ = false;  // a read goes on when something could be written
  bool write_reads_ = false;  // a write goes on when something could be read
  bool drained_ = false;
  bool failed_ = false;        // OpenSSL must not be asked again
  bool write_failed_ = false;  // the transport takes nothing more; what has come is still read
  bool end_sent_ = false;      // our close_notify
  bool quiet_end_ = false;     // no word of the end on closing
};

}  // namespace gw::internal
