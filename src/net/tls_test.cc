#include "net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "net/tls_test_util.h"

namespace gw {
namespace {

using testing::HasSubstr;
using testing::Not;
using Mode = ClientValidation::Mode;

// One end of a handshake and what became of it.
struct End {
  bool ended = false;
  TlsHandshake::Result result;
  std::unique_ptr<TlsHandshake> handshake;

  TlsHandshake::Done Done() {
    return [this](TlsHandshake::Result got) {
      ASSERT_FALSE(ended) << "done is called once";
      ended = true;
      result = std::move(got);
      handshake.reset();
    };
  }
  const TlsInfo& info() const { return *result.stream->tls(); }
};

class Tls : public ConnectedTest {
 protected:
  struct Both {
    End client, server;
  };

  // Runs both ends until each has ended.
  std::unique_ptr<Both> Shake(std::shared_ptr<const ServerTls> server,
                              std::shared_ptr<const ClientTls> client,
                              TlsHandshakes* server_worker = nullptr) {
    auto both = std::make_unique<Both>();
    Ends plain = Connect();
    TlsHandshakes& worker = server_worker == nullptr ? *handshakes_ : *server_worker;
    both->server.handshake = worker.Accept(std::move(plain.server), std::move(server),
                                           std::chrono::seconds(10), both->server.Done());
    both->client.handshake =
        handshakes_->Connect(std::move(plain.client), std::move(client), "server",
                             std::chrono::seconds(10), both->client.Done());
    RunUntil([&] { return both->client.ended && both->server.ended; });
    return both;
  }

  // Sends bytes that are no handshake of ours, or none, to a server.
  TlsError Send(const std::string& bytes, bool closes = false) {
    Ends plain = Connect();
    End server;
    server.handshake = handshakes_->Accept(std::move(plain.server), ServerTlsForTest(),
                                           std::chrono::seconds(10), server.Done());
    WriteText(*plain.client, bytes);
    if (closes) plain.client.reset();
    RunUntil([&] { return server.ended; });
    EXPECT_EQ(server.result.stream, nullptr);
    return server.result.error;
  }

  static std::shared_ptr<const ClientTls> ClientFor(const std::string& name) {
    return MakeClientTls({.server_name = name, .trust = TestAuthority().Trusted()});
  }
  static std::shared_ptr<const ServerTls> ServerFor(const std::string& name) {
    return MakeServerTls({{name, {ServerCertificate(name).Parsed()}}});
  }

