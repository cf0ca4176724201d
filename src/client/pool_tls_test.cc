// What is of TLS only in ClientPool; that all else holds over it, too, says unit/client_tls.

#include <gmock/gmock.h>

#include "client/test_pool.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ClientPoolTlsTest : public ClientPoolTest {
 protected:
  void StartTls(std::shared_ptr<const ServerTls> server = ServerTlsForTest(),
                std::shared_ptr<const ClientTls> client = ClientTlsForTest()) {
    Start();
    server_tls_ = std::move(server);
    client_tls_ = std::move(client);
  }
  ClientError ErrorOfRequest() {
    Answer answer;
    Send(&answer);
    RunUntil([&] { return answer.over(); });
    EXPECT_FALSE(answer.ended);
    return answer.error.value_or(ClientError{ClientFailure::kTimeout});
  }
  static std::shared_ptr<const ServerTls> Shows(const TestCertificateOptions& options) {
    return MakeServerTls({{"*", {MakeCertificate(options).Parsed()}}});
  }
};

TEST_F(ClientPoolTlsTest, ConnectionsAreUsedAgainAndSessionsAreResumed) {
  StartTls();
  Answer first, second, third;
  Exchange(&first, 0);
  Exchange(&second, 0, 2);
  EXPECT_THAT(handshakes_, ElementsAre("ok"));
  Send(&third, Reuse::kNone);
  Asked(1).Write(kHi);
  RunUntil([&] { return third.over(); });
  EXPECT_THAT(handshakes_, ElementsAre("ok", "resumed"));
}

TEST_F(ClientPoolTlsTest, AConnectionCarriesRequestsOfItsOwnClientTlsOnly) {
  StartTls();
  const auto one = client_tls_;
  const auto other = MakeClientTls({.server_name = "test.example.com", .trust = nullptr});
  const auto exchange = [this](size_t connection, int requests) {
    Answer answer;
    Exchange(&answer, connection, requests);
  };
  exchange(0, 1);
  client_tls_ = other;
  exchange(1, 1);
  exchange(1, 2);
  client_tls_ = one;
  exchange(0, 2);
  server_tls_ = nullptr;
  client_tls_ = nullptr;
  exchange(2, 1);
  exchange(2, 2);
  EXPECT_EQ(pool_->idle_connections(), 3u);
  EXPECT_THAT(handshakes_, ElementsAre("ok", "ok"));
}

TEST_F(ClientPoolTlsTest, AServerThatIsNotBelievedGetsNoRequest) {
  struct Case {
    TestCertificateOptions shown;
    std::string detail;
  };
  const TestCertificate stranger = MakeCertificate({.common_name = "CA", .authority = true});
  for (const Case& each : {
           Case{{.names = "DNS:other.example.com", .issuer = &TestAuthority()},
                "hostname mismatch"},
           Case{{.names = "DNS:test.example.com",
                 .issuer = &TestAuthority(),
                 .not_after = "20210101000000Z"},
                "certificate has expired"},
           Case{{.names = "DNS:test.example.com",
                 .issuer = &TestAuthority(),
                 .not_before = "20490101000000Z"},
                "certificate is not yet valid"},
           Case{{.names = "DNS:test.example.com"}, "self-signed certificate"},
           Case{{.names = "DNS:test.example.com", .issuer = &stranger},
                "unable to get local issuer certificate"},
       }) {
    handshakes_.clear();
    StartTls(Shows(each.shown));
    const ClientError error = ErrorOfRequest();
    EXPECT_EQ(NameOf(error.failure), "tls_handshake");
    EXPECT_EQ(error.detail, each.detail);
    EXPECT_FALSE(error.sent_whole);
    EXPECT_THAT(handshakes_, ElementsAre("bad_peer"));
    EXPECT_THAT(served_, IsEmpty());
  }
}

TEST_F(ClientPoolTlsTest, WithoutANameTheCertificateMustHaveTheAddress) {
  StartTls(Shows({.names = "IP:127.0.0.1", .issuer = &TestAuthority()}),
           MakeClientTls({.trust = TestAuthority().Trusted()}));
  Answer answer;
  Exchange(&answer, 0);
  server_tls_ = Shows({.names = "IP:127.0.0.2", .issuer = &TestAuthority()});
  pool_->CloseLongestIdle(1);
  // Sessions are kept by address, and this server does not know the one that it is asked for.
  client_tls_ = MakeClientTls({.trust = TestAuthority().Trusted()});
  EXPECT_EQ(ErrorOfRequest().detail, "IP address mismatch");
}

