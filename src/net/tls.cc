#include "net/tls.h"

#include <openssl/sslerr.h>

#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "base/check.h"
#include "net/orderly_close.h"
#include "net/tls_stream.h"
#include "tls/openssl.h"

namespace gw {
namespace {

using internal::SslPtr;
using internal::TlsStream;
using internal::TlsTransport;

// An alert that the peer has not read must not be overtaken by a reset.
constexpr OrderlyClose::Limits kAlertLimits = {std::chrono::seconds(1), 64 << 10};

TlsFailure FailureOf(int reason) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_TOO_SMALL:
      return TlsFailure::kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return TlsFailure::kNoSharedTerms;
    case SSL_R_CALLBACK_FAILED:
      return TlsFailure::kUnknownName;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return TlsFailure::kBadPeer;
    default:
      return reason >= SSL_AD_REASON_OFFSET ? TlsFailure::kRefused : TlsFailure::kOther;
  }
}

TlsInfo InfoOf(const SSL* ssl) {
  TlsInfo info;
  info.server_name = ServerTls::NameAskedFor(ssl);
  const unsigned char* protocol = nullptr;
  unsigned int bytes = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &bytes);
  if (bytes > 0) info.protocol.assign(reinterpret_cast<const char*>(protocol), bytes);
  info.version = SSL_get_version(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  info.resumed = SSL_session_reused(ssl) == 1;
  X509* const peer = SSL_get0_peer_certificate(ssl);
  if (peer != nullptr && SSL_get_verify_result(ssl) == X509_V_OK) {
    info.peer_subject = internal::NameText(X509_get_subject_name(peer));
    info.peer_fingerprint = internal::FingerprintOf(peer);
  }
  return info;
}

class Handshake;

class Handshakes final : public TlsHandshakes {
 public:
  explicit Handshakes(EventLoop& loop) : loop_(loop), timer_(loop, [this] { RunNext(); }) {}
  ~Handshakes() override { CHECK(waiting_.empty()); }

  std::unique_ptr<TlsHandshake> Accept(std::unique_ptr<Stream> stream,
                                       std::shared_ptr<const ServerTls> tls, Duration timeout,
                                       TlsHandshake::Done done) override;
  std::unique_ptr<TlsHandshake> Connect(std::unique_ptr<Stream> stream,
                                        std::shared_ptr<const ClientTls> tls,
                                        const std::string& session_key, Duration timeout,
                                        TlsHandshake::Done done) override;

  EventLoop& loop() { return loop_; }
  // Whether a handshake that has something to do, which may take a signature, may do it at once:
  // it is the first of this round. Else it enters.
  bool TakeTurn() {
    if (!waiting_.empty() || loop_.now() == last_turn_) return false;
    last_turn_ = loop_.now();
    return true;
  }
  void Enter(Handshake* handshake) {
    waiting_.push_back(handshake);
    if (waiting_.size() == 1) timer_.Start(Duration(0));
  }
  void Leave(Handshake* handshake) { std::erase(waiting_, handshake); }
  // Takes the stream of a handshake that failed: the alert is on its way.
  void CloseInOrder(std::unique_ptr<Stream> stream);

 private:
  void RunNext();

  EventLoop& loop_;
  std::deque<Handshake*> waiting_;
  std::map<uint64_t, std::unique_ptr<OrderlyClose>> closing_;
  uint64_t closed_ = 0;  // the key of the last one
  TimePoint last_turn_ = TimePoint::min();
  bool postponed_ = false;
  Timer timer_;
};

class Handshake final : public TlsHandshake, private StreamObserver {
 public:
  Handshake(Handshakes& turns, SslPtr ssl, std::unique_ptr<Stream> stream,
            std::shared_ptr<const void> context, Duration timeout, Done done)
      : turns_(turns),
        transport_(std::make_unique<TlsTransport>(std::move(ssl), std::move(stream))),
        context_(std::move(context)),
        done_(std::move(done)),
        timer_(turns.loop(), [this] { Fail({TlsFailure::kTimeout, "timed out"}); }) {
    timer_.Start(timeout);
    transport_->stream().set_observer(this);
  }
  ~Handshake() override {
    if (waits_) turns_.Leave(this);
  }

  // A client speaks first; a server waits for what comes.
  void Begin() { Wait(); }
  void Step();

 private:
  void OnReadable() override { Go(); }
  void OnWritable() override { Go(); }
  void Go() {
    if (!waits_ && turns_.TakeTurn()) {
      Step();  // may destroy this
    } else {
      Wait();
    }
  }
  void Wait() {
    if (!waits_) turns_.Enter(this);
    waits_ = true;
  }
  TlsError ErrorOf() const;
  void Succeed();
  void Fail(TlsError error);

