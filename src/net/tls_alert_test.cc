// The last words of a connection, and of a handshake that failed.

#include <gtest/gtest.h>

#include <utility>

#include "net/awkward_stream.h"
#include "net/tls_test_util.h"

namespace gw {
namespace {

class TlsAlert : public ConnectedTest {
 protected:
  const std::unique_ptr<TlsHandshakes> handshakes_ = TlsHandshakes::New(*loop_);
};

// AwkwardStream stops the program if our side ends, or other bytes follow, behind half an alert.
TEST_F(TlsAlert, OneThatIsNotTakenWholeIsTheLastThing) {
  const auto server_tls =
      MakeServerTls({{"a.example.com", {ServerCertificate("a.example.com").Parsed()}}});
  const auto client_tls =
      MakeClientTls({.server_name = "b.example.com", .trust = TestAuthority().Trusted()});
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Ends plain = Connect();
    int ended = 0;
    std::string failure;
    const auto server =
        handshakes_->Accept(std::make_unique<AwkwardStream>(*loop_, seed, std::move(plain.server)),
                            server_tls, std::chrono::seconds(10), [&](TlsHandshake::Result result) {
                              ++ended;
                              failure = NameOf(result.error.failure);
                            });
    const auto client =
        handshakes_->Connect(std::move(plain.client), client_tls, "server",
                             std::chrono::seconds(10), [&](TlsHandshake::Result) { ++ended; });
    RunUntil([&] { return ended == 2; });
    EXPECT_EQ(failure, "unknown_name");
  }
}

// AwkwardStream stops the program if our side ends behind an alert that it has not taken.
TEST_F(TlsAlert, TheEndIsSentWholeThoughTheTransportTakesItInParts) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Ends ends = Connect();
    auto awkward = std::make_unique<AwkwardStream>(*loop_, seed, std::move(ends.server));
    awkward->MakeStingy();
    ends.server = std::move(awkward);
    Encrypt(*loop_, *handshakes_, &ends.client, &ends.server);
    Recorder client;
    client.Attach(ends.client.get());
    IoState sent = IoState::kWouldBlock;
    RunUntil([&] {
      if (sent == IoState::kWouldBlock) sent = ends.server->ShutdownWrite();
      return client.state == IoState::kEnd || client.state == IoState::kError;
    });
    EXPECT_EQ(sent, IoState::kOk);
    EXPECT_EQ(client.state, IoState::kEnd);
  }
}

}  // namespace
}  // namespace gw
