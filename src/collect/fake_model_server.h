// A model server as the scraper sees it, for tests: answers /metrics and /health on a loopback port
// of its own, on the caller's loop, and misbehaves to order.

#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/check.h"
#include "http/h1_parser.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/tls.h"

namespace gw {

class FakeModelServer {
 public:
  // Port 0 of 127.0.0.1, or the same address again after a stop.
  FakeModelServer(EventLoop& loop, SocketAddress address) : loop_(loop), address_(address) {
    Start();
  }

  void Start() {
    auto listener =
        Listener::New(loop_, address_, {.reuse_port = false, .backlog = 128},
                      [this](std::unique_ptr<Stream> stream) {
                        if (tls == nullptr) return Serve(std::move(stream));
                        const auto at = shaking_.insert(shaking_.end(), nullptr);
                        *at = handshakes_->Accept(std::move(stream), tls, std::chrono::seconds(10),
                                                  [this, at](TlsHandshake::Result result) {
                                                    shaking_.erase(at);
                                                    if (result.stream == nullptr) return;
                                                    Serve(std::move(result.stream));
                                                  });
                      });
    CHECK(listener.ok());
    listener_ = std::move(*listener);
    address_ = listener_->local();
  }
  void Stop() {
    listener_.reset();
    shaking_.clear();
    connections_.clear();
  }
  // As servers close idle connections.
  void CloseConnections() { connections_.clear(); }

  const SocketAddress& address() const { return address_; }

  std::shared_ptr<const ServerTls> tls;  // nullptr: plain
  std::string authorization;             // of the last request
  std::string page;                      // answer to GET /metrics
  int metrics_status = 200;
  int health_status = 200;
  int ready_status = 404;  // of Triton's health path
  bool chunked = false;
  bool hang = false;              // take requests and answer none
  bool close_on_request = false;  // close instead of answering
  bool not_http = false;
  int connections = 0;
  int scrapes = 0;
  int probes = 0;

 private:
  class Connection final : private StreamObserver {
   public:
    Connection(FakeModelServer& server, int id, std::unique_ptr<Stream> stream)
        : server_(server), id_(id), stream_(std::move(stream)) {
      stream_->set_observer(this);
    }

   private:
    void OnReadable() override {
      while (true) {
        const std::span<char> scratch = server_.loop_.scratch();
        const IoResult read = stream_->Read(scratch);
        if (read.state == IoState::kWouldBlock) return;
        if (read.state != IoState::kOk) return server_.Drop(id_);
        std::string_view in(scratch.data(), read.bytes);
        for (http::H1Step step = parser_.Next(in); step.event != http::H1Event::kNeedMore;
             step = parser_.Next(in)) {
          CHECK(step.event != http::H1Event::kError);
          in.remove_prefix(step.consumed);
          if (step.event != http::H1Event::kEnd) continue;
          const std::string target(parser_.head().target);
          const auto* const sent = parser_.head().headers.Find("authorization");
          server_.authorization.assign(sent == nullptr ? std::string_view() : sent->value);
          parser_.Reset();
          if (server_.hang) continue;
          if (server_.close_on_request || !Write(server_.Answer(target))) return server_.Drop(id_);
        }
      }
    }
    void OnWritable() override { Write({}); }

    bool Write(std::string more) {
      unsent_ += more;
      const iovec part{unsent_.data(), unsent_.size()};
      const IoResult result = stream_->Write({&part, 1});
      if (result.state == IoState::kError) return false;
      unsent_.erase(0, result.bytes);
      return true;
    }

    FakeModelServer& server_;
    const int id_;
    std::unique_ptr<Stream> stream_;
    http::RequestParser parser_;
    std::string unsent_;
  };

  void Serve(std::unique_ptr<Stream> stream) {
    const int id = next_id_++;
    ++connections;
    connections_[id] = std::make_unique<Connection>(*this, id, std::move(stream));
  }
  std::string Answer(const std::string& target) {
    if (not_http) return "SSH-2.0-OpenSSH\r\n";
    const bool is_ready_probe = target == "/v2/health/ready";
    const bool is_probe = target == "/health" || is_ready_probe;
    is_probe ? ++probes : ++scrapes;
    const int status = is_ready_probe ? ready_status : is_probe ? health_status : metrics_status;
    std::string head = "HTTP/1.1 " + std::to_string(status) + " X\r\n";
    const std::string& body = is_probe ? empty_ : page;
    if (!chunked)
      return head + "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    std::string answer = head + "transfer-encoding: chunked\r\n\r\n";
    for (size_t at = 0; at < body.size(); at += 1000) {
      const std::string chunk = body.substr(at, 1000);
      char size[20];
      std::snprintf(size, sizeof(size), "%zx\r\n", chunk.size());
      answer += size + chunk + "\r\n";
    }
    return answer + "0\r\n\r\n";
  }
  // Later, for the caller is the connection itself.
  void Drop(int id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    loop_.FreeLater(std::move(found->second));
    connections_.erase(found);
  }

  EventLoop& loop_;
  SocketAddress address_;
  std::unique_ptr<Listener> listener_;
  const std::unique_ptr<TlsHandshakes> handshakes_ = TlsHandshakes::New(loop_);
  std::list<std::unique_ptr<TlsHandshake>> shaking_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  int next_id_ = 0;
  const std::string empty_;
};

}  // namespace gw
