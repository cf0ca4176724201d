#include "peers/private_streams.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "tls/shared_identity.h"

namespace gw::peers {
namespace {

constexpr char kProtocol[] = "penstock-peers";

std::string Text(const TlsError& error) {
  return fmt::format("handshake: {}: {}", NameOf(error.failure), error.message);
}

}  // namespace

// Connecting, then the handshake.
class PrivateStreams::Dialled final : public Attempt {
 public:
  Dialled(PrivateStreams& of, const SocketAddress& address, Done done)
      : of_(of), address_(address.ToString()), done_(std::move(done)) {
    connector_ = Connector::New(of.loop_, address, kConnectTimeout,
                                [this](auto stream) { OnConnected(std::move(stream)); });
  }

 private:
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
    // `done` may destroy this, and what is called is part of it.
    if (!stream.ok()) return End(stream.status());
    handshake_ =
        of_.handshakes_->Connect(*std::move(stream), of_.client_, address_, kHandshakeTimeout,
                                 [this](TlsHandshake::Result result) {
                                   if (result.stream == nullptr)
                                     return End(absl::UnavailableError(Text(result.error)));
                                   End(std::move(result.stream));
                                 });
  }
  void End(absl::StatusOr<std::unique_ptr<Stream>> result) {
    const Done done = std::move(done_);
    done(std::move(result));
  }

  PrivateStreams& of_;
  const std::string address_;
  Done done_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<TlsHandshake> handshake_;
};

PrivateStreams::PrivateStreams(EventLoop& loop, PeerMetrics& metrics, OnStream on_arrival)
    : loop_(loop), metrics_(metrics), on_arrival_(std::move(on_arrival)) {}

PrivateStreams::~PrivateStreams() = default;

absl::StatusOr<std::unique_ptr<PrivateStreams>> PrivateStreams::New(EventLoop& loop,
                                                                    const PeerOptions& options,
                                                                    PeerMetrics& metrics,
                                                                    OnStream on_arrival) {
  std::unique_ptr<PrivateStreams> streams(new PrivateStreams(loop, metrics, std::move(on_arrival)));
  if (const absl::Status status = streams->Start(options); !status.ok()) return status;
  return streams;
}

absl::Status PrivateStreams::Start(const PeerOptions& options) {
  ASSIGN_OR_RETURN(const SharedIdentity identity, SharedIdentity::FromSecret(options.secret));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Certificate> certificate,
                   Certificate::Parse(identity.certificate_pem, identity.key_pem));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Trust> trust,
                   Trust::Parse(identity.certificate_pem));
  tickets_ = TicketKeys::New(loop_.clock());
  handshakes_ = TlsHandshakes::New(loop_);
  ASSIGN_OR_RETURN(
      server_,
      ServerTls::New({.listeners = {{"*", {certificate}}},
                      .client_validation = {ClientValidation::Mode::kAllowValidOnly, trust},
                      .protocols = {kProtocol}},
                     *tickets_));
  ASSIGN_OR_RETURN(client_, ClientTls::New({.server_name = identity.name,
                                            .trust = trust,
                                            .certificate = certificate,
                                            .protocols = {kProtocol}}));
  ASSIGN_OR_RETURN(const SocketAddress address, SocketAddress::Resolve(options.listen));
  ASSIGN_OR_RETURN(listener_, Listener::New(loop_, address, {},
                                            [this](auto stream) { OnAccept(std::move(stream)); }));
  return absl::OkStatus();
}

void PrivateStreams::OnAccept(std::unique_ptr<Stream> stream) {
  if (arriving_.size() >= kArrivingMax) {
    metrics_.refused_handshake.Add();
    return;
  }
  const auto place = arriving_.emplace(arriving_.end());
  const std::string from = stream->peer().ToString();
  place->handshake = handshakes_->Accept(
      std::move(stream), server_, kHandshakeTimeout,
      [this, place, from](TlsHandshake::Result result) {
        const std::unique_ptr<TlsHandshake> ended = std::move(place->handshake);
        arriving_.erase(place);
        if (result.stream != nullptr) return on_arrival_(std::move(result.stream));
        metrics_.refused_handshake.Add();
        if (!refusals_.MayTell(loop_.now())) return;
        Log(LogLevel::kWarning, "Peer refused", {{"address", from}, {"error", Text(result.error)}});
      });
}

std::unique_ptr<PrivateStreams::Attempt> PrivateStreams::Dial(const SocketAddress& address,
                                                              Done done) {
  return std::make_unique<Dialled>(*this, address, std::move(done));
}

}  // namespace gw::peers
