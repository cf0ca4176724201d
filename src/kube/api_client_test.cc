#include "kube/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/version.h"
#include "kube/test_api_fixture.h"

namespace gw::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Lines final : LineHandler {
  void OnStreamStart() override { ++starts; }
  void OnLine(std::string_view line) override {
    lines.emplace_back(line);
    if (on_line) on_line();
  }
  void OnStreamEnd(const ApiAnswer& answer) override { end = answer; }

  int starts = 0;
  std::vector<std::string> lines;
  std::optional<ApiAnswer> end;
  std::function<void()> on_line;
};

class ApiClientTest : public ApiServerTest {
 protected:
  void Send(ApiRequest request = {.target = "/x"}) {
    answer_.reset();
    call_ = client_->Send(std::move(request), [this](const ApiAnswer& answer) {
      EXPECT_FALSE(answer_.has_value());
      answer_ = answer;
    });
    EXPECT_FALSE(answer_.has_value());
  }
  ApiAnswer Get(ApiRequest request = {.target = "/x"}) {
    Send(std::move(request));
    RunUntil([&] { return answer_.has_value(); });
    return answer_.value_or(ApiAnswer{});
  }
  void Watch(Duration silence_max = seconds(330)) {
    call_ = client_->Watch("/api/v1/pods?watch=true&resourceVersion=v/0%2B=", silence_max, &lines_);
    RunUntil([&] { return lines_.starts == 1 || lines_.end.has_value(); });
  }
  void Asked(size_t count) {
    RunUntil([&] { return server_.requests.size() >= count; });
    EXPECT_EQ(server_.requests.size(), count);
  }

  std::unique_ptr<ApiCall> call_;
  std::optional<ApiAnswer> answer_;
  Lines lines_;
};

TEST_F(ApiClientTest, GoesToTheAddressThatTheServerHasNow) {
  Connect();
  TestApiServer other(*loop_);
  server_.Script("/x", TestApiServer::Answer(200, "one"));
  other.Script("/x", TestApiServer::Answer(200, "two"));
  EXPECT_EQ(Get().body, "one");
  client_->SetAddress(other.address());
  EXPECT_EQ(Get().body, "two");
  call_.reset();
}

TEST_F(ApiClientTest, SendsWhatItIsGivenAndSaysWhoItIs) {
  Connect({}, "/k8s/c1");
  server_.Script("/x", TestApiServer::Answer(201, "made"));
  const ApiAnswer answer = Get({.method = "PATCH",
                                .target = "/x?a=b",
                                .content_type = "application/merge-patch+json",
                                .body = "{\"a\":1}"});
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "made");
  EXPECT_TRUE(answer.ok());
  ASSERT_EQ(server_.requests.size(), 1u);
  auto& request = server_.requests[0];
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.target, "/k8s/c1/x?a=b");
  EXPECT_EQ(request.body, "{\"a\":1}");
  EXPECT_EQ(request.fields["host"], "api.test:6443");
  EXPECT_EQ(request.fields["authorization"], "Bearer one");
  EXPECT_EQ(request.fields["user-agent"], "penstock/" + std::string(Version().version));
  EXPECT_EQ(request.fields["content-type"], "application/merge-patch+json");
  EXPECT_EQ(request.fields["accept"], "application/json");
}

TEST_F(ApiClientTest, AsksForCredentialsAtEachRequest) {
  Connect();
  server_.Script("/x", TestApiServer::Answer(200, ""));
  server_.Script("/x", TestApiServer::Answer(200, ""));
  Get();
  credentials_.credential.authorization = "";
  Get();
  EXPECT_EQ(server_.requests[0].fields["authorization"], "Bearer one");
  EXPECT_FALSE(server_.requests[1].fields.contains("authorization"));
  EXPECT_EQ(server_.connections, 1);
}

TEST_F(ApiClientTest, WithoutCredentialsNothingIsSent) {
  Connect();
  credentials_.error = absl::NotFoundError("/token: no such file");
  const ApiAnswer answer = Get();
  EXPECT_EQ(answer.failure, ApiFailure::kCredentials);
  EXPECT_EQ(answer.Why(), "credentials: /token: no such file");
  EXPECT_EQ(server_.connections, 0);
}

TEST_F(ApiClientTest, AnAnswer401IsTriedOnceMoreWithNewCredentialsWhateverWasAsked) {
  Connect();
  credentials_.renewed = "Bearer two";
  server_.Script("/x", TestApiServer::Status(401));
  server_.Script("/x", TestApiServer::Answer(200, "in"));
  EXPECT_EQ(Get({.method = "POST", .target = "/x", .content_type = "a", .body = "b"}).body, "in");
  ASSERT_EQ(server_.requests.size(), 2u);
  EXPECT_EQ(server_.requests[1].fields["authorization"], "Bearer two");
  EXPECT_EQ(server_.requests[1].body, "b");
  EXPECT_EQ(credentials_.refused, 1);
}

