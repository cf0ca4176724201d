#include <gmock/gmock.h>

#include <cerrno>

#include "client/test_pool.h"

namespace gw {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(ClientPoolTest, TrailersMakeABodyOfOneChunk) {
  Start();
  const http::HeaderField trailers[] = {{"x-sum", "7"}, {"X-End", "yes"}};
  const std::string_view parts[] = {"hello ", "world, all"};
  Answer answer;
  pool_->Send(Target(),
              {.method = "POST",
               .target = "/x",
               .authority = "a",
               .has_body = true,
               .parts = parts,
               .trailers = trailers},
              Reuse::kTrusted, &answer);
  Served& server = Asked(0, 2);
  EXPECT_EQ(server.recorder.text,
            "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            "10\r\nhello world, all\r\n0\r\nx-sum: 7\r\nX-End: yes\r\n\r\n");
  server.Write(kHi);
  RunUntil([&] { return answer.over(); });
  // The connection goes on, and an empty body is the last chunk alone.
  server.recorder.text.clear();
  Answer next;
  pool_->Send(Target(),
              {.method = "POST",
               .target = "/x",
               .authority = "a",
               .has_body = true,
               .trailers = std::span(trailers, 1)},
              Reuse::kTrusted, &next);
  Asked(0, 2);
  EXPECT_TRUE(server.recorder.text.ends_with("\r\n\r\n0\r\nx-sum: 7\r\n\r\n"));
  server.Write(kHi);
  RunUntil([&] { return next.over(); });
  Exchange(&next, 0, 3);  // nothing of it is left
  EXPECT_TRUE(server.recorder.text.ends_with("GET /x HTTP/1.1\r\nhost: a\r\n\r\n"));
}

TEST_F(ClientPoolTest, TrailersOfAResponseAreToldBeforeItsEnd) {
  Start();
  Answer answer;
  Send(&answer);
  Asked(0).Write(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
      "grpc-status: 0\r\nX-Sum:\t 7 \r\n\r\n");
  RunUntil([&] { return answer.over(); });
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.body, "hi");
  EXPECT_EQ(answer.trailers, "grpc-status=0;X-Sum=7;");
  Answer next;
  Exchange(&next, 0, 2);
  EXPECT_EQ(next.trailers, "");
}

TEST_F(ClientPoolTest, ARequestIsWrittenWithItsFieldsAndItsBody) {
  Start();
  Answer answer;
  const http::HeaderField fields[] = {{"x-a", "1"}, {"X-B", "2"}};
  const std::string_view parts[] = {"{\"a\":", "1}"};
  pool_->Send(Target(),
              {.method = "POST",
               .target = "/v1?q=1",
               .authority = "host.example:80",
               .fields = fields,
               .has_body = true,
               .parts = parts},
              Reuse::kTrusted, &answer);
  Served& server = Asked(0);
  RunUntil([&] { return server.recorder.text.ends_with("}"); });
  EXPECT_EQ(server.recorder.text,
            "POST /v1?q=1 HTTP/1.1\r\nhost: host.example:80\r\nx-a: 1\r\nX-B: 2\r\n"
            "content-length: 7\r\n\r\n{\"a\":1}");
  server.Write(kHi);
  RunUntil([&] { return answer.over(); });
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hi");
}

TEST_F(ClientPoolTest, AnIdleConnectionCarriesTheNextRequest) {
  Start();
  Answer first, second, third;
  Exchange(&first, 0);
  EXPECT_EQ(pool_->idle_connections(), 1u);
  Exchange(&second, 0, 2);
  Send(&third, Reuse::kNone);
  Asked(1).Write(kHi);
  RunUntil([&] { return third.over(); });
  EXPECT_EQ(served_.size(), 2u);
  EXPECT_EQ(pool_->idle_connections(), 2u);
}

TEST_F(ClientPoolTest, AConnectionIsNotClosedBecauseAReadWasPutOff) {
  options_.reads_per_turn_max = 1;
  Start();
  Answer answer;
  Send(&answer);
  Served& server = Asked(0);
  // The rest arrives while the next read is put off: the next turn has two reasons to read.
  answer.on_body = [&] {
    if (answer.body == "h") server.Write("i");
  };
  server.Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
  RunUntil([&] { return answer.over(); });
  loop_->RunOnce(Duration(0));
  loop_->RunOnce(Duration(0));
  EXPECT_EQ(pool_->idle_connections(), 1u);
  EXPECT_THAT(limits_, Contains("reads_per_turn"));
  Answer next;
  Exchange(&next, 0, 2);
}

TEST_F(ClientPoolTest, AnIdleConnectionThatGetsBytesOrIsClosedIsGivenUp) {
  for (const bool closes : {false, true}) {
    served_.clear();
    Start();
    Answer answer;
    Exchange(&answer, 0);
    if (closes) {
      served_[0]->stream.reset();
    } else {
      served_[0]->Write("HTTP/1.1 408 Request Timeout\r\n\r\n");
    }
    RunUntil([&] { return pool_->idle_connections() == 0; });
  }
}

TEST_F(ClientPoolTest, AConnectionThatWasClosedAsItWasUsedIsStale) {
  Start();
  Answer first, second;
  Exchange(&first, 0);
  Send(&second);
  Asked(0, 2).stream.reset();
  RunUntil([&] { return second.over(); });
  ASSERT_TRUE(second.error);
  EXPECT_EQ(second.error->failure, ClientFailure::kStaleConnection);
  EXPECT_TRUE(second.error->sent_whole);
}

TEST_F(ClientPoolTest, AFreshConnectionThatIsClosedHasFailed) {
  Start();
  Answer nothing, half;
  Send(&nothing);
  Asked(0).stream.reset();
  RunUntil([&] { return nothing.over(); });
  EXPECT_EQ(nothing.error->failure, ClientFailure::kClosed);
  Send(&half);
  Asked(1).Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
  served_[1]->stream.reset();
  RunUntil([&] { return half.over(); });
  EXPECT_EQ(half.error->failure, ClientFailure::kClosed);
  EXPECT_EQ(half.body, "h");
  EXPECT_EQ(half.flushes, 1);
}

TEST_F(ClientPoolTest, WhereNobodyListensTheReasonIsKnown) {
  Start();
  listener_.reset();
  Answer answer;
  Send(&answer);
  RunUntil([&] { return answer.over(); });
  EXPECT_EQ(answer.error->failure, ClientFailure::kConnectRefused);
  EXPECT_EQ(answer.error->error_number, ECONNREFUSED);
  EXPECT_FALSE(answer.error->sent_whole);
}

TEST_F(ClientPoolTest, WhatIsNotHttpAndHeadsThatAreTooLargeAreBad) {
  options_.response_head.header_count_max = 3;
  Start();
  Answer garbage, large;
  Send(&garbage);
  Asked(0).Write("SSH-2.0-x\r\n");
  RunUntil([&] { return garbage.over(); });
  EXPECT_EQ(garbage.error->failure, ClientFailure::kBadResponse);
  EXPECT_THAT(limits_, IsEmpty());
  Send(&large);
  Asked(1).Write("HTTP/1.1 200 OK\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\n");
  RunUntil([&] { return large.over(); });
  EXPECT_EQ(large.error->failure, ClientFailure::kBadResponse);
  EXPECT_THAT(limits_, ElementsAre("response_head_fields"));
  EXPECT_EQ(pool_->idle_connections(), 0u);
}

TEST_F(ClientPoolTest, ThatARequestGoesOutOverANewConnectionIsToldOnce) {
  Start();
  Answer first, second, third;
  ClientCall* const call = Send(&first);
  EXPECT_TRUE(call->connecting());
  EXPECT_EQ(first.new_connections, 0);
  RunUntil([&] { return first.new_connections == 1; });
  EXPECT_FALSE(call->connecting());
  Asked(0).Write(kHi);
  RunUntil([&] { return first.over(); });
  Exchange(&second, 0, 2);
  Send(&third, Reuse::kNone);
  Asked(1).Write(kHi);
  RunUntil([&] { return third.over(); });
  EXPECT_EQ(first.new_connections, 1);
  EXPECT_EQ(second.new_connections, 0);
  EXPECT_EQ(third.new_connections, 1);
}

TEST_F(ClientPoolTest, ACancelledCallClosesItsConnectionAndTellsNothing) {
  Start();
  Answer answer;
  ClientCall* call = Send(&answer);
  EXPECT_TRUE(call->connecting());
  Served& server = Asked(0);
  EXPECT_FALSE(call->connecting());
  call->Cancel();
  RunUntil([&] { return server.gone(); });
  EXPECT_FALSE(answer.over());
}

TEST_F(ClientPoolTest, ACallMayBeCancelledFromWithinItsHandler) {
  Start();
  Answer answer;
  ClientCall* call = Send(&answer);
  answer.on_body = [&] { call->Cancel(); };
  Served& server = Asked(0);
  server.Write(kHi);
  RunUntil([&] { return server.gone(); });
  EXPECT_FALSE(answer.over());
  EXPECT_EQ(answer.body, "hi");
}

TEST_F(ClientPoolTest, NothingIsReadWhileACallPauses) {
  Start();
  Answer answer;
  ClientCall* call = Send(&answer);
  Served& server = Asked(0);
  call->Pause();
  server.Write(kHi);
  Answer other;
  Exchange(&other, 1);
  EXPECT_EQ(answer.status, 0);
  call->Resume();
  RunUntil([&] { return answer.over(); });
  EXPECT_EQ(answer.body, "hi");
}

TEST_F(ClientPoolTest, TimeoutsAreToldByName) {
  options_.response_timeout = std::chrono::milliseconds(5);
  options_.idle_timeout = std::chrono::milliseconds(5);
  options_.reads_per_turn_max = 1000;  // however small they are
  Start();
  Answer silent, stalled;
  Send(&silent);
  RunUntil([&] { return silent.over(); });
  EXPECT_EQ(silent.error->failure, ClientFailure::kTimeout);
  EXPECT_THAT(limits_, ElementsAre("response_headers_timeout"));
  options_.response_timeout = std::chrono::seconds(60);
  Send(&stalled);
  Asked(1).Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
  RunUntil([&] { return stalled.over(); });
  EXPECT_EQ(stalled.error->failure, ClientFailure::kTimeout);
  EXPECT_THAT(limits_, ElementsAre("response_headers_timeout", "stream_idle_timeout"));
}

TEST_F(ClientPoolTest, TheOldestIdleConnectionsAreClosed) {
  options_.idle_connections_max = 2;
  Start();
  Answer answers[3];
  for (Answer& answer : answers) Send(&answer, Reuse::kNone);
  RunUntil([&] { return served_.size() == 3; });
  for (size_t i = 0; i < 3; ++i) Asked(i).Write(kHi);
  RunUntil([&] { return answers[0].over() && answers[1].over() && answers[2].over(); });
  EXPECT_EQ(pool_->idle_connections(), 2u);
  EXPECT_THAT(limits_, ElementsAre("idle_upstream_connections"));
  EXPECT_EQ(pool_->CloseLongestIdle(5), 2u);
  RunUntil([&] { return served_[0]->gone() && served_[1]->gone() && served_[2]->gone(); });
}

TEST_F(ClientPoolTest, IdleConnectionsAreClosedAfterTheirTime) {
  options_.keep_alive_timeout = std::chrono::milliseconds(1);
  Start();
  Answer answer;
  Exchange(&answer, 0);
  RunUntil([&] { return served_[0]->gone(); });
  EXPECT_THAT(limits_, ElementsAre("upstream_keep_alive_timeout"));
}

}  // namespace
}  // namespace gw