  Handshakes& turns_;
  std::unique_ptr<TlsTransport> transport_;
  std::shared_ptr<const void> context_;
  Done done_;
  bool waits_ = false;
  Timer timer_;
};

void Handshake::Step() {
  waits_ = false;
  ERR_clear_error();
  const int returned = SSL_do_handshake(transport_->ssl());
  if (returned == 1) return Succeed();
  const int error = SSL_get_error(transport_->ssl(), returned);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  Fail(ErrorOf());
}

TlsError Handshake::ErrorOf() const {
  const unsigned long first = ERR_peek_error();
  const int reason = ERR_GET_REASON(first);
  const bool of_tls = first != 0 && ERR_GET_LIB(first) == ERR_LIB_SSL;
  std::string text = internal::TakeError();
  if (transport_->error_number() != 0) {
    return {TlsFailure::kClosed, std::strerror(transport_->error_number())};
  }
  if (transport_->at_end()) return {TlsFailure::kClosed, "closed by the peer"};
  if (!of_tls) return {TlsFailure::kOther, std::move(text)};
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    text = X509_verify_cert_error_string(SSL_get_verify_result(transport_->ssl()));
  }
  return {FailureOf(reason), std::move(text)};
}

void Handshake::Succeed() {
  timer_.Stop();
  TlsInfo info = InfoOf(transport_->ssl());
  auto stream =
      std::make_unique<TlsStream>(std::move(transport_), std::move(context_), std::move(info));
  const Done done = std::move(done_);
  done({std::move(stream), {}});  // may destroy this
}

void Handshake::Fail(TlsError error) {
  timer_.Stop();
  if (std::exchange(waits_, false)) turns_.Leave(this);
  transport_->stream().set_observer(nullptr);
  // An alert of which a part is sent can only be sent to its end, for which nobody waits.
  const bool alert = error.failure != TlsFailure::kClosed &&
                     error.failure != TlsFailure::kTimeout && !transport_->write_waits();
  if (alert) turns_.CloseInOrder(transport_->TakeStream());
  transport_.reset();
  const Done done = std::move(done_);
  done({nullptr, std::move(error)});  // may destroy this
}

std::unique_ptr<TlsHandshake> Handshakes::Accept(std::unique_ptr<Stream> stream,
                                                 std::shared_ptr<const ServerTls> tls,
                                                 Duration timeout, TlsHandshake::Done done) {
  SslPtr ssl(SSL_new(tls->context()));
  CHECK(ssl != nullptr);
  SSL_set_accept_state(ssl.get());
  return std::make_unique<Handshake>(*this, std::move(ssl), std::move(stream), std::move(tls),
                                     timeout, std::move(done));
}

std::unique_ptr<TlsHandshake> Handshakes::Connect(std::unique_ptr<Stream> stream,
                                                  std::shared_ptr<const ClientTls> tls,
                                                  const std::string& session_key, Duration timeout,
                                                  TlsHandshake::Done done) {
  SslPtr ssl(SSL_new(tls->context()));
  CHECK(ssl != nullptr);
  tls->Prepare(ssl.get(), session_key, stream->peer().ip());
  SSL_set_connect_state(ssl.get());
  auto handshake = std::make_unique<Handshake>(*this, std::move(ssl), std::move(stream),
                                               std::move(tls), timeout, std::move(done));
  handshake->Begin();
  return handshake;
}

void Handshakes::RunNext() {
  if (waiting_.empty()) return;
  // Somebody had the turn of this round before the timers. Once: a clock may stand still.
  postponed_ = loop_.now() == last_turn_ && !postponed_;
  if (postponed_) {
    timer_.Start(Duration(0));
    return;
  }
  last_turn_ = loop_.now();
  Handshake* const next = waiting_.front();
  waiting_.pop_front();
  if (!waiting_.empty()) timer_.Start(Duration(0));
  next->Step();
}

void Handshakes::CloseInOrder(std::unique_ptr<Stream> stream) {
  const uint64_t number = ++closed_;
  closing_[number] =
      std::make_unique<OrderlyClose>(loop_, std::move(stream), kAlertLimits,
                                     [this, number](OrderlyClose::End) { closing_.erase(number); });
}

}  // namespace

std::string_view NameOf(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::kTimeout:
      return "timeout";
    case TlsFailure::kClosed:
      return "closed";
    case TlsFailure::kNotTls:
      return "not_tls";
    case TlsFailure::kNoSharedTerms:
      return "no_shared_terms";
    case TlsFailure::kUnknownName:
      return "unknown_name";
    case TlsFailure::kBadPeer:
      return "bad_peer";
    case TlsFailure::kRefused:
      return "refused";
    case TlsFailure::kOther:
      return "other";
  }
  CHECK(false);
}

std::unique_ptr<TlsHandshakes> TlsHandshakes::New(EventLoop& loop) {
  return std::make_unique<Handshakes>(loop);
}

}  // namespace gw