TEST_F(ApiClientTest, ASecond401IsTheCallers) {
  Connect();
  for (int i = 0; i < 2; ++i) server_.Script("/x", TestApiServer::Status(401));
  const ApiAnswer answer = Get();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.Why(), "status 401: says 401");
  EXPECT_EQ(server_.requests.size(), 2u);
  EXPECT_EQ(credentials_.refused, 1);
}

TEST_F(ApiClientTest, RetryAfterIsObeyed) {
  Connect();
  server_.Script("/x", TestApiServer::Status(429, "Retry-After: 7\r\n"));
  server_.Script("/x", TestApiServer::Status(503, "Retry-After: 2\r\n"));
  server_.Script("/x", TestApiServer::Answer(200, "at last"));
  Send();
  AdvanceUntil([&] { return answer_.has_value(); });
  EXPECT_EQ(answer_->body, "at last");
  ASSERT_EQ(server_.requests.size(), 3u);
  EXPECT_GE(server_.requests[1].at - server_.requests[0].at, seconds(7));
  EXPECT_GE(server_.requests[2].at - server_.requests[1].at, seconds(2));
}

TEST_F(ApiClientTest, AServerThatNeverHasTimeIsNotAskedForEver) {
  Connect({.retries_max = 2});
  for (int i = 0; i < 3; ++i)
    server_.Script("/x", TestApiServer::Status(429, "Retry-After: 1\r\n"));
  Send();
  AdvanceUntil([&] { return answer_.has_value(); });
  EXPECT_EQ(answer_->status, 429);
  EXPECT_EQ(server_.requests.size(), 3u);
}