TEST_F(ClientPoolTlsTest, APlainServerIsNotSpokenToInPlainText) {
  StartTls(nullptr);
  Answer answer;
  Send(&answer);
  RunUntil([&] { return !served_.empty() && !served_[0]->recorder.text.empty(); });
  served_[0]->Write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  RunUntil([&] { return answer.over(); });
  EXPECT_EQ(NameOf(answer.error->failure), "tls_handshake");
  EXPECT_THAT(handshakes_, ElementsAre("not_tls"));
  RunUntil([&] { return served_[0]->gone(); });
  EXPECT_EQ(served_[0]->recorder.text.find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(served_.size(), 1u);
}

TEST_F(ClientPoolTlsTest, AServerThatClosesInPlaceOfAHandshakeHasFailed) {
  StartTls(nullptr);
  Answer answer;
  Send(&answer);
  RunUntil([&] { return !served_.empty() && !served_[0]->recorder.text.empty(); });
  served_[0]->stream.reset();
  RunUntil([&] { return answer.over(); });
  EXPECT_EQ(NameOf(answer.error->failure), "tls_handshake");
  EXPECT_THAT(handshakes_, ElementsAre("closed"));
}

TEST_F(ClientPoolTlsTest, AHandshakeThatHangsEndsWithTheTimeToConnect) {
  options_.connect_timeout = std::chrono::milliseconds(20);
  StartTls(nullptr);
  EXPECT_EQ(NameOf(ErrorOfRequest().failure), "connect_timeout");
  EXPECT_THAT(limits_, ElementsAre("connect_timeout"));
  EXPECT_THAT(handshakes_, ElementsAre("timeout"));
}

TEST_F(ClientPoolTlsTest, AServerThatSpeaksHttp2OnlyIsRefused) {
  ServerTls::Options options;
  options.listeners = {{"*", {ServerCertificate("test.example.com").Parsed()}}};
  options.protocols = {"h2"};
  StartTls(*ServerTls::New(std::move(options), TicketsForTest()));
  const ClientError error = ErrorOfRequest();
  EXPECT_EQ(NameOf(error.failure), "tls_handshake");
  EXPECT_THAT(error.detail, HasSubstr("no application protocol"));
}

TEST_F(ClientPoolTlsTest, AServerThatWantsAnotherCertificateOfUsIsNamed) {
  const std::vector<TlsListener> listeners = {
      {"*", {ServerCertificate("test.example.com").Parsed()}}};
  StartTls(MakeServerTls(listeners,
                         {ClientValidation::Mode::kAllowValidOnly, TestAuthority().Trusted()}));
  const ClientError error = ErrorOfRequest();
  EXPECT_EQ(NameOf(error.failure), "tls_handshake");
  EXPECT_THAT(error.detail, HasSubstr("wanted a certificate of us"));
  client_tls_ = MakeClientTls(
      {.server_name = "test.example.com",
       .trust = TestAuthority().Trusted(),
       .certificate = MakeCertificate({.common_name = "gw", .issuer = &TestAuthority()}).Parsed()});
  Answer answer;
  Exchange(&answer, 0);
}

TEST_F(ClientPoolTlsTest, ACallMayBeCancelledInTheMiddleOfItsHandshake) {
  StartTls(nullptr);
  Answer cancelled, left;
  ClientCall* const call = Send(&cancelled);
  RunUntil([&] { return !served_.empty() && !served_[0]->recorder.text.empty(); });
  EXPECT_TRUE(call->connecting());
  call->Cancel();
  RunUntil([&] { return served_[0]->gone(); });
  Send(&left);
  RunUntil([&] { return served_.size() == 2 && !served_[1]->recorder.text.empty(); });
  pool_.reset();
  RunUntil([&] { return served_[1]->gone(); });
  EXPECT_FALSE(cancelled.over());
  EXPECT_FALSE(left.over());
  EXPECT_THAT(handshakes_, IsEmpty());
}

}  // namespace
}  // namespace gw