  const std::unique_ptr<TlsHandshakes> handshakes_ = TlsHandshakes::New(*loop_);
};

TEST_F(Tls, BothEndsLearnWhatWasAgreedOn) {
  const auto both = Shake(ServerFor("a.example.com"), ClientFor("A.example.com"));
  ASSERT_NE(both->server.result.stream, nullptr) << both->server.result.error.message;
  ASSERT_NE(both->client.result.stream, nullptr) << both->client.result.error.message;
  for (const End* end : {&both->client, &both->server}) {
    EXPECT_EQ(end->info().version, "TLSv1.3");
    EXPECT_EQ(end->info().cipher, "TLS_AES_256_GCM_SHA384");
    EXPECT_EQ(end->info().protocol, "http/1.1");
    EXPECT_FALSE(end->info().resumed);
  }
  EXPECT_EQ(both->server.info().server_name, "a.example.com");
  EXPECT_EQ(both->server.info().peer_subject, "");
  EXPECT_EQ(both->client.info().peer_subject, "CN=a.example.com");
  EXPECT_EQ(both->client.info().peer_fingerprint.size(), 64u);
}

TEST_F(Tls, WhatIsSentRightBehindTheHandshakeIsTold) {
  Ends plain = Connect();
  End server;
  server.handshake = handshakes_->Accept(std::move(plain.server), ServerTlsForTest(),
                                         std::chrono::seconds(10), server.Done());
  Recorder client_events;
  std::unique_ptr<Stream> client;
  std::unique_ptr<TlsHandshake> connecting;
  connecting = handshakes_->Connect(std::move(plain.client), ClientTlsForTest(), "server",
                                    std::chrono::seconds(10), [&](TlsHandshake::Result result) {
                                      client = std::move(result.stream);
                                      ASSERT_NE(client, nullptr);
                                      WriteText(*client, "at once");
                                      ASSERT_EQ(client->ShutdownWrite(), IoState::kOk);
                                    });
  RunUntil([&] { return server.ended; });
  Recorder events;
  events.Attach(server.result.stream.get());
  RunUntil([&] { return events.state == IoState::kEnd; });
  EXPECT_EQ(events.text, "at once");
  // The other direction goes on, tickets and all.
  client_events.Attach(client.get());
  EXPECT_EQ(WriteText(*server.result.stream, "answer"), IoState::kOk);
  RunUntil([&] { return client_events.text == "answer"; });
}

TEST_F(Tls, SessionsAreResumedAtAnotherWorkerAndAfterAReload) {
  const auto second_worker = TlsHandshakes::New(*loop_);
  const auto client = ClientFor("a.example.com");
  const auto shake = [&](TlsHandshakes* worker) {
    const auto both = Shake(ServerFor("a.example.com"), client, worker);
    EXPECT_NE(both->client.result.stream, nullptr);
    Recorder events;
    events.Attach(both->client.result.stream.get());
    WriteText(*both->server.result.stream, "x");
    RunUntil([&] { return events.text == "x"; });
    EXPECT_EQ(both->server.info().resumed, both->client.info().resumed);
    EXPECT_EQ(both->server.info().server_name, "a.example.com");
    return both->client.info().resumed;
  };
  EXPECT_FALSE(shake(handshakes_.get()));
  EXPECT_TRUE(shake(second_worker.get()));
  EXPECT_TRUE(shake(handshakes_.get()));
}

TEST_F(Tls, ASessionOutlivesAConnectionThatIsResetOrCut) {
  const auto client = ClientFor("a.example.com");
  const auto server = ServerFor("a.example.com");
  for (const bool resets : {false, true}) {
    const auto both = Shake(server, client);
    Recorder events;
    events.Attach(both->client.result.stream.get());
    WriteText(*both->server.result.stream, "x");
    RunUntil([&] { return events.text == "x"; });
    if (resets) both->client.result.stream->ResetOnClose();
    both->client.result.stream.reset();
  }
  EXPECT_TRUE(Shake(server, client)->client.info().resumed);
}

TEST_F(Tls, ClientsShowTheirCertificates) {
  const std::vector<TlsListener> listeners = {{"a", {ServerCertificate("a").Parsed()}}};
  const auto known = MakeCertificate({.common_name = "me", .issuer = &TestAuthority()}).Parsed();
  const auto stranger = MakeCertificate({.common_name = "stranger"}).Parsed();
  const auto shake = [&](Mode mode, std::shared_ptr<const Certificate> shown) {
    return Shake(MakeServerTls(listeners, {mode, TestAuthority().Trusted()}),
                 MakeClientTls({.server_name = "a",
                                .trust = TestAuthority().Trusted(),
                                .certificate = std::move(shown)}));
  };
  auto both = shake(Mode::kAllowValidOnly, known);
  ASSERT_NE(both->server.result.stream, nullptr);
  EXPECT_EQ(both->server.info().peer_subject, "CN=me");
  EXPECT_EQ(both->server.info().peer_fingerprint, known->fingerprint());
  // The server refuses it, when the client of TLS 1.3 believes to be connected already.
  both = shake(Mode::kAllowValidOnly, stranger);
  ASSERT_EQ(both->server.result.stream, nullptr);
  EXPECT_EQ(NameOf(both->server.result.error.failure), "bad_peer");
  EXPECT_EQ(both->server.result.error.message, "self-signed certificate");
  ASSERT_NE(both->client.result.stream, nullptr);
  Recorder events;
  events.Attach(both->client.result.stream.get());
  RunUntil([&] { return events.state == IoState::kError; });
  both = shake(Mode::kAllowValidOnly, nullptr);
  EXPECT_EQ(NameOf(both->server.result.error.failure), "bad_peer");
  EXPECT_EQ(both->server.result.error.message, "peer did not return a certificate");

  // What goes through unproven is nobody.
  both = shake(Mode::kAllowInsecureFallback, known);
  EXPECT_EQ(both->server.info().peer_subject, "CN=me");
  both = shake(Mode::kAllowInsecureFallback, stranger);
  ASSERT_NE(both->server.result.stream, nullptr);
  EXPECT_EQ(both->server.info().peer_subject, "");
  both = shake(Mode::kAllowInsecureFallback, nullptr);
  ASSERT_NE(both->server.result.stream, nullptr);
}

TEST_F(Tls, ServersThatAreNotBelievedAreNamed) {
  const auto errors = [&](const TestCertificate& certificate) {
    const auto both = Shake(MakeServerTls({{"*", {certificate.Parsed()}}}), ClientFor("a"));
    EXPECT_EQ(both->client.result.stream, nullptr);
    const TlsError& mine = both->client.result.error;
    const TlsError& theirs = both->server.result.error;
    return std::string(NameOf(mine.failure)) + ": " + mine.message + " / " +
           std::string(NameOf(theirs.failure)) + ": " + theirs.message;
  };
  EXPECT_EQ(errors(ServerCertificate("b")),
            "bad_peer: hostname mismatch / refused: sslv3 alert bad certificate");
  EXPECT_EQ(errors(MakeCertificate(
                {.names = "DNS:a", .issuer = &TestAuthority(), .not_after = "20210101000000Z"})),
            "bad_peer: certificate has expired / refused: sslv3 alert certificate expired");
  EXPECT_EQ(errors(MakeCertificate({.names = "DNS:a"})),
            "bad_peer: self-signed certificate / refused: tlsv1 alert unknown ca");
}

TEST_F(Tls, ANameOfNoListenerIsRefusedToBothEnds) {
  for (const char* name : {"b.example.com", ""}) {
    const auto client = MakeClientTls({.server_name = name});
    const auto both = Shake(ServerFor("a.example.com"), client);
    EXPECT_EQ(NameOf(both->server.result.error.failure), "unknown_name");
    EXPECT_EQ(NameOf(both->client.result.error.failure), "refused");
    EXPECT_THAT(both->client.result.error.message, HasSubstr("unrecognized name"));
  }
}

TEST_F(Tls, TermsThatAreNotSharedAreNamed) {
  const auto client = MakeClientTls({.server_name = "test.example.com", .protocols = {"spdy/1"}});
  const auto both = Shake(ServerTlsForTest(), client);
  EXPECT_EQ(NameOf(both->server.result.error.failure), "no_shared_terms");
  EXPECT_EQ(NameOf(both->client.result.error.failure), "refused");
}

TEST_F(Tls, WhatIsNoTlsIsNamed) {
  EXPECT_EQ(NameOf(Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").failure), "not_tls");
  EXPECT_EQ(NameOf(Send("CONNECT a:443 HTTP/1.1\r\n\r\n").failure), "not_tls");
  EXPECT_EQ(NameOf(Send(std::string(64, '\0')).failure), "not_tls");
  EXPECT_EQ(NameOf(Send(std::string(64, '\xff')).failure), "not_tls");
  EXPECT_EQ(NameOf(Send("SSH-2.0-OpenSSH_9.2p1 Debian\r\n").failure), "not_tls");
}

TEST_F(Tls, APeerThatGoesAwayIsNamed) {
  EXPECT_EQ(NameOf(Send("", true).failure), "closed");
  EXPECT_EQ(NameOf(Send(std::string("\x16\x03\x01\x02\x00\x01", 6), true).failure), "closed");
  Ends plain = Connect();
  End server;
  server.handshake = handshakes_->Accept(std::move(plain.server), ServerTlsForTest(),
                                         std::chrono::seconds(10), server.Done());
  plain.client->ResetOnClose();
  plain.client.reset();
  RunUntil([&] { return server.ended; });
  EXPECT_EQ(NameOf(server.result.error.failure), "closed");
  EXPECT_EQ(server.result.error.message, "Connection reset by peer");
}

// Any bytes, whole or in parts: a handshake ends with a name, and nobody else is disturbed.
TEST_F(Tls, GarbageEndsTheHandshakeAndNothingElse) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    std::string bytes(1 + random.Below(600), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Below(256));
    // Half of them look like a record that holds a ClientHello.
    if (i % 2 == 0) bytes = std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + bytes;
    Send(bytes, true);
  }
  EXPECT_NE(Shake(ServerTlsForTest(), ClientTlsForTest())->client.result.stream, nullptr);
}

TEST_F(Tls, AHalfOpenHandshakeTimesOut) {
  Ends plain = Connect();
  End server;
  server.handshake = handshakes_->Accept(std::move(plain.server), ServerTlsForTest(),
                                         std::chrono::milliseconds(20), server.Done());
  WriteText(*plain.client, std::string("\x16\x03\x01", 3));
  Recorder events;
  events.Attach(plain.client.get());
  RunUntil([&] { return server.ended; });
  EXPECT_EQ(NameOf(server.result.error.failure), "timeout");
  RunUntil([&] { return events.state == IoState::kEnd || events.state == IoState::kError; });
}

TEST_F(Tls, AHandshakeThatIsAbandonedClosesItsStream) {
  Ends plain = Connect();
  Recorder events;
  events.Attach(plain.client.get());
  auto handshake =
      handshakes_->Accept(std::move(plain.server), ServerTlsForTest(), std::chrono::seconds(10),
                          [](TlsHandshake::Result) { FAIL() << "it was abandoned"; });
  loop_->RunOnce(Duration::zero());
  handshake.reset();
  RunUntil([&] { return events.state == IoState::kEnd; });
}

// Those that wait for their turn leave it when they go.
TEST_F(Tls, ManyHandshakesTakeTurns) {
  std::deque<Both> all;
  std::vector<Ends> connected;
  for (int i = 0; i < 50; ++i) connected.push_back(Connect());
  for (Ends& plain : connected) {
    Both& both = all.emplace_back();
    both.server.handshake = handshakes_->Accept(std::move(plain.server), ServerTlsForTest(),
                                                std::chrono::seconds(10), both.server.Done());
    both.client.handshake =
        handshakes_->Connect(std::move(plain.client), ClientFor("test.example.com"), "server",
                             std::chrono::seconds(10), both.client.Done());
  }
  for (int i = 0; i < 50; i += 5) all[i].server.handshake.reset();
  RunUntil([&] {
    for (int i = 0; i < 50; ++i) {
      if (!all[i].client.ended || (i % 5 != 0 && !all[i].server.ended)) return false;
    }
    return true;
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(all[i].client.result.stream != nullptr, i % 5 != 0);
  }
}

// --- The stream behind it.

class TlsStreams : public Tls {
 protected:
  void SetUp() override {
    Tls::SetUp();
    both_ = Shake(ServerTlsForTest(), ClientTlsForTest());
    client_.Attach(both_->client.result.stream.get());
    server_.Attach(both_->server.result.stream.get());
  }
  std::unique_ptr<Stream>& client() { return both_->client.result.stream; }
  std::unique_ptr<Stream>& server() { return both_->server.result.stream; }

  Recorder client_, server_;
  std::unique_ptr<Both> both_;
};

// A pooled connection: tickets come when the server likes, and are no data.
TEST_F(TlsStreams, TicketsAreNoDataToAQuietConnection) {
  const auto both = Shake(ServerTlsForTest(), ClientTlsForTest());
  Stream& fresh = *both->client.result.stream;
  RunUntil([&] { return fresh.IsOpenAndQuiet(); });
  EXPECT_TRUE(fresh.IsOpenAndQuiet());
  WriteText(*both->server.result.stream, "unasked");
  EXPECT_FALSE(fresh.IsOpenAndQuiet());
  Recorder events;
  events.Attach(&fresh);
  fresh.ReadAgainLater();
  RunUntil([&] { return events.text == "unasked"; });
  EXPECT_TRUE(fresh.IsOpenAndQuiet());
  both->server.result.stream.reset();
  EXPECT_FALSE(fresh.IsOpenAndQuiet());
}

// Somebody between the two, who passes on what comes.
struct Relay final : StreamObserver {
  void OnReadable() override {
    char bytes[4096];
    for (;;) {
      const IoResult read = from->Read(bytes);
      if (read.state != IoState::kOk) return;
      seen.append(bytes, read.bytes);
      WriteText(*to, {bytes, read.bytes});
    }
  }
  void OnWritable() override {}
  Stream* from;
  Stream* to;
  std::string seen;
};

TEST_F(Tls, AnEndThatTheTransportAloneTellsOfIsAnError) {
  Ends near = Connect();
  Ends far = Connect();
  Relay to_server, to_client;
  to_server.from = to_client.to = near.server.get();
  to_server.to = to_client.from = far.client.get();
  near.server->set_observer(&to_server);
  far.client->set_observer(&to_client);
  Encrypt(*loop_, *handshakes_, &near.client, &far.server);
  Recorder events;
  events.Attach(far.server.get());
  WriteText(*near.client, "part of it");
  RunUntil([&] { return events.text == "part of it"; });
  EXPECT_THAT(to_server.seen, Not(HasSubstr("part of it")));
  far.client.reset();
  RunUntil([&] { return events.state == IoState::kError; });
  EXPECT_EQ(events.error_number, ECONNRESET);
  char byte;
  EXPECT_EQ(far.server->Read({&byte, 1}).state, IoState::kError);
  EXPECT_EQ(WriteText(*far.server, "x"), IoState::kError);
}

// A byte that was changed on the way ends the connection; nothing of its record is told.
TEST_F(Tls, AChangedByteIsAnError) {
  Ends near = Connect();
  Ends far = Connect();
  Relay to_server, to_client;
  to_server.from = to_client.to = near.server.get();
  to_server.to = to_client.from = far.client.get();
  near.server->set_observer(&to_server);
  far.client->set_observer(&to_client);
  Encrypt(*loop_, *handshakes_, &near.client, &far.server);
  Recorder events;
  events.Attach(far.server.get());
  WriteText(*far.client, std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  RunUntil([&] { return events.state == IoState::kError; });
  EXPECT_EQ(events.error_number, EPROTO);
  EXPECT_EQ(events.text, "");
}

TEST_F(TlsStreams, AResetIsNoEndInOrder) {
  client()->ResetOnClose();
  client().reset();
  RunUntil([&] { return server_.state == IoState::kError; });
  EXPECT_EQ(server_.error_number, ECONNRESET);
}

TEST_F(TlsStreams, NothingIsWrittenToAConnectionThatWasReset) {
  client()->ResetOnClose();
  client().reset();
  EXPECT_EQ(WriteText(*server(), "x"), IoState::kError);
  EXPECT_EQ(server()->ShutdownWrite(), IoState::kError);
}

TEST_F(TlsStreams, TheEndIsNotSentToAConnectionThatWasReset) {
  client()->ResetOnClose();
  client().reset();
  EXPECT_EQ(server()->ShutdownWrite(), IoState::kError);
}

TEST_F(TlsStreams, NothingIsWrittenBehindTheEnd) {
  EXPECT_EQ(client()->ShutdownWrite(), IoState::kOk);
  EXPECT_EQ(client()->ShutdownWrite(), IoState::kOk);
  EXPECT_EQ(WriteText(*client(), "x"), IoState::kError);
  WriteText(*server(), "still read");
  RunUntil([&] { return client_.text == "still read"; });
}

// Records of all sizes, in parts of all sizes, both ways at once, read in pieces of all sizes.
TEST_F(TlsStreams, RandomTrafficBothWaysIsWhole) {
  struct Side final : StreamObserver {
    void OnReadable() override {
      std::string buffer(1 + random->Below(40'000), '\0');
      const IoResult result = stream->Read(buffer);
      got.append(buffer, 0, result.bytes);
      state = result.state;
      if (result.state == IoState::kOk) stream->ReadAgainLater();
    }
    void OnWritable() override { Pump(); }
    void Pump() {
      while (sent < text.size()) {
        std::vector<iovec> parts;
        size_t end = sent;
        while (parts.size() < 8 && end < text.size()) {
          const size_t n = std::min<size_t>(random->Below(30'000), text.size() - end);
          parts.push_back({text.data() + end, n});
          end += n;
        }
        // At least what was not taken the last time.
        if (end < offered) {
          parts.push_back({text.data() + end, offered - end});
          end = offered;
        }
        offered = end;
        const IoResult result = stream->Write(parts);
        sent += result.bytes;
        if (result.state != IoState::kOk) return;
      }
      stream->ShutdownWrite();
    }
    Random* random;
    Stream* stream;
    std::string text, got;
    size_t sent = 0, offered = 0;
    IoState state = IoState::kOk;
  };
  Random random(7);
  Side sides[2];
  for (Side& side : sides) {
    side.random = &random;
    side.stream = &side == sides ? client().get() : server().get();
    side.text.resize(8 << 20);
    for (char& c : side.text) c = static_cast<char>(random.Below(256));
    side.stream->set_observer(&side);
  }
  for (Side& side : sides) side.Pump();
  RunUntil([&] { return sides[0].state == IoState::kEnd && sides[1].state == IoState::kEnd; });
  EXPECT_TRUE(sides[0].got == sides[1].text);
  EXPECT_TRUE(sides[1].got == sides[0].text);
}

}  // namespace
}  // namespace gw