TEST_F(ApiClientTest, ALongRetryAfterIsTheCallersAndADateIsNone) {
  Connect();
  server_.Script("/x", TestApiServer::Status(503, "Retry-After: 31\r\n"));
  EXPECT_EQ(Get().retry_after, seconds(31));
  server_.Script("/x",
                 TestApiServer::Status(503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"));
  EXPECT_EQ(Get().retry_after, seconds(0));
  server_.Script("/x", TestApiServer::Status(429));
  EXPECT_EQ(Get().status, 429);
  EXPECT_EQ(server_.requests.size(), 3u);
}

TEST_F(ApiClientTest, WhatMayNotBeRepeatedIsNot) {
  Connect();
  server_.Script("/x", TestApiServer::Status(503, "Retry-After: 1\r\n"));
  const ApiAnswer answer =
      Get({.method = "POST", .target = "/x", .content_type = "a", .body = "b"});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.retry_after, seconds(1));
  EXPECT_EQ(server_.requests.size(), 1u);
}

TEST_F(ApiClientTest, WhatMayBeRepeatedIsWhateverItsMethod) {
  Connect();
  server_.Script("/x", TestApiServer::Status(429, "Retry-After: 1\r\n"));
  server_.Script("/x", TestApiServer::Answer(200, "done"));
  Send({.method = "PATCH", .target = "/x", .content_type = "a", .body = "b", .may_repeat = true});
  AdvanceUntil([&] { return answer_.has_value(); });
  EXPECT_EQ(answer_->body, "done");
  EXPECT_EQ(server_.requests[1].body, "b");
}

TEST_F(ApiClientTest, RequestsTakeTurnsOnceTheBurstIsSpent) {
  Connect({.requests_per_second = 2, .requests_burst = 3, .waiting_max = 2});
  std::vector<std::unique_ptr<ApiCall>> calls;
  std::vector<ApiFailure> ends;
  for (int i = 0; i < 6; ++i) {
    calls.push_back(client_->Send(
        {.target = "/x"}, [&](const ApiAnswer& answer) { ends.push_back(answer.failure); }));
  }
  RunUntil([&] { return ends.size() == 4; });
  // The one above waiting_max is told at once, and three had their turn.
  EXPECT_EQ(std::count(ends.begin(), ends.end(), ApiFailure::kTooManyWaiting), 1);
  AdvanceUntil([&] { return ends.size() == 6; });
  ASSERT_EQ(server_.requests.size(), 5u);
  EXPECT_EQ(server_.requests[2].at, server_.requests[0].at);
  EXPECT_EQ(server_.requests[3].at - server_.requests[0].at, milliseconds(500));
  EXPECT_EQ(server_.requests[4].at - server_.requests[0].at, milliseconds(1000));
}

TEST_F(ApiClientTest, WatchesDoNotWaitForATurn) {
  Connect({.requests_per_second = 0.001, .requests_burst = 1});
  Get();
  Watch();
  EXPECT_EQ(lines_.starts, 1);
}

TEST_F(ApiClientTest, AnAnswerThatDoesNotComeIsGivenUp) {
  Connect();
  server_.hang = true;
  Send();
  Asked(1);
  AdvanceUntil([&] { return answer_.has_value(); });
  EXPECT_EQ(answer_->failure, ApiFailure::kTimeout);
  EXPECT_EQ(answer_->Why(), "timeout: no whole answer within 30 s");
}

TEST_F(ApiClientTest, AnAnswerThatTricklesIsGivenUpToo) {
  Connect();
  server_.Script("/x", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
  Send();
  Asked(1);
  AdvanceUntil([&] { return answer_.has_value(); });
  EXPECT_EQ(answer_->failure, ApiFailure::kTimeout);
  EXPECT_FALSE(answer_->ok());
}

TEST_F(ApiClientTest, ACutAnswerIsNoAnswer) {
  Connect();
  server_.Script("/x", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
  Send();
  Asked(1);
  server_.CloseConnections();
  RunUntil([&] { return answer_.has_value(); });
  EXPECT_EQ(answer_->failure, ApiFailure::kConnection);
  EXPECT_FALSE(answer_->ok());
}

TEST_F(ApiClientTest, AnAnswerAboveTheLimitIsRefused) {
  Connect({.answer_bytes_max = 10});
  server_.Script("/x", TestApiServer::Answer(200, std::string(10, 'a')));
  EXPECT_EQ(Get().body.size(), 10u);
  server_.Script("/x", TestApiServer::Answer(200, std::string(11, 'a')));
  EXPECT_EQ(Get().failure, ApiFailure::kTooLarge);
}

TEST_F(ApiClientTest, NobodyThereAndNoHttpAreFailuresWithAName) {
  Connect();
  server_.Script("/x", "SSH-2.0-OpenSSH\r\n\r\n");
  EXPECT_EQ(Get().Why(), "connection: bad_response");
  server_.Stop();
  EXPECT_EQ(Get().Why(), "connection: connect_refused");
}

TEST_F(ApiClientTest, AConnectionThatWasClosedMeanwhileCostsNothing) {
  Connect();
  Get();
  server_.CloseConnections();
  const ApiAnswer answer = Get();
  EXPECT_EQ(answer.failure, ApiFailure::kNone);
  EXPECT_EQ(server_.connections, 2);
}

TEST_F(ApiClientTest, NothingIsHeardOfACancelledRequest) {
  Connect();
  server_.hang = true;
  Send();
  Asked(1);
  call_.reset();
  server_.hang = false;
  std::optional<ApiAnswer> other;
  const auto call =
      client_->Send({.target = "/y"}, [&](const ApiAnswer& answer) { other = answer; });
  RunUntil([&] { return other.has_value(); });
  EXPECT_FALSE(answer_.has_value());
  EXPECT_EQ(server_.connections, 2);  // the first one was closed
}

TEST_F(ApiClientTest, ACallMayBeDestroyedInsideItsOwnAnswer) {
  Connect();
  int answers = 0;
  call_ = client_->Send({.target = "/x"}, [&](const ApiAnswer& answer) {
    call_.reset();
    EXPECT_EQ(answer.status, 404);
    ++answers;
  });
  RunUntil([&] { return answers == 1; });
}

TEST_F(ApiClientTest, GivesTheLinesOfAWatchHoweverTheyAreCut) {
  Connect();
  Watch();
  for (const char* piece : {"{\"a\":", "1}\n", "{\"b\":2}\n{\"c\"", ":3}\n\n", "{\"d\":4}\n"}) {
    server_.TellRaw(piece);
  }
  server_.EndWatches();
  RunUntil([&] { return lines_.end.has_value(); });
  EXPECT_THAT(lines_.lines, ElementsAre("{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"));
  EXPECT_TRUE(lines_.end->ok());
}

TEST_F(ApiClientTest, AWatchThatEndsWithinALineSaysSoAndTheHalfLineIsNotGiven) {
  Connect();
  Watch();
  server_.TellRaw("whole\nhalf");
  server_.EndWatches();
  RunUntil([&] { return lines_.end.has_value(); });
  EXPECT_THAT(lines_.lines, ElementsAre("whole"));
  EXPECT_EQ(lines_.end->failure, ApiFailure::kCutLine);
}

TEST_F(ApiClientTest, ABrokenConnectionEndsAWatch) {
  Connect();
  Watch();
  server_.TellRaw("whole\nhalf");
  RunUntil([&] { return lines_.lines.size() == 1; });
  server_.CloseConnections();
  RunUntil([&] { return lines_.end.has_value(); });
  EXPECT_EQ(lines_.end->failure, ApiFailure::kConnection);
}

TEST_F(ApiClientTest, AWatchThatIsSilentForTooLongIsHalfOpen) {
  Connect();
  Watch(seconds(330));
  Advance(seconds(300));
  server_.TellRaw("news\n");
  RunUntil([&] { return lines_.lines.size() == 1; });
  Advance(seconds(300));
  EXPECT_FALSE(lines_.end.has_value());
  Advance(seconds(31));
  ASSERT_TRUE(lines_.end.has_value());
  EXPECT_EQ(lines_.end->failure, ApiFailure::kSilent);
  RunUntil([&] { return server_.watches() == 0; });  // its connection is closed
}

TEST_F(ApiClientTest, AWatchWhoseHeadDoesNotComeTimesOutSooner) {
  Connect();
  server_.hang = true;
  call_ = client_->Watch("/api/v1/pods?watch=true", seconds(330), &lines_);
  Asked(1);
  Advance(seconds(31));
  ASSERT_TRUE(lines_.end.has_value());
  EXPECT_EQ(lines_.end->failure, ApiFailure::kTimeout);
}

TEST_F(ApiClientTest, AWatchThatIsRefusedGivesTheAnswer) {
  Connect();
  server_.Script("watch", TestApiServer::Status(403));
  Watch();
  ASSERT_TRUE(lines_.end.has_value());
  EXPECT_EQ(lines_.starts, 0);
  EXPECT_EQ(lines_.end->Why(), "status 403: says 403");
}

TEST_F(ApiClientTest, ALineAboveTheLimitEndsTheWatch) {
  Connect({.line_bytes_max = 8});
  Watch();
  server_.TellRaw("12345678\n1234");
  server_.TellRaw("56789");
  RunUntil([&] { return lines_.end.has_value(); });
  EXPECT_THAT(lines_.lines, ElementsAre("12345678"));
  EXPECT_EQ(lines_.end->failure, ApiFailure::kTooLarge);
}

TEST_F(ApiClientTest, AWatchMayBeDestroyedInsideALine) {
  Connect();
  lines_.on_line = [&] { call_.reset(); };
  Watch();
  server_.TellRaw("one\ntwo\n");
  RunUntil([&] { return server_.watches() == 0; });
  EXPECT_THAT(lines_.lines, ElementsAre("one"));
  EXPECT_FALSE(lines_.end.has_value());
}

TEST_F(ApiClientTest, WhatAnAnswerSaysIsFitToBeShown) {
  EXPECT_EQ((ApiAnswer{.status = 500}).Why(), "status 500");
  EXPECT_EQ((ApiAnswer{.status = 404, .body = "404 page not found\n"}).Why(),
            "status 404: 404 page not found");
  EXPECT_EQ((ApiAnswer{.status = 502, .body = "\x1b[2J"}).Why(), "status 502: \\u001b[2J");
  EXPECT_THAT((ApiAnswer{.status = 502, .body = std::string(5000, 'a')}).Why().size(),
              testing::Lt(300u));
}

// TLS is as the credentials say, and a server that they do not vouch for hears nothing.
TEST_F(ApiClientTest, OverTlsTheServerHasToProveWhoItIs) {
  server_.tls = ServerTlsForTest();
  credentials_.credential.tls = ClientTlsForTest();
  Connect();
  server_.Script("/x", TestApiServer::Answer(200, "safe"));
  EXPECT_EQ(Get().body, "safe");
  credentials_.credential.tls =
      MakeClientTls({.server_name = "other.example.com", .trust = TestAuthority().Trusted()});
  testing::internal::CaptureStderr();
  const ApiAnswer answer = Get();
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_THAT(logged, HasSubstr("\"No TLS handshake with the API server\",\"address\":\"127."));
  EXPECT_THAT(logged, Not(HasSubstr("endpoint")));
  EXPECT_EQ(answer.failure, ApiFailure::kConnection);
  EXPECT_THAT(answer.error, HasSubstr("tls"));
  EXPECT_EQ(server_.requests.size(), 1u);
  EXPECT_THAT(lines_.lines, IsEmpty());
}

}  // namespace
}  // namespace gw::kube
