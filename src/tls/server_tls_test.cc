#include "tls/server_tls.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/clock.h"
#include "tls/test_certificates.h"
#include "tls/test_handshake.h"

namespace gw {
namespace {

using Mode = ClientValidation::Mode;

class ServerTlsTest : public testing::Test {
 protected:
  std::shared_ptr<const ServerTls> Server(std::vector<TlsListener> listeners,
                                          ClientValidation clients = {}) {
    auto made = ServerTls::New({std::move(listeners), std::move(clients)}, *tickets_);
    CHECK(made.ok());
    return *std::move(made);
  }
  std::shared_ptr<const ServerTls> ServerFor(const std::string& name) {
    return Server({{name, {ServerCertificate(name).Parsed()}}});
  }
  // A client that believes everybody, but for its name.
  static std::shared_ptr<const ClientTls> Client(const std::string& name) {
    return *ClientTls::New({.server_name = name});
  }
  static std::string SubjectFor(const ServerTls& server, const std::string& name) {
    const TestHandshake shake(server, *Client(name));
    return shake.done ? shake.server_subject() : shake.error;
  }

  ManualClock clock_;
  std::unique_ptr<TicketKeys> tickets_ = TicketKeys::New(clock_, std::chrono::hours(8));
};

TEST_F(ServerTlsTest, TheListenerIsTheMostSpecificThatFitsTheName) {
  const auto server = Server({{"*", {ServerCertificate("any").Parsed()}},
                              {"*.example.com", {ServerCertificate("wild").Parsed()}},
                              {"*.a.example.com", {ServerCertificate("deeper").Parsed()}},
                              {"x.example.com", {ServerCertificate("exact").Parsed()}}});
  EXPECT_EQ(SubjectFor(*server, "x.example.com"), "CN=exact");
  EXPECT_EQ(SubjectFor(*server, "y.example.com"), "CN=wild");
  EXPECT_EQ(SubjectFor(*server, "z.y.example.com"), "CN=wild");
  EXPECT_EQ(SubjectFor(*server, "y.a.example.com"), "CN=deeper");
  EXPECT_EQ(SubjectFor(*server, "X.EXAMPLE.COM"), "CN=exact");
  EXPECT_EQ(SubjectFor(*server, "elsewhere.org"), "CN=any");
  EXPECT_EQ(SubjectFor(*server, ""), "CN=any");
  EXPECT_EQ(*server->ListenerFor("y.example.com"), "*.example.com");
  EXPECT_EQ(*server->ListenerFor(""), "*");
}

TEST_F(ServerTlsTest, ANameOfNobodyOrNoneEndsInAnAlert) {
  const auto server = ServerFor("a.example.com");
  EXPECT_EQ(server->ListenerFor("b.example.com"), nullptr);
  EXPECT_EQ(server->ListenerFor(""), nullptr);
  EXPECT_EQ(SubjectFor(*server, "a.example.com"), "CN=a.example.com");
  TestHandshake unknown(*server, *Client("b.example.com"));
  EXPECT_FALSE(unknown.done);
  EXPECT_EQ(unknown.error, "callback failed");
  SSL_do_handshake(unknown.client.get());
  EXPECT_EQ(internal::TakeError(), "tlsv1 unrecognized name");
  EXPECT_EQ(SubjectFor(*server, ""), "callback failed");
}

TEST_F(ServerTlsTest, TheCertificateIsTheOneForTheName) {
  const auto server = Server(
      {{"*",
        {ServerCertificate("first.org").Parsed(), ServerCertificate("a.example.com").Parsed(),
         ServerCertificate("*.example.com").Parsed(),
         ServerCertificate("a.example.com", TestKey::kRsa2048).Parsed()}}});
  EXPECT_EQ(SubjectFor(*server, "a.example.com"), "CN=a.example.com");
  EXPECT_EQ(SubjectFor(*server, "b.example.com"), "CN=*.example.com");
  EXPECT_EQ(SubjectFor(*server, "c.b.example.com"), "CN=first.org");  // a wildcard is one label
  EXPECT_EQ(SubjectFor(*server, "example.com"), "CN=first.org");
  EXPECT_EQ(SubjectFor(*server, ""), "CN=first.org");
}

TEST_F(ServerTlsTest, RsaAndEcdsaStandSideBySide) {
  const auto server = Server({{"a.example.com",
                               {ServerCertificate("a.example.com", TestKey::kRsa2048).Parsed(),
                                ServerCertificate("a.example.com").Parsed()}}});
  const auto key_for = [&](void (*prepare)(SSL*)) {
    const TestHandshake shake(*server, *Client("a.example.com"), prepare);
    return shake.done ? shake.server_key() : shake.error;
  };
  EXPECT_EQ(key_for([](SSL* ssl) { SSL_set1_sigalgs_list(ssl, "RSA-PSS+SHA256"); }), "RSA");
  EXPECT_EQ(key_for([](SSL* ssl) { SSL_set1_sigalgs_list(ssl, "ECDSA+SHA256"); }), "EC");
  EXPECT_EQ(key_for([](SSL* ssl) {
              SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
              SSL_set_cipher_list(ssl, "aRSA");
            }),
            "RSA");
  EXPECT_EQ(key_for([](SSL* ssl) {
              SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
              SSL_set_cipher_list(ssl, "aECDSA");
            }),
            "EC");
}

TEST_F(ServerTlsTest, VersionsAndCiphersAreThoseOfForwardSecrecy) {
  const auto server = Server({{"*", {ServerCertificate("a", TestKey::kRsa2048).Parsed()}}});
  const auto version_for = [&](void (*prepare)(SSL*)) {
    const TestHandshake shake(*server, *Client("a"), prepare);
    return shake.done ? std::string(SSL_get_version(shake.client.get())) : shake.error;
  };
  EXPECT_EQ(version_for(nullptr), "TLSv1.3");
  EXPECT_EQ(version_for([](SSL* ssl) { SSL_set_max_proto_version(ssl, TLS1_2_VERSION); }),
            "TLSv1.2");
  EXPECT_EQ(version_for([](SSL* ssl) {
              SSL_set_security_level(ssl, 0);
              SSL_set_min_proto_version(ssl, TLS1_VERSION);
              SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
              SSL_set_cipher_list(ssl, "ALL:@SECLEVEL=0");
            }),
            "unsupported protocol");
  EXPECT_EQ(version_for([](SSL* ssl) {
              SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
              SSL_set_cipher_list(ssl, "kRSA:DHE+AES:ECDHE+AES+SHA");
            }),
            "no shared cipher");
}

TEST_F(ServerTlsTest, TheProtocolIsTheBestOfOursThatTheClientHas) {
  const auto server = ServerFor("a");
  const auto protocol_for = [&](std::vector<std::string> offered) {
    const auto client = ClientTls::New({.server_name = "a", .protocols = std::move(offered)});
    const TestHandshake shake(*server, **client);
    return shake.done ? shake.protocol() : shake.error;
  };
  EXPECT_EQ(protocol_for({"h2", "http/1.1"}), "http/1.1");
  EXPECT_EQ(protocol_for({}), "");
  EXPECT_EQ(protocol_for({"h2"}), "no application protocol");
}

TEST_F(ServerTlsTest, SessionsAreResumedAfterAReloadAndWithAnotherCertificate) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SCOPED_TRACE(version);
    const auto prepare = version == TLS1_2_VERSION
                             ? [](SSL* ssl) { SSL_set_max_proto_version(ssl, TLS1_2_VERSION); }
                             : [](SSL* ssl) { SSL_set_min_proto_version(ssl, TLS1_3_VERSION); };
    const auto client = Client("a.example.com");
    const auto resumed = [&](const ServerTls& server) {
      const TestHandshake shake(server, *client, prepare);
      EXPECT_TRUE(shake.done) << shake.error;
      EXPECT_EQ(ServerTls::NameAskedFor(shake.server.get()), "a.example.com");
      return shake.resumed();
    };
    EXPECT_FALSE(resumed(*ServerFor("a.example.com")));
    EXPECT_TRUE(resumed(*ServerFor("a.example.com")));
    EXPECT_TRUE(resumed(*ServerFor("a.example.com")));
    // Who was let in by one listener is not by that known at another.
    EXPECT_FALSE(resumed(*ServerFor("*.example.com")));
  }
}

