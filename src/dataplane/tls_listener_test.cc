// Clients that come over TLS.

#include "dataplane/worker_test_util.h"
#include "net/tls_test_util.h"

namespace gw {
namespace {

using Mode = ClientValidation::Mode;

class TlsListenerTest : public WorkerTest {
 protected:
  static constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

  static std::string GetFrom(const std::string& host, const std::string& fields = "") {
    return "GET /v1/thing HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n";
  }

  static std::shared_ptr<const ClientTls> ClientFor(
      const std::string& name, std::shared_ptr<const Certificate> certificate = nullptr) {
    return MakeClientTls({.server_name = name,
                          .trust = TestAuthority().Trusted(),
                          .certificate = std::move(certificate)});
  }

  // What became of the client's end of the handshake.
  TlsHandshake::Result Shake(const std::shared_ptr<const ClientTls>& tls) {
    std::unique_ptr<Peer> plain = Connect();
    std::optional<TlsHandshake::Result> ended;
    const auto handshake =
        handshakes_->Connect(std::move(plain->stream), tls, "server", std::chrono::seconds(20),
                             [&](TlsHandshake::Result result) { ended = std::move(result); });
    RunUntil([&] { return ended.has_value(); });
    return *std::move(ended);
  }

  std::unique_ptr<Peer> ConnectTls(const std::shared_ptr<const ClientTls>& tls,
                                   const std::string& text = "") {
    TlsHandshake::Result result = Shake(tls);
    EXPECT_NE(result.stream, nullptr) << result.error.message;
    if (result.stream == nullptr) return nullptr;
    auto peer = std::make_unique<Peer>(std::move(result.stream));
    peer->Read();
    peer->Write(text);
    return peer;
  }

  bool Handshakes(const std::string& result, int count) const {
    return Counted("penstock_tls_handshakes_total{result=\"" + result + "\"} " +
                   std::to_string(count) + "\n");
  }

