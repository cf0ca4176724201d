// A handshake in memory, for tests of this folder: no sockets, no loop.

#pragma once

#include <memory>
#include <string>

#include "base/check.h"
#include "tls/client_tls.h"
#include "tls/openssl.h"
#include "tls/server_tls.h"

namespace gw {

struct TestHandshake {
  internal::SslPtr client, server;
  bool done = false;
  std::string error;  // of the side that gave up first

  // `prepare` may ask the client for something that a ClientTls does not.
  TestHandshake(const ServerTls& server_tls, const ClientTls& client_tls,
                void (*prepare)(SSL*) = nullptr)
      : client(SSL_new(client_tls.context())), server(SSL_new(server_tls.context())) {
    BIO* client_end = nullptr;
    BIO* server_end = nullptr;
    CHECK(BIO_new_bio_pair(&client_end, 64 << 10, &server_end, 64 << 10) == 1);
    SSL_set_bio(client.get(), client_end, client_end);
    SSL_set_bio(server.get(), server_end, server_end);
    client_tls.Prepare(client.get(), "server", "10.0.0.7");
    if (prepare != nullptr) prepare(client.get());
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    Run();
  }
  // Whoever is destroyed has ended in order.
  ~TestHandshake() {
    for (SSL* each : {client.get(), server.get()}) {
      SSL_set_shutdown(each, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
  }

  bool resumed() const { return SSL_session_reused(client.get()) == 1; }
  std::string server_subject() const {
    X509* const leaf = SSL_get0_peer_certificate(client.get());
    return leaf == nullptr ? "" : internal::NameText(X509_get_subject_name(leaf));
  }
  std::string server_key() const {
    X509* const leaf = SSL_get0_peer_certificate(client.get());
    return leaf == nullptr ? "" : EVP_PKEY_get0_type_name(X509_get0_pubkey(leaf));
  }
  std::string protocol() const {
    const unsigned char* text = nullptr;
    unsigned int bytes = 0;
    SSL_get0_alpn_selected(client.get(), &text, &bytes);
    return {reinterpret_cast<const char*>(text), bytes};
  }

 private:
  bool Step(SSL* ssl) {
    ERR_clear_error();
    const int returned = SSL_do_handshake(ssl);
    if (returned == 1) return true;
    const int why = SSL_get_error(ssl, returned);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE && error.empty()) {
      error = internal::TakeError();
    }
    return false;
  }
  void Run() {
    for (int i = 0; i < 10 && error.empty(); ++i) {
      const bool client_done = Step(client.get());
      const bool server_done = Step(server.get());
      if (client_done && server_done) done = true;
    }
    if (!done) return;
    char byte;
    size_t bytes = 0;
    SSL_read_ex(client.get(), &byte, 1, &bytes);  // the tickets
    ERR_clear_error();
  }
};

}  // namespace gw