TEST_F(ServerTlsTest, SessionsDoNotOutliveWhatIsAskedOfClients) {
  const TestCertificate other = MakeCertificate({.common_name = "Other", .authority = true});
  const std::vector<TlsListener> listeners = {{"a", {ServerCertificate("a").Parsed()}}};
  const auto client = *ClientTls::New(
      {.server_name = "a",
       .certificate = MakeCertificate({.common_name = "me", .issuer = &TestAuthority()}).Parsed()});
  const ClientValidation asked[] = {
      {},
      {Mode::kAllowInsecureFallback, TestAuthority().Trusted()},
      {Mode::kAllowValidOnly, TestAuthority().Trusted()},
      {Mode::kAllowInsecureFallback, other.Trusted()},
  };
  for (const ClientValidation& each : asked) {
    const TestHandshake first(*Server(listeners, each), *client);
    EXPECT_TRUE(first.done) << first.error;
    EXPECT_FALSE(first.resumed());
    const TestHandshake second(*Server(listeners, each), *client);
    EXPECT_TRUE(second.resumed());
  }
}

TEST_F(ServerTlsTest, TicketsAreReadForTwoPeriodsMoreAndRenewed) {
  const auto server = ServerFor("a");
  const auto resumed_after = [&](Duration age) {
    const auto client = Client("a");
    const TestHandshake first(*server, *client);
    clock_.Advance(age);
    return TestHandshake(*server, *client).resumed();
  };
  EXPECT_TRUE(resumed_after(std::chrono::hours(7)));
  EXPECT_TRUE(resumed_after(std::chrono::hours(15)));
  EXPECT_FALSE(resumed_after(std::chrono::hours(25)));
}