  const std::unique_ptr<TlsHandshakes> handshakes_ = TlsHandshakes::New(*loop_);
};

TEST_F(TlsListenerTest, ARequestOverTlsIsServedAndItsEndpointIsToldSo) {
  tls_ = ServerTlsForTest();
  Start();
  const auto tls = ClientFor("test.example.com");
  auto client = ConnectTls(
      tls,
      GetFrom("test.example.com",
              "X-Forwarded-Proto: http\r\nX-Forwarded-Client-Cert: Subject=\"CN=forged\"\r\n"));
  Peer& served = Served(0);
  EXPECT_TRUE(served.saw("x-forwarded-proto: https\r\n"));
  EXPECT_FALSE(served.saw("forged"));
  served.Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  EXPECT_TRUE(Handshakes("ok", 1));
  EXPECT_TRUE(Counted("penstock_tls_sessions_resumed_total 0\n"));
  client = ConnectTls(tls, GetFrom("test.example.com"));
  Served(1).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  EXPECT_TRUE(Handshakes("ok", 2));
  EXPECT_TRUE(Counted("penstock_tls_sessions_resumed_total 1\n"));
}

TEST_F(TlsListenerTest, AClientsCertificateIsToldToTheEndpoint) {
  tls_ = MakeServerTls({{"*", {ServerCertificate("a.example.com").Parsed()}}},
                       {Mode::kAllowInsecureFallback, TestAuthority().Trusted()});
  Start();
  const auto known =
      MakeCertificate({.common_name = "a \"team\"", .issuer = &TestAuthority()}).Parsed();
  auto client =
      ConnectTls(ClientFor("a.example.com", known),
                 GetFrom("a.example.com", "X-Forwarded-Client-Cert: Subject=\"CN=forged\"\r\n"));
  EXPECT_TRUE(Served(0).saw("x-forwarded-client-cert: Hash=" + known->fingerprint() +
                            ";Subject=\"CN=a \\\"team\\\"\"\r\n"));
  EXPECT_FALSE(Served(0).saw("forged"));
  served_[0]->Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
  std::shared_ptr<const Certificate> stranger =
      MakeCertificate({.common_name = "stranger"}).Parsed();
  client = ConnectTls(ClientFor("a.example.com", stranger), GetFrom("a.example.com"));
  EXPECT_FALSE(Served(1).saw("x-forwarded-client-cert"));
}

TEST_F(TlsListenerTest, AHostOfAnotherListenerIsMisdirected) {
  const TestCertificate both =
      MakeCertificate({.names = "DNS:a.example.com,DNS:*.example.com", .issuer = &TestAuthority()});
  tls_ = MakeServerTls({{"a.example.com", {both.Parsed()}}, {"*.example.com", {both.Parsed()}}});
  Start();
  auto client = ConnectTls(ClientFor("b.example.com"));
  for (const char* host : {"b.example.com", "C.example.com:8443", "d.c.example.com",
                           "b.example.com.", "elsewhere.org"}) {
    const size_t before = served_.size();
    client->recorder.text.clear();
    client->Write(GetFrom(host));
    RunUntil([&] { return served_.size() > before && served_.back()->saw("\r\n\r\n"); });
    served_.back()->Write(kHi);
    RunUntil([&] { return client->saw("hi"); });
  }
  for (const char* host : {"a.example.com", "A.example.com.", "a.example.com:8443"}) {
    client->recorder.text.clear();
    client->Write(GetFrom(host));
    RunUntil([&] { return client->saw("misdirected_request"); });
    EXPECT_TRUE(client->saw("HTTP/1.1 421 "));
  }
}

TEST_F(TlsListenerTest, ANewCertificateServesTheNextHandshakeAndNoConnectionFalls) {
  const TestCertificate old_one = ServerCertificate("a.example.com");
  tls_ = MakeServerTls({{"*", {old_one.Parsed()}}});
  Start();
  auto client = ConnectTls(ClientFor("a.example.com"), GetFrom("a.example.com"));
  EXPECT_EQ(client->stream->tls()->peer_fingerprint, old_one.Parsed()->fingerprint());
  const TestCertificate new_one = ServerCertificate("a.example.com");
  tls_ = MakeServerTls({{"*", {new_one.Parsed()}}});
  Publish();
  auto next = ConnectTls(ClientFor("a.example.com"));
  EXPECT_EQ(next->stream->tls()->peer_fingerprint, new_one.Parsed()->fingerprint());
  Served(0).Write(kHi);
  RunUntil([&] { return client->saw("hi"); });
}

TEST_F(TlsListenerTest, WhoSaysNothingIsClosedAfterTheTimeOut) {
  options_.tls_handshake_timeout = milliseconds(20);
  tls_ = ServerTlsForTest();
  Start();
  auto silent = Connect();
  RunUntil([&] { return silent->ended(); });
  // The worker counts when it has closed.
  RunUntil([&] {
    return Handshakes("timeout", 1) && ReachedLimit("tls_handshake_timeout") &&
           Counted("penstock_downstream_connections 0\n");
  });
}

TEST_F(TlsListenerTest, ManyHalfOpenHandshakesLeaveRoomForOthers) {
  options_.tls_handshakes_max = 20;
  tls_ = ServerTlsForTest();
  Start();
  std::vector<std::unique_ptr<Peer>> silent;
  for (size_t i = 0; i < 5; ++i) {
    for (int k = 0; k < 60; ++k) silent.push_back(Connect(std::string("\x16\x03\x01", 3)));
    auto client = ConnectTls(ClientTlsForTest(), GetFrom("test.example.com"));
    Served(i).Write(kHi);
    RunUntil([&] { return client->saw("hi"); });
  }
  // All but the last ones were closed.
  RunUntil([&] { return silent[270]->ended(); });
  EXPECT_FALSE(silent.back()->ended());
  EXPECT_TRUE(Handshakes("ok", 5));
}

TEST_F(TlsListenerTest, PlainHttpIsNoHandshake) {
  tls_ = ServerTlsForTest();
  Start();
  auto client = Connect(kGet);
  RunUntil([&] { return client->ended(); });
  RunUntil(
      [&] { return Handshakes("not_tls", 1) && Counted("penstock_downstream_connections 0\n"); });
}

TEST_F(TlsListenerTest, DrainingWaitsForHandshakesThatAreUnderWay) {
  tls_ = ServerTlsForTest();
  options_.drain_idle_grace = Duration(0);
  Start();
  std::unique_ptr<Peer> plain = Connect();
  // It has been accepted once it is counted.
  RunUntil([&] { return Counted("penstock_downstream_connections 1\n"); });
  std::atomic<bool> drained{false};
  worker_->Drain([&] { drained = true; });
  std::unique_ptr<Stream> stream;
  const auto handshake = handshakes_->Connect(
      std::move(plain->stream), ClientTlsForTest(), "server", std::chrono::seconds(20),
      [&](TlsHandshake::Result result) { stream = std::move(result.stream); });
  RunUntil([&] { return stream != nullptr; });
  RunUntil([&] { return drained.load(); });
  EXPECT_TRUE(Handshakes("ok", 1));
}

TEST_F(TlsListenerTest, AWorkerStopsInTheMiddleOfHandshakes) {
  tls_ = ServerTlsForTest();
  Start();
  auto silent = Connect(std::string("\x16\x03\x01", 3));
  RunUntil([&] { return Counted("penstock_downstream_connections 1\n"); });
  worker_.reset();
  RunUntil([&] { return silent->ended(); });
}

}  // namespace
}  // namespace gw
