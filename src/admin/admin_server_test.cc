#include "admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "admin/client.h"
#include "net/event_loop.h"
#include "net/net_test_util.h"
#include "net/stream.h"
#include "net/tls_test_util.h"

namespace gw {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

SocketAddress AnyPort() { return *SocketAddress::FromIp("127.0.0.1", 0); }

// `text` without its Date fields.
std::string Undated(std::string text) {
  constexpr std::string_view kBegin = "date: ";
  for (size_t at; (at = text.find(kBegin)) != std::string::npos;) {
    text.erase(at, text.find("\r\n", at) + 2 - at);
  }
  return text;
}

// A connection on which tests write raw bytes.
struct RawClient {
  Recorder events;
  std::unique_ptr<Stream> stream;
};

class AdminServerTest : public testing::Test {
 protected:
  void Start(const AdminServer::Limits& limits = {}, AdminGuard guard = {}) {
    AdminServer::Handlers handlers;
    handlers["/healthz"] = [](const AdminRequest&) { return AdminResponse{.body = "ok\n"}; };
    handlers["/echo"] = [](const AdminRequest& request) {
      AdminResponse response;
      response.status = 503;
      response.content_type = "application/json";
      response.body = std::string(request.method) + "|" + std::string(request.path) + "|" +
                      std::string(request.query);
      return response;
    };
    handlers["/explain/"] = [](const AdminRequest& request) {
      return AdminResponse{.body = "explain " + std::string(request.path)};
    };
    handlers["/explain/all"] = [](const AdminRequest&) { return AdminResponse{.body = "all"}; };
    handlers["/large"] = [](const AdminRequest&) {
      return AdminResponse{.body = std::string(16 << 20, 'x')};
    };
    handlers["/level"] = [](const AdminRequest&) { return AdminResponse{.body = "info\n"}; };
    handlers["PUT /level"] = [](const AdminRequest& request) {
      return AdminResponse{.body = "set " + std::string(request.query)};
    };
    auto server = AdminServer::Start(AnyPort(), std::move(handlers), limits, std::move(guard));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  AdminAnswer Get(std::string_view target) {
    absl::StatusOr<AdminAnswer> answer = AdminGet(server_->local(), target);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *std::move(answer) : AdminAnswer();
  }

  std::unique_ptr<RawClient> Connect() {
    auto client = std::make_unique<RawClient>();
    const std::unique_ptr<Connector> connector =
        Connector::New(*loop_, server_->local(), std::chrono::seconds(10),
                       [&](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                         ASSERT_TRUE(stream.ok()) << stream.status();
                         client->stream = *std::move(stream);
                       });
    RunUntil([&] { return client->stream != nullptr; });
    client->events.Attach(client->stream.get());
    return client;
  }

  // Sends `bytes` on a fresh connection and returns all that comes back until the server ends it.
  std::string SendAndReadToEnd(std::string_view bytes) {
    const std::unique_ptr<RawClient> client = Connect();
    EXPECT_EQ(WriteText(*client->stream, bytes), IoState::kOk);
    RunUntil([&] { return client->events.state == IoState::kEnd; });
    return client->events.text;
  }

  void RunUntil(const std::function<bool()>& condition) { RunLoopUntil(*loop_, condition); }

  std::unique_ptr<EventLoop> loop_ = *EventLoop::New();
  std::unique_ptr<AdminServer> server_;
};

constexpr std::string_view kOk =
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 3\r\n"
    "cache-control: no-store\r\n\r\nok\n";

TEST_F(AdminServerTest, HandlerAnswersItsPath) {
  Start();
  const AdminAnswer answer = Get("/healthz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(answer.body, "ok\n");
}

TEST_F(AdminServerTest, HandlerGetsPathAndQueryAndChoosesStatusAndType) {
  Start();
  const AdminAnswer answer = Get("/echo?pool=a&x=1");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.body, "GET|/echo|pool=a&x=1");
}

TEST_F(AdminServerTest, PathThatEndsWithASlashTakesWhatIsBelowIt) {
  Start();
  EXPECT_EQ(Get("/explain/abc/d").body, "explain /explain/abc/d");
  EXPECT_EQ(Get("/explain/").body, "explain /explain/");
  EXPECT_EQ(Get("/explain/all").body, "all");
  EXPECT_EQ(Get("/explain").status, 404);
  EXPECT_EQ(Get("/").status, 404);
  EXPECT_EQ(Get("/healthz/x").status, 404);
}

TEST_F(AdminServerTest, RootEntryTakesNoOtherPath) {
  AdminServer::Handlers handlers;
  handlers["/"] = [](const AdminRequest& request) {
    return AdminResponse{.body = std::string(request.path)};
  };
  server_ = *AdminServer::Start(AnyPort(), std::move(handlers));
  EXPECT_EQ(Get("/").body, "/");
  EXPECT_EQ(Get("/a/b").status, 404);
}

TEST_F(AdminServerTest, OtherMethodsAreRefusedWithTheAllowedOnes) {
  Start();
  const std::string text =
      SendAndReadToEnd("DELETE /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nallow: GET, HEAD\r\n"));
}

TEST_F(AdminServerTest, HeadHasTheHeadersOfGetWithoutTheBody) {
  Start();
  const std::string text =
      SendAndReadToEnd("HEAD /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  EXPECT_THAT(text, HasSubstr("\r\ncontent-length: 3\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\n"));
}

TEST_F(AdminServerTest, PipelinedRequestsAreAnsweredInOrderOnOneConnection) {
  Start();
  const std::unique_ptr<RawClient> client = Connect();
  std::string requests;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {  // more than one read takes
    requests += "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    expected += kOk;
  }
  WriteText(*client->stream, requests);
  RunUntil([&] { return Undated(client->events.text).size() >= expected.size(); });
  EXPECT_EQ(Undated(client->events.text), expected);
  // The connection still serves, also a request that comes byte by byte.
  for (const char c : std::string_view("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")) {
    WriteText(*client->stream, std::string(1, c));
    loop_->RunOnce(Duration::zero());
  }
  expected += kOk;
  RunUntil([&] { return Undated(client->events.text).size() >= expected.size(); });
  EXPECT_EQ(Undated(client->events.text), expected);
}

TEST_F(AdminServerTest, OldClientsGetACloseUnlessTheyAskOtherwise) {
  Start();
  EXPECT_THAT(SendAndReadToEnd("GET /healthz HTTP/1.0\r\n\r\n"),
              HasSubstr("\r\nconnection: close\r\n"));
  const std::unique_ptr<RawClient> client = Connect();
  WriteText(*client->stream, "GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  RunUntil([&] { return client->events.text.ends_with("ok\n"); });
  EXPECT_THAT(client->events.text, HasSubstr("\r\nconnection: keep-alive\r\n"));
  EXPECT_FALSE(client->stream->peer_gone());
}

TEST_F(AdminServerTest, BadRequestsAreAnsweredAndEndTheConnection) {
  Start();
  const struct {
    std::string request;
    std::string status_line;
  } kCases[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},  // no Host
      {"GET /healthz HTTP/1.1\r\nhost: a\r\nx: " + std::string(20'000, 'y') + "\r\n\r\n",
       "HTTP/1.1 431 "},
      {"POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello", "HTTP/1.1 413 "},
      {"POST /healthz HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 413 "},
      {"GET /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 400 "},
  };
  for (const auto& [request, status_line] : kCases) {
    const std::string text = SendAndReadToEnd(request);
    EXPECT_THAT(text, StartsWith(status_line)) << request.substr(0, 80);
    EXPECT_THAT(text, HasSubstr("\r\nconnection: close\r\n"));
    EXPECT_EQ(text.find("HTTP/1.1", 1), std::string::npos) << "answered twice: " << text;
  }
}

TEST_F(AdminServerTest, LargeAnswerReachesASlowReaderWhileOthersAreServed) {
  Start();
  const std::unique_ptr<RawClient> slow = Connect();
  WriteText(*slow->stream,
            "GET /large HTTP/1.1\r\nhost: a\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
  // `slow` reads nothing while this thread does not run its loop.
  EXPECT_EQ(Get("/healthz").body, "ok\n");
  RunUntil([&] { return Undated(slow->events.text).ends_with(kOk); });
  EXPECT_THAT(slow->events.text.substr(0, 200), HasSubstr("\r\ncontent-length: 16777216\r\n"));
  const size_t body = slow->events.text.find("\r\n\r\n") + 4;
  EXPECT_EQ(slow->events.text.find_first_not_of('x', body), body + (16 << 20));
}

TEST_F(AdminServerTest, AtTheLimitTheLongestIdleConnectionMakesRoom) {
  AdminServer::Limits limits;
  limits.connections = 2;
  std::atomic<int> reached = 0;
  limits.on_connections_reached = [&] { ++reached; };
  Start(limits);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(Connect());
    WriteText(*clients.back()->stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    RunUntil([&] { return Undated(clients.back()->events.text) == kOk; });
  }
  // The second client's last request is the older one.
  clients[0]->events.text.clear();
  WriteText(*clients[0]->stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
  RunUntil([&] { return Undated(clients[0]->events.text) == kOk; });
  const std::unique_ptr<RawClient> third = Connect();
  RunUntil([&] { return clients[1]->events.state == IoState::kEnd; });
  EXPECT_EQ(server_->closed_at_limit(), 1u);
  EXPECT_EQ(reached, 1);
  WriteText(*third->stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
  RunUntil([&] { return Undated(third->events.text) == kOk; });
  EXPECT_EQ(clients[0]->events.state, IoState::kWouldBlock);
  // One that has sent half a head is idle, too.
  clients[1] = Connect();
  RunUntil([&] { return clients[0]->events.state == IoState::kEnd; });
  WriteText(*clients[1]->stream, "GET /heal");
  EXPECT_EQ(AdminGet(server_->local(), "/healthz")->status, 200);
  EXPECT_EQ(AdminGet(server_->local(), "/healthz")->status, 200);
}

TEST_F(AdminServerTest, AtTheLimitANewConnectionIsClosedWhileAllOthersAreAnswered) {
  AdminServer::Limits limits;
  limits.connections = 1;
  Start(limits);
  const std::unique_ptr<RawClient> busy = Connect();
  struct ReadsNothing final : StreamObserver {
    void OnReadable() override { told = true; }
    void OnWritable() override {}
    bool told = false;
  } busy_events;
  busy->stream->set_observer(&busy_events);
  WriteText(*busy->stream, "GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
  RunUntil([&] { return busy_events.told; });
  const std::unique_ptr<RawClient> late = Connect();
  RunUntil([&] { return late->events.state == IoState::kEnd; });
  EXPECT_FALSE(busy->stream->peer_gone());
  EXPECT_EQ(server_->closed_at_limit(), 1u);
  busy->stream.reset();  // before its observer
}

TEST_F(AdminServerTest, PutChangesOnlyWhatHasAKeyForIt) {
  Start();
  EXPECT_EQ(AdminPut(server_->local(), "/level?level=debug")->body, "set level=debug");
  EXPECT_EQ(Get("/level?level=debug").body, "info\n");
  EXPECT_EQ(AdminPut(server_->local(), "/healthz")->status, 405);
  EXPECT_THAT(SendAndReadToEnd("POST /level HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
              HasSubstr("\r\nallow: GET, HEAD, PUT\r\n"));
}

TEST_F(AdminServerTest, TheTokenIsAskedForButOnOpenPaths) {
  constexpr char kToken[] = "0123456789abcdef";
  Start({}, {.token = kToken, .open_paths = {"/healthz"}});
  EXPECT_EQ(Get("/healthz").status, 200);
  for (const char* path : {"/echo", "/explain/abc", "/none", "/healthz/"}) {
    EXPECT_EQ(Get(path).status, 401) << path << ": who is not let in learns nothing";
  }
  EXPECT_EQ(AdminPut(server_->local(), "/level?level=debug")->status, 401);
  EXPECT_THAT(Get("/echo").body, StartsWith("error: "));
  const auto status_with = [&](const std::string& field) {
    const std::string answer = SendAndReadToEnd("GET /explain/all HTTP/1.1\r\nhost: a\r\n" + field +
                                                "connection: close\r\n\r\n");
    return answer.substr(0, answer.find("\r\n"));
  };
  for (const char* field :
       {"authorization: Bearer 0123456789abcdee\r\n", "authorization: Bearer 0123456789abcde\r\n",
        "authorization: Bearer 0123456789abcdef0\r\n", "authorization: Bearer\r\n",
        "authorization: Basic 0123456789abcdef\r\n", "authorization: 0123456789abcdef\r\n", ""}) {
    EXPECT_EQ(status_with(field), "HTTP/1.1 401 Unauthorized") << field;
  }
  EXPECT_EQ(status_with("authorization: Bearer 0123456789abcdef\r\n"), "HTTP/1.1 200 OK");
  EXPECT_EQ(status_with("Authorization: bearer 0123456789abcdef\r\n"), "HTTP/1.1 200 OK");
  EXPECT_THAT(SendAndReadToEnd("GET /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
              HasSubstr("\r\nwww-authenticate: Bearer\r\n"));
  const AdminTarget known(server_->local(), nullptr, kToken);
  EXPECT_EQ(AdminGet(known, "/explain/all")->body, "all");
  EXPECT_EQ(AdminGet(known, "/none")->status, 404);
  // Another token, from now on.
  server_->SetGuard({.token = "another token now"});
  while (AdminGet(known, "/explain/all")->status == 200) {
  }
  EXPECT_EQ(AdminGet(AdminTarget(server_->local(), nullptr, "another token now"), "/healthz")->body,
            "ok\n");
}

TEST_F(AdminServerTest, SpeaksTlsIfItHasACertificate) {
  Start({}, {.tls = ServerTlsForTest()});
  const AdminTarget known(server_->local(), ClientTlsForTest());
  EXPECT_EQ(AdminGet(known, "/healthz")->body, "ok\n");
  EXPECT_EQ(AdminGet(known, "/large")->body.size(), size_t{16} << 20);
  EXPECT_EQ(AdminPut(known, "/level?level=debug")->body, "set level=debug");
  const auto plain = AdminGet(server_->local(), "/healthz");
  EXPECT_FALSE(plain.ok()) << plain->status;
  const AdminTarget stranger(server_->local(), MakeClientTls({.server_name = "other.example.com",
                                                              .trust = TestAuthority().Trusted()}));
  const auto refused = AdminGet(stranger, "/healthz");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the TLS handshake failed: "));
}

TEST_F(AdminServerTest, ThoseWhoBeginNoHandshakeMakeRoom) {
  AdminServer::Limits limits;
  limits.connections = 3;
  Start(limits, {.tls = ServerTlsForTest()});
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(Connect());
  const AdminTarget known(server_->local(), ClientTlsForTest());
  EXPECT_EQ(AdminGet(known, "/healthz")->body, "ok\n");
  RunUntil([&] { return silent[0]->events.state == IoState::kEnd; });
  EXPECT_GE(server_->closed_at_limit(), 7u);
}

TEST_F(AdminServerTest, AHandshakeThatDoesNotEndIsCutOff) {
  AdminServer::Limits limits;
  limits.handshake = std::chrono::milliseconds(20);
  std::atomic<int> reached = 0;
  limits.on_handshake_timeout = [&] { ++reached; };
  Start(limits, {.tls = ServerTlsForTest()});
  const std::unique_ptr<RawClient> silent = Connect();
  // The server counts when it has closed.
  RunUntil([&] { return silent->events.state == IoState::kEnd && reached == 1; });
  server_.reset();  // before what it counts into
}

TEST_F(AdminServerTest, APortIsSharedOnlyWithWhoAsksForIt) {
  Start();
  AdminServer::Limits limits;
  EXPECT_FALSE(AdminServer::Start(server_->local(), {}, limits).ok());
  limits.share_port = true;
  AdminServer::Handlers handlers;
  handlers["/healthz"] = [](const AdminRequest&) { return AdminResponse{.body = "second\n"}; };
  auto second = AdminServer::Start(server_->local(), std::move(handlers), limits);
  ASSERT_TRUE(second.ok()) << second.status();
  server_->StopListening(std::chrono::milliseconds(50));
  // What the first accepted before is still answered by it, and the kernel deals the rest by
  // chance.
  RunUntil([&] {
    for (int i = 0; i < 20; ++i) {
      if (AdminGet((*second)->local(), "/healthz")->body != "second\n") return false;
    }
    return true;
  });
}

TEST_F(AdminServerTest, StoppingClosesOpenConnections) {
  Start();
  const std::unique_ptr<RawClient> idle = Connect();
  const std::unique_ptr<RawClient> busy = Connect();
  WriteText(*busy->stream, "GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
  WriteText(*idle->stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
  RunUntil([&] { return Undated(idle->events.text) == kOk; });
  server_.reset();
  RunUntil([&] {
    return idle->stream->peer_gone() && busy->events.state != IoState::kWouldBlock &&
           busy->events.state != IoState::kOk;
  });
  EXPECT_EQ(idle->events.state, IoState::kEnd);
}

TEST_F(AdminServerTest, BusyAddressIsNamedInTheError) {
  Start();
  const auto second = AdminServer::Start(server_->local(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().message(),
            "admin: listen on " + server_->local().ToString() + ": Address already in use");
}

}  // namespace
}  // namespace gw