TEST_F(ServerTlsTest, TicketsOfAnotherProcessAreNotRead) {
  const auto client = Client("a");
  EXPECT_TRUE(TestHandshake(*ServerFor("a"), *client).done);
  tickets_ = TicketKeys::New(clock_);
  const auto server = ServerFor("a");
  const TestHandshake shake(*server, *client);
  EXPECT_TRUE(shake.done) << shake.error;
  EXPECT_FALSE(shake.resumed());
}

TEST_F(ServerTlsTest, AListenerWithoutACertificateIsRefused) {
  ServerTls::Options options;
  options.listeners = {{"a", {}}};
  EXPECT_EQ(ServerTls::New(std::move(options), *tickets_).status().message(),
            "listener a has no certificate");
}

// --- What the other side believes.

class ClientTlsTest : public ServerTlsTest {
 protected:
  static std::string ErrorOf(const ServerTls& server, ClientTls::Options options) {
    const auto client = ClientTls::New(std::move(options));
    CHECK(client.ok());
    const TestHandshake shake(server, **client);
    if (shake.done) return "";
    const long verified = SSL_get_verify_result(shake.client.get());
    return verified == X509_V_OK ? shake.error : X509_verify_cert_error_string(verified);
  }
};

TEST_F(ClientTlsTest, TheCertificateMustLeadToTheTrustAndCarryTheName) {
  const auto server =
      Server({{"*",
               {MakeCertificate({.names = "DNS:a.example.com,DNS:*.b.example.com,"
                                          "IP:10.0.0.7,URI:spiffe://cluster/ns/default",
                                 .issuer = &TestAuthority()})
                    .Parsed()}}});
  const auto trust = TestAuthority().Trusted();
  EXPECT_EQ(ErrorOf(*server, {.server_name = "a.example.com", .trust = trust}), "");
  EXPECT_EQ(ErrorOf(*server, {.server_name = "A.EXAMPLE.COM", .trust = trust}), "");
  EXPECT_EQ(ErrorOf(*server, {.server_name = "x.b.example.com", .trust = trust}), "");
  EXPECT_EQ(ErrorOf(*server, {.server_name = "10.0.0.7", .trust = trust}), "");
  EXPECT_EQ(ErrorOf(*server, {.server_name = "c.example.com", .trust = trust}),
            "hostname mismatch");
  EXPECT_EQ(ErrorOf(*server, {.server_name = "y.x.b.example.com", .trust = trust}),
            "hostname mismatch");
  EXPECT_EQ(ErrorOf(*server, {.server_name = "10.0.0.8", .trust = trust}), "hostname mismatch");
  const auto other = MakeCertificate({.common_name = "Other", .authority = true}).Trusted();
  EXPECT_EQ(ErrorOf(*server, {.server_name = "a.example.com", .trust = other}),
            "unable to get local issuer certificate");
  // Whoever believes everybody has said so.
  EXPECT_EQ(ErrorOf(*server, {.server_name = "c.example.com"}), "");

  using Type = ClientTls::AltName::Type;
  const auto with = [&](std::vector<ClientTls::AltName> names) {
    return ErrorOf(*server, {.server_name = "c.example.com", .alt_names = names, .trust = trust});
  };
  EXPECT_EQ(with({{Type::kHostname, "a.example.com"}}), "");
  EXPECT_EQ(with({{Type::kUri, "spiffe://cluster/ns/default"}}), "");
  EXPECT_EQ(with({{Type::kUri, "spiffe://other"}, {Type::kHostname, "a.example.com"}}), "");
  EXPECT_EQ(with({{Type::kUri, "spiffe://cluster/ns"}}), "hostname mismatch");
  EXPECT_EQ(with({{Type::kHostname, "c.example.com"}}), "hostname mismatch");
}

