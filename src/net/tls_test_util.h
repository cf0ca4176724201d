// TLS for tests: one server, "test.example.com", and a client that believes it.

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "net/net_test_util.h"
#include "net/tls.h"
#include "tls/test_certificates.h"
#include "tls/ticket_keys.h"

namespace gw {

inline TicketKeys& TicketsForTest() {
  static TicketKeys& keys = *TicketKeys::New(RealClock()).release();
  return keys;
}

inline std::shared_ptr<const ServerTls> MakeServerTls(std::vector<TlsListener> listeners,
                                                      ClientValidation clients = {}) {
  ServerTls::Options options;
  options.listeners = std::move(listeners);
  options.client_validation = std::move(clients);
  auto made = ServerTls::New(std::move(options), TicketsForTest());
  CHECK(made.ok());
  return *std::move(made);
}

inline const std::shared_ptr<const ServerTls>& ServerTlsForTest() {
  static const auto& made = *new std::shared_ptr<const ServerTls>(
      MakeServerTls({{"*", {ServerCertificate("test.example.com").Parsed()}}}));
  return made;
}

inline std::shared_ptr<const ClientTls> MakeClientTls(ClientTls::Options options) {
  auto made = ClientTls::New(std::move(options));
  CHECK(made.ok());
  return *std::move(made);
}

inline const std::shared_ptr<const ClientTls>& ClientTlsForTest() {
  static const auto& made = *new std::shared_ptr<const ClientTls>(
      MakeClientTls({.server_name = "test.example.com", .trust = TestAuthority().Trusted()}));
  return made;
}

// Both ends of a plain connection become those of one over TLS.
inline void Encrypt(EventLoop& loop, TlsHandshakes& handshakes, std::unique_ptr<Stream>* client,
                    std::unique_ptr<Stream>* server) {
  const auto into = [](std::unique_ptr<Stream>* stream) {
    return [stream](TlsHandshake::Result result) {
      ASSERT_NE(result.stream, nullptr) << result.error.message;
      *stream = std::move(result.stream);
    };
  };
  const auto accepting = handshakes.Accept(std::move(*server), ServerTlsForTest(),
                                           std::chrono::seconds(10), into(server));
  const auto connecting = handshakes.Connect(std::move(*client), ClientTlsForTest(), "test",
                                             std::chrono::seconds(10), into(client));
  RunLoopUntil(loop, [&] { return *client != nullptr && *server != nullptr; });
}

}  // namespace gw
