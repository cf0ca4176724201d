#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/http_test_util.h"

namespace gw::http {
namespace {

HeadError ErrorOf(std::string_view bytes, const HeadLimits& limits = {}) {
  return ReadRequests({bytes}, limits).error;
}

// The one head of `bytes`, or the name of the error.
std::string HeadOf(std::string_view bytes) {
  const Transcript transcript = ReadRequests({bytes});
  if (transcript.error != HeadError::kNone) return std::string(NameOf(transcript.error));
  return transcript.heads.empty() ? "incomplete" : transcript.heads.front();
}

constexpr std::string_view kTwoRequests =
    "POST /v1/chat/completions?x=1 HTTP/1.1\r\n"
    "Host: gw.test:8080\r\n"
    "Content-Type:application/json\r\n"
    "X-Empty:\r\n"
    "X-Padded: \t a\tb c \t\r\n"
    "content-length: 11\r\n"
    "\r\n"
    "{\"model\":1}"
    "POST /v1/completions HTTP/1.1\r\n"
    "Host: gw.test\r\n"
    "transfer-encoding: Chunked\r\n"
    "Connection: x-hop, close\r\n"
    "\r\n"
    "4;ext=1\r\nabcd\r\nB\r\nefghijklmno\r\n0\r\nX-Trailer: t\r\n\r\n";

Transcript ExpectedOfTwoRequests() {
  Transcript expected;
  expected.heads = {
      "POST /v1/chat/completions?x=1 1.1 at gw.test:8080 length 11 keep-alive [Host=gw.test:8080] "
      "[Content-Type=application/json] [X-Empty=] [X-Padded=a\tb c] [content-length=11]",
      "POST /v1/completions 1.1 at gw.test chunked 0 close [Host=gw.test] "
      "[transfer-encoding=Chunked] [Connection=x-hop, close]"};
  expected.bodies = {"{\"model\":1}", "abcdefghijklmno"};
  expected.ended = 2;
  return expected;
}

TEST(RequestParser, ReadsTwoPipelinedRequestsFromOneBuffer) {
  EXPECT_EQ(ReadRequests({kTwoRequests}), ExpectedOfTwoRequests());
}

TEST(RequestParser, SaysTheSameByteByByte) {
  EXPECT_EQ(ReadRequests(CutInBytes(kTwoRequests)), ExpectedOfTwoRequests());
}

TEST(RequestParser, SaysTheSameForEveryCutInTwo) {
  for (size_t at = 0; at <= kTwoRequests.size(); ++at) {
    EXPECT_EQ(ReadRequests(CutInTwo(kTwoRequests, at)), ExpectedOfTwoRequests()) << at;
  }
}

TEST(RequestParser, SaysTheSameForRandomCuts) {
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const size_t piece_max = 1 + random.Below(60);
    EXPECT_EQ(ReadRequests(CutAtRandom(kTwoRequests, piece_max, &random)), ExpectedOfTwoRequests());
  }
}

TEST(RequestParser, EndsARequestWithoutBodyWithoutFurtherInput) {
  RequestParser parser;
  constexpr std::string_view kGet = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  H1Step step = parser.Next(kGet);
  EXPECT_EQ(step.event, H1Event::kHead);
  EXPECT_EQ(step.consumed, kGet.size());
  step = parser.Next("");
  EXPECT_EQ(step.event, H1Event::kEnd);
  EXPECT_EQ(step.consumed, 0u);
  step = parser.Next("GET /next");
  EXPECT_EQ(step.event, H1Event::kEnd);
  EXPECT_EQ(step.consumed, 0u);
}

TEST(RequestParser, EndsABodyOfKnownLengthWithoutFurtherInput) {
  RequestParser parser;
  parser.Next("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
  H1Step step = parser.Next("abcd");
  EXPECT_EQ(step.event, H1Event::kBody);
  EXPECT_EQ(step.body, "abc");
  EXPECT_EQ(step.consumed, 3u);
  EXPECT_EQ(parser.Next("").event, H1Event::kEnd);
}

TEST(RequestParser, BodyIsAViewIntoTheInput) {
  RequestParser parser;
  parser.Next("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
  const std::string input = "abc";
  EXPECT_EQ(parser.Next(input).body.data(), input.data());
}

TEST(RequestParser, DoesNotTakeBodyBytesWithTheHead) {
  RequestParser parser;
  constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  const std::string input = std::string(kHead) + "abc";
  EXPECT_EQ(parser.Next(input).consumed, kHead.size());
}

TEST(RequestParser, HeadOutlivesTheInput) {
  RequestParser parser;
  {
    const std::string input = "GET /x HTTP/1.1\r\nHost: somewhere.test\r\n\r\n";
    ASSERT_EQ(parser.Next(input).event, H1Event::kHead);
  }
  EXPECT_EQ(parser.head().target, "/x");
  EXPECT_EQ(parser.head().headers.Find("HOST")->value, "somewhere.test");
}

TEST(RequestParser, InHeadFromTheFirstByteToTheEmptyLine) {
  RequestParser parser;
  EXPECT_FALSE(parser.in_head());
  parser.Next("\r\n");  // left over from a client that ends bodies with an empty line
  EXPECT_FALSE(parser.in_head());
  parser.Next("G");
  EXPECT_TRUE(parser.in_head());
  parser.Next("ET / HTTP/1.1\r\nHost: a\r\n");
  EXPECT_TRUE(parser.in_head());
  parser.Next("\r\n");
  EXPECT_FALSE(parser.in_head());
  parser.Reset();
  EXPECT_FALSE(parser.in_head());
}

TEST(RequestParser, RepeatsAnErrorUntilReset) {
  RequestParser parser;
  EXPECT_EQ(parser.Next("\x16\x03\x01").event, H1Event::kError);  // a TLS hello
  EXPECT_EQ(parser.error(), HeadError::kMalformed);
  EXPECT_EQ(parser.Next("GET / HTTP/1.1\r\nHost: a\r\n\r\n").event, H1Event::kError);
  parser.Reset();
  EXPECT_EQ(parser.error(), HeadError::kNone);
  EXPECT_EQ(parser.Next("GET / HTTP/1.1\r\nHost: a\r\n\r\n").event, H1Event::kHead);
}

TEST(RequestParser, AnErrorLeavesNothingOfTheMessageBefore) {
  RequestParser parser;
  const std::string first =
      "HEAD /first HTTP/1.0\r\nHost: a\r\nX: " + std::string(20000, 'x') + "\r\n\r\n";
  ASSERT_EQ(parser.Next(first).event, H1Event::kHead);
  parser.Reset();
  EXPECT_EQ(parser.Next("\x16\x03\x01").event, H1Event::kError);
  EXPECT_EQ(parser.head().method, "");
  EXPECT_EQ(parser.head().minor_version, 1);
  EXPECT_EQ(parser.head().headers.size(), 0u);
  parser.Reset();
  EXPECT_EQ(parser.Next("HEAD / HTTP/1.1\r\n\r\n").event, H1Event::kError);
  EXPECT_EQ(parser.head().method, "HEAD");
}

TEST(RequestParser, KeepsAliveByVersionAndConnection) {
  struct Case {
    const char* version;
    const char* connection;
    bool keep_alive;
  };
  constexpr Case kCases[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: CLOSE\r\n", false},
      {"1.1", "Connection: x,  close ,y\r\n", false},
      {"1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"1.1", "Connection: keep-alive\r\n", true},
      {"1.1", "Connection: closed\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: keep-alive\r\n", true},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const Case& c : kCases) {
    RequestParser parser;
    const std::string bytes =
        std::string("GET / HTTP/") + c.version + "\r\nHost: a\r\n" + c.connection + "\r\n";
    ASSERT_EQ(parser.Next(bytes).event, H1Event::kHead) << bytes;
    EXPECT_EQ(parser.head().keep_alive, c.keep_alive) << bytes;
  }
}

TEST(RequestParser, ExpectContinueNeedsABodyAndHttp11) {
  auto head_of = [](std::string_view version, std::string_view rest) {
    return HeadOf("POST / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(rest) +
                  "\r\n");
  };
  EXPECT_THAT(head_of("1.1", "Expect: 100-Continue\r\nContent-Length: 3\r\n"),
              ::testing::EndsWith("expects-continue"));
  EXPECT_THAT(head_of("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"),
              ::testing::EndsWith("expects-continue"));
  EXPECT_THAT(head_of("1.1", "Expect: 100-continue\r\n"), ::testing::EndsWith("continue]"));
  EXPECT_THAT(head_of("1.0", "Expect: 100-continue\r\nContent-Length: 3\r\n"),
              ::testing::EndsWith("=3]"));
  EXPECT_EQ(head_of("1.1", "Expect: 200-ok\r\nContent-Length: 3\r\n"), "expectation_failed");
  EXPECT_EQ(head_of("1.1", "Expect: 100-continue, x\r\n"), "expectation_failed");
  EXPECT_EQ(head_of("1.1", "Expect:\r\n"), "expectation_failed");
}

TEST(RequestParser, UpgradeIsConnectOrAskedForInConnection) {
  EXPECT_EQ(HeadOf("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"),
            "CONNECT a.test:443 1.1 at a.test:443 none 0 close [Host=a.test:443] upgrade");
  struct Case {
    const char* fields;
    bool upgrade;
  };
  constexpr Case kCases[] = {
      {"Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
      {"Connection: keep-alive, upgrade\r\nUpgrade: h2c, websocket\r\n", true},
      {"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
       false},
      {"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", false},
      {"Connection: Upgrade\r\nUpgrade: TLS/1.3, h2c, HTTP/2.0, IRC/6.9\r\n", false},
      {"Connection: Upgrade\r\nUpgrade: WebSocket\r\n", true},
      {"Upgrade: websocket\r\n", false},
      {"Connection: upgrade\r\n", false},
  };
  for (const Case& c : kCases) {
    RequestParser parser;
    ASSERT_EQ(parser.Next("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(c.fields) + "\r\n").event,
              H1Event::kHead)
        << c.fields;
    EXPECT_EQ(parser.head().upgrade, c.upgrade) << c.fields;
    EXPECT_EQ(parser.Next("").event, H1Event::kEnd);
  }
}

TEST(RequestParser, AuthorityOfAnAbsoluteFormOverridesHost) {
  EXPECT_EQ(HeadOf("GET http://one.test:81/x HTTP/1.1\r\nHost: two.test\r\n\r\n"),
            "GET http://one.test:81/x 1.1 at one.test:81 none 0 keep-alive [Host=two.test]");
  EXPECT_EQ(HeadOf("OPTIONS * HTTP/1.1\r\nHost: two.test\r\n\r\n"),
            "OPTIONS * 1.1 at two.test none 0 keep-alive [Host=two.test]");
  EXPECT_EQ(HeadOf("GET / HTTP/1.0\r\n\r\n"), "GET / 1.0 at  none 0 close");
  EXPECT_EQ(HeadOf("GET http://u@one.test/ HTTP/1.1\r\nHost: two.test\r\n\r\n"), "malformed");
  EXPECT_EQ(HeadOf("GET http:///x HTTP/1.1\r\nHost: two.test\r\n\r\n"), "malformed");
}

TEST(RequestParser, HostIsOneNameOrAddress) {
  auto error_of = [](std::string_view fields) {
    return ErrorOf("GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n");
  };
  for (const char* good : {"a", "a.b-c_d.test", "127.0.0.1:80", "[::1]", "[::1]:8080", "a:", "A.B",
                           "a:65535", "a:00080", "[::1]:65535", "a:0"}) {
    EXPECT_EQ(error_of("Host: " + std::string(good) + "\r\n"), HeadError::kNone) << good;
  }
  for (const char* bad :
       {"",        " ",     ":80",      "a b",     "a/b",     "a@b",         "a,b",
        "a:80:80", "a:8x",  "a:123456", "a:65536", "a:99999", "[::1]:70000", "[::1",
        "[]",      "[g::]", "::1",      "a%20b",   "a\\b",    "caf\xc3\xa9"}) {
    EXPECT_EQ(error_of("Host: " + std::string(bad) + "\r\n"), HeadError::kHostMissing) << bad;
  }
  EXPECT_EQ(error_of(""), HeadError::kHostMissing);
  EXPECT_EQ(error_of("Host: a\r\nHost: a\r\n"), HeadError::kHostMissing);
  EXPECT_EQ(ErrorOf("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), HeadError::kHostMissing);
}

TEST(RequestParser, AuthorityInTheTargetHasAPortThatExists) {
  EXPECT_EQ(HeadOf("GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n"), "malformed");
  EXPECT_EQ(HeadOf("CONNECT a:70000 HTTP/1.1\r\nHost: a\r\n\r\n"), "malformed");
  EXPECT_EQ(HeadOf("GET http://a:65535/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET http://a:65535/ 1.1 at a:65535 none 0 keep-alive [Host=a]");
}

TEST(RequestParser, RefusesNamesThatServersTakeForAFieldSomebodyActsOn) {
  auto error_of = [](std::string_view name) {
    return ErrorOf("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(name) + ": 1\r\n\r\n");
  };
  for (const char* bad :
       {"Content_Length", "content_length", "Transfer_Encoding", "Content_Type", "Keep_Alive",
        "X_Forwarded_For", "X-Forwarded_For", "X_FORWARDED-PROTO", "X_Request_Id", "X-Request_ID",
        "X_Real_IP", "Proxy_Connection", "Accept_Encoding", "X_Gateway_Model_Name",
        "X_Prefiller_Host_Port", "X-Forwarded-For_", "User_Agent"}) {
    EXPECT_EQ(error_of(bad), HeadError::kAmbiguousName) << bad;
  }
  for (const char* good : {"User_Id", "_", "my_header", "X_Tenant", "session_id", "X-Trace_Id",
                           "X-Forwarded-For", "contents_length", "api_key"}) {
    EXPECT_EQ(error_of(good), HeadError::kNone) << good;
  }
}

// A head of exactly `bytes` bytes with `fields` fields.
std::string HeadOfSize(size_t bytes, size_t fields) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (size_t i = 2; i < fields; ++i) head += "x: y\r\n";
  head += "pad: ";
  head.append(bytes - head.size() - 4, 'p');
  return head + "\r\n\r\n";
}

TEST(RequestParser, LimitsTheBytesOfTheHead) {
  const HeadLimits limits{.head_bytes_max = 300};
  for (const auto& [bytes, expected] : std::vector<std::pair<size_t, HeadError>>{
           {300, HeadError::kNone}, {301, HeadError::kHeadTooLarge}}) {
    const std::string head = HeadOfSize(bytes, 3);
    ASSERT_EQ(head.size(), bytes);
    EXPECT_EQ(ErrorOf(head, limits), expected);
    EXPECT_EQ(ErrorOf("\r\n" + head, limits), expected) << "the empty line before it is free";
    EXPECT_EQ(ReadRequests(CutInBytes(head), limits).error, expected);
    for (size_t at = 0; at <= head.size(); ++at) {
      EXPECT_EQ(ReadRequests(CutInTwo(head, at), limits).error, expected) << at;
      EXPECT_EQ(ReadRequests(CutInTwo("\r\n" + head, at), limits).error, expected) << at;
    }
  }
}

TEST(RequestParser, RefusesALongHeadBeforeItsEnd) {
  RequestParser parser(HeadLimits{.head_bytes_max = 100});
  EXPECT_EQ(parser.Next("GET / HTTP/1.1\r\n").event, H1Event::kNeedMore);
  EXPECT_EQ(parser.Next(std::string(1000, 'x')).event, H1Event::kError);
  EXPECT_EQ(parser.error(), HeadError::kHeadTooLarge);
}

TEST(RequestParser, LimitsTheNumberOfFields) {
  const HeadLimits limits{.header_count_max = 5};
  EXPECT_EQ(ErrorOf(HeadOfSize(200, 5), limits), HeadError::kNone);
  EXPECT_EQ(ErrorOf(HeadOfSize(200, 6), limits), HeadError::kTooManyHeaders);
}

TEST(RequestParser, LimitsTheTarget) {
  const HeadLimits limits{.target_bytes_max = 100};
  for (const auto& [bytes, expected] :
       std::vector<std::pair<size_t, HeadError>>{{100, HeadError::kNone},
                                                 {101, HeadError::kTargetTooLong},
                                                 {500, HeadError::kTargetTooLong}}) {
    const std::string head = "GET /" + std::string(bytes - 1, 't') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(ErrorOf(head, limits), expected);
    EXPECT_EQ(ReadRequests(CutInBytes(head), limits).error, expected);
  }
}

TEST(RequestParser, RefusesMethodsItDoesNotKnow) {
  EXPECT_EQ(HeadOf("GETS / HTTP/1.1\r\nHost: a\r\n\r\n"), "malformed");
  EXPECT_EQ(HeadOf("get / HTTP/1.1\r\nHost: a\r\n\r\n"), "malformed");
  EXPECT_EQ(HeadOf("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n").substr(0, 7), "PATCH /");
}

TEST(RequestParser, ParsesManyMessagesWithOneParser) {
  std::string bytes;
  for (int i = 0; i < 200; ++i) {
    bytes += "POST /" + std::to_string(i) +
             " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(i) + "\r\n\r\n" +
             std::string(static_cast<size_t>(i), 'b');
  }
  Random random(7);
  const Transcript transcript = ReadRequests(CutAtRandom(bytes, 300, &random));
  ASSERT_EQ(transcript.ended, 200u);
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_THAT(transcript.heads[i], ::testing::StartsWith("POST /" + std::to_string(i) + " 1.1"));
    EXPECT_EQ(transcript.bodies[i], std::string(i, 'b'));
  }
}

}  // namespace
}  // namespace gw::http