TEST_F(ClientTlsTest, AnExpiredCertificateIsNotBelieved) {
  const auto trust = TestAuthority().Trusted();
  const auto with = [&](const char* from, const char* to) {
    const auto certificate = MakeCertificate(
        {.names = "DNS:a", .issuer = &TestAuthority(), .not_before = from, .not_after = to});
    return ErrorOf(*Server({{"*", {certificate.Parsed()}}}), {.server_name = "a", .trust = trust});
  };
  EXPECT_EQ(with("20200101000000Z", "20491231235959Z"), "");
  EXPECT_EQ(with("20200101000000Z", "20210101000000Z"), "certificate has expired");
  EXPECT_EQ(with("20480101000000Z", "20491231235959Z"), "certificate is not yet valid");
}

TEST_F(ClientTlsTest, AnAuthorityInTheMiddleIsSentOrTrustedByItself) {
  const TestCertificate middle = MakeCertificate({.common_name = "Middle",
                                                  .key = TestKey::kOtherP256,
                                                  .issuer = &TestAuthority(),
                                                  .authority = true});
  const TestCertificate leaf = MakeCertificate({.names = "DNS:a", .issuer = &middle});
  const auto whole = Server({{"*", {leaf.Parsed(middle.pem)}}});
  const auto short_of_it = Server({{"*", {leaf.Parsed()}}});
  const auto root = TestAuthority().Trusted();
  EXPECT_EQ(ErrorOf(*whole, {.server_name = "a", .trust = root}), "");
  EXPECT_EQ(ErrorOf(*short_of_it, {.server_name = "a", .trust = root}),
            "unable to get local issuer certificate");
  EXPECT_EQ(ErrorOf(*short_of_it, {.server_name = "a", .trust = middle.Trusted()}), "");
}

TEST_F(ClientTlsTest, WithoutANameTheCertificateMustHaveTheAddress) {
  const auto root = TestAuthority().Trusted();
  const auto error_with = [&](const std::string& names) {
    const TestCertificate leaf = MakeCertificate({.names = names, .issuer = &TestAuthority()});
    return ErrorOf(*Server({{"*", {leaf.Parsed()}}}), {.trust = root});
  };
  EXPECT_EQ(error_with("IP:10.0.0.7"), "");  // which TestHandshake is with
  EXPECT_EQ(error_with("DNS:a,IP:10.0.0.8,IP:10.0.0.7"), "");
  EXPECT_EQ(error_with("IP:10.0.0.8"), "IP address mismatch");
  EXPECT_EQ(error_with("DNS:10.0.0.7"), "IP address mismatch");
}

TEST_F(ClientTlsTest, OfTheSessionsTheLeastRecentlyUsedGo) {
  const auto server = ServerFor("a");
  const auto client = *ClientTls::New({.server_name = "a", .sessions_max = 1});
  EXPECT_FALSE(TestHandshake(*server, *client).resumed());
  EXPECT_TRUE(TestHandshake(*server, *client).resumed());
  const auto forgets = *ClientTls::New({.server_name = "a", .sessions_max = 0});
  EXPECT_FALSE(TestHandshake(*server, *forgets).resumed());
  EXPECT_FALSE(TestHandshake(*server, *forgets).resumed());
}

TEST_F(ClientTlsTest, ClientsAreAskedAsTheModeSays) {
  const std::vector<TlsListener> listeners = {{"a", {ServerCertificate("a").Parsed()}}};
  const auto known = MakeCertificate({.common_name = "me", .issuer = &TestAuthority()}).Parsed();
  const auto stranger = MakeCertificate({.common_name = "stranger"}).Parsed();
  const auto subject = [&](Mode mode, std::shared_ptr<const Certificate> shown) -> std::string {
    const auto client = ClientTls::New({.server_name = "a", .certificate = std::move(shown)});
    const TestHandshake shake(
        *Server(listeners, {mode, mode == Mode::kNone ? nullptr : TestAuthority().Trusted()}),
        **client);
    if (!shake.done) return shake.error;
    X509* const peer = SSL_get0_peer_certificate(shake.server.get());
    if (peer == nullptr) return "none";
    const bool valid = SSL_get_verify_result(shake.server.get()) == X509_V_OK;
    return (valid ? "" : "invalid ") + internal::NameText(X509_get_subject_name(peer));
  };
  EXPECT_EQ(subject(Mode::kNone, known), "none");
  EXPECT_EQ(subject(Mode::kAllowValidOnly, known), "CN=me");
  EXPECT_EQ(subject(Mode::kAllowValidOnly, stranger), "certificate verify failed");
  EXPECT_EQ(subject(Mode::kAllowValidOnly, nullptr), "peer did not return a certificate");
  EXPECT_EQ(subject(Mode::kAllowInsecureFallback, known), "CN=me");
  EXPECT_EQ(subject(Mode::kAllowInsecureFallback, stranger), "invalid CN=stranger");
  EXPECT_EQ(subject(Mode::kAllowInsecureFallback, nullptr), "none");
}

}  // namespace
}  // namespace gw
