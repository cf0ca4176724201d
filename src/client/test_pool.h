// What the tests of the client share: a pool, and a server whose side of each connection is the
// test's, plain or over TLS.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/pool.h"
#include "net/tls_test_util.h"

namespace gw {

inline constexpr char kHi[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

// What came of one request.
struct Answer final : ResponseHandler {
  void OnNewConnection() override { ++new_connections; }
  void OnResponseHead(const http::ResponseHead& head) override { status = head.status; }
  void OnResponseBody(std::string_view piece) override {
    body += piece;
    if (on_body) on_body();
  }
  void OnResponseTrailers(const http::HeaderList& list) override {
    EXPECT_FALSE(ended);
    for (const http::HeaderField& field : list) {
      trailers += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
  }
  void OnResponseFlush() override { ++flushes; }
  void OnResponseEnd() override { ended = true; }
  void OnResponseFailed(const ClientError& e) override { error = e; }
  bool over() const { return ended || error.has_value(); }

  int new_connections = 0;
  int status = 0;
  std::string body;
  std::string trailers;
  int flushes = 0;
  bool ended = false;
  std::optional<ClientError> error;
  std::function<void()> on_body;
};

// The other end of one connection.
struct Served {
  std::unique_ptr<Stream> stream;
  Recorder recorder;

  bool gone() const { return recorder.state == IoState::kEnd || recorder.state == IoState::kError; }
  void Write(std::string_view text) const { WriteText(*stream, text); }
};

class ClientPoolTest : public LoopTest {
 protected:
  void Start() {
    if (over_tls_) {
      server_tls_ = ServerTlsForTest();
      client_tls_ = ClientTlsForTest();
    }
    listener_ = Listen([this](std::unique_ptr<Stream> stream) { Accept(std::move(stream)); });
    address_ = listener_->local().ToString();
    pool_.emplace(
        *loop_, options_,
        ClientPool::Hooks{[this](std::string_view name) { limits_.emplace_back(name); }, [] {},
                          [this](const TlsHandshake::Result& result) {
                            handshakes_.push_back(NameOfResult(result));
                          }});
  }
  static std::string NameOfResult(const TlsHandshake::Result& result) {
    if (result.stream == nullptr) return std::string(NameOf(result.error.failure));
    return result.stream->tls()->resumed ? "resumed" : "ok";
  }
  void Accept(std::unique_ptr<Stream> stream) {
    if (server_tls_ == nullptr) return Serve(std::move(stream));
    const auto place = shaking_.insert(shaking_.end(), nullptr);
    *place = server_handshakes_->Accept(std::move(stream), server_tls_, std::chrono::seconds(20),
                                        [this, place](TlsHandshake::Result result) {
                                          shaking_.erase(place);
                                          if (result.stream != nullptr) {
                                            Serve(std::move(result.stream));
                                          } else {
                                            ++refused_;
                                          }
                                        });
  }
  void Serve(std::unique_ptr<Stream> stream) {
    served_.push_back(std::make_unique<Served>());
    served_.back()->stream = std::move(stream);
    served_.back()->recorder.Attach(served_.back()->stream.get());
  }
  ClientTarget Target() const { return {address_, client_tls_}; }
  ClientCall* Send(Answer* answer, Reuse reuse = Reuse::kTrusted) {
    return pool_->Send(Target(), {.target = "/x", .authority = "a"}, reuse, answer);
  }
  // Waits until the connection of that number has had as many requests.
  Served& Asked(size_t connection, int requests = 1) {
    RunUntil([&] {
      if (served_.size() <= connection) return false;
      const std::string& text = served_[connection]->recorder.text;
      int seen = 0;
      for (size_t at = 0; (at = text.find("\r\n\r\n", at)) != std::string::npos; at += 4) ++seen;
      return seen >= requests;
    });
    return *served_[connection];
  }
  void Exchange(Answer* answer, size_t connection, int requests = 1) {
    Send(answer);
    Asked(connection, requests).Write(kHi);
    RunUntil([&] { return answer->over(); });
    EXPECT_TRUE(answer->ended);
  }

  ClientOptions options_;
  // The tests run once more over TLS (unit/client_tls).
  const bool over_tls_ = std::getenv("PENSTOCK_TLS_ENDPOINTS") != nullptr;
  std::shared_ptr<const ServerTls> server_tls_;  // nullptr: plain
  std::shared_ptr<const ClientTls> client_tls_;
  std::unique_ptr<TlsHandshakes> server_handshakes_ = TlsHandshakes::New(*loop_);
  std::list<std::unique_ptr<TlsHandshake>> shaking_;
  int refused_ = 0;                      // handshakes that failed, as the server sees them
  std::vector<std::string> handshakes_;  // what became of them, as the client sees it
  std::unique_ptr<Listener> listener_;
  std::string address_;
  std::vector<std::unique_ptr<Served>> served_;
  std::vector<std::string> limits_;
  std::optional<ClientPool> pool_;
};

}  // namespace gw
