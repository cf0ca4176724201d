#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/http_test_util.h"

namespace gw::http {
namespace {

std::string HeadOf(std::string_view bytes, bool head_request = false) {
  const Transcript transcript = ReadResponses({bytes}, head_request);
  if (transcript.error != HeadError::kNone) return std::string(NameOf(transcript.error));
  return transcript.heads.empty() ? "incomplete" : transcript.heads.front();
}

constexpr std::string_view kResponses =
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nserver: uvicorn\r\n\r\nhello"
    "HTTP/1.1 100 Continue\r\n\r\n"
    "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    "6\r\ndata: \r\n3\r\na\n\n\r\n0\r\n\r\n"
    "HTTP/1.1 204 \r\n\r\n"
    "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";

Transcript ExpectedOfResponses() {
  Transcript expected;
  expected.heads = {"200 OK 1.1 length 5 keep-alive [content-length=5] [server=uvicorn]",
                    "200 OK 1.1 chunked 0 keep-alive [transfer-encoding=chunked]",
                    "204  1.1 none 0 keep-alive",
                    "404 Not Found 1.0 length 0 keep-alive [Connection=keep-alive] "
                    "[Content-Length=0]"};
  expected.bodies = {"hello", "data: a\n\n", "", ""};
  expected.ended = 4;
  return expected;
}

TEST(ResponseParser, ReadsResponsesAndSkipsInterimOnes) {
  EXPECT_EQ(ReadResponses({kResponses}), ExpectedOfResponses());
}

TEST(ResponseParser, SaysTheSameHoweverTheBytesAreCut) {
  EXPECT_EQ(ReadResponses(CutInBytes(kResponses)), ExpectedOfResponses());
  for (size_t at = 0; at <= kResponses.size(); ++at) {
    EXPECT_EQ(ReadResponses(CutInTwo(kResponses, at)), ExpectedOfResponses()) << at;
  }
}

TEST(ResponseParser, TheAnswerToHeadHasNoBody) {
  const Transcript transcript = ReadResponses(
      {"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
       "chunked\r\n\r\n"},
      true);
  EXPECT_THAT(transcript.heads,
              ::testing::ElementsAre("200 OK 1.1 none 31 keep-alive [Content-Length=31]",
                                     "200 OK 1.1 none 0 keep-alive [Transfer-Encoding=chunked]"));
  EXPECT_EQ(transcript.ended, 2u);
}

TEST(ResponseParser, StatusesWithoutBodyIgnoreFraming) {
  EXPECT_EQ(HeadOf("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            "304 Not Modified 1.1 none 9 keep-alive [Content-Length=9]");
  // Whether five bytes follow depends on the server: the connection is not used again.
  EXPECT_EQ(HeadOf("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
            "204 No Content 1.1 none 5 close [Content-Length=5]");
  EXPECT_EQ(HeadOf("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "204 No Content 1.1 none 0 close [Transfer-Encoding=chunked]");
}

TEST(ResponseParser, ABodyWithoutFramingEndsWithTheConnection) {
  ResponseParser parser;
  Transcript transcript;
  EXPECT_TRUE(Feed(&parser, "HTTP/1.1 200 OK\r\n\r\nsome", [] {}, &transcript));
  EXPECT_TRUE(Feed(&parser, " bytes", [] {}, &transcript));
  EXPECT_THAT(transcript.heads, ::testing::ElementsAre("200 OK 1.1 to-close 0 close"));
  EXPECT_THAT(transcript.bodies, ::testing::ElementsAre("some bytes"));
  EXPECT_EQ(transcript.ended, 0u);
  EXPECT_TRUE(parser.OnClose());
  EXPECT_EQ(parser.Next("").event, H1Event::kEnd);
}

TEST(ResponseParser, ACloseCutsEveryOtherResponse) {
  constexpr std::string_view kCut[] = {
      "",
      "HTTP/1.1 200",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
  };
  for (std::string_view bytes : kCut) {
    ResponseParser parser;
    Transcript transcript;
    Feed(&parser, bytes, [] {}, &transcript);
    EXPECT_FALSE(parser.OnClose()) << bytes;
    EXPECT_EQ(parser.error(), HeadError::kNone);
  }
}

TEST(ResponseParser, ACloseAfterTheEndChangesNothing) {
  ResponseParser parser;
  parser.Next("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_EQ(parser.Next("").event, H1Event::kEnd);
  EXPECT_TRUE(parser.OnClose());
}

TEST(ResponseParser, KnowsWhenItStandsBetweenChunks) {
  ResponseParser parser;
  parser.Next("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(parser.at_chunk_boundary());
  constexpr std::string_view kChunks = "5\r\nhello\r\n10\r\n";
  std::string boundaries;
  for (size_t i = 0; i < kChunks.size(); ++i) {
    parser.Next(kChunks.substr(i, 1));
    boundaries += parser.at_chunk_boundary() ? '1' : '0';
  }
  EXPECT_EQ(boundaries, "00000000010000");
}

TEST(ResponseParser, BoundsInterimResponses) {
  std::string bytes;
  for (int i = 0; i < ResponseParser::kInterimMax; ++i) bytes += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(HeadOf(bytes + "HTTP/1.1 204 x\r\n\r\n"), "204 x 1.1 none 0 keep-alive");
  EXPECT_EQ(HeadOf(bytes + bytes.substr(0, 27) + "HTTP/1.1 204 x\r\n\r\n"), "malformed");
}

TEST(ResponseParser, RefusesWhatCannotBeFramed) {
  struct Case {
    const char* fields;
    const char* head;
  };
  constexpr Case kCases[] = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "bad_framing"},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "bad_framing"},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", "bad_framing"},
      {"Content-Length: 5\r\nContent-Length: 5\r\n", "bad_framing"},
      {"Content-Length: 5, 5\r\n", "bad_framing"},
      {"Content-Length: -5\r\n", "bad_framing"},
      {"Content-Length: \r\n", "bad_framing"},
      {"Content-Length: 1234567890123456789\r\n", "bad_framing"},
      {"Transfer-Encoding: gzip, chunked\r\n", "bad_framing"},
      {"Transfer-Encoding: gzip\r\n", "bad_framing"},
      {"Transfer-Encoding: identity\r\n", "bad_framing"},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "bad_framing"},
      {"X: a\r\n b\r\n", "malformed"},
      {"X : a\r\n", "malformed"},
      {": a\r\n", "malformed"},
      {"X\r\n", "malformed"},
      {"X: a\nY: b\r\n", "malformed"},
      {"X: a\rY: b\r\n", "malformed"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(HeadOf("HTTP/1.1 200 OK\r\n" + std::string(c.fields) + "\r\n"), c.head) << c.fields;
  }
  EXPECT_EQ(HeadOf("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad_framing");
}

TEST(ResponseParser, StatusLines) {
  struct Case {
    const char* line;
    const char* head;
  };
  constexpr Case kCases[] = {
      {"HTTP/1.1 200", "200  1.1 length 0 keep-alive [Content-Length=0]"},
      {"HTTP/1.1 200 ", "200  1.1 length 0 keep-alive [Content-Length=0]"},
      {"HTTP/1.1 200 Tout va bien", "200 Tout va bien 1.1 length 0 keep-alive [Content-Length=0]"},
      {"HTTP/1.0 500 x", "500 x 1.0 length 0 close [Content-Length=0]"},
      {"HTTP/1.1 101 Switching Protocols", "malformed"},
      {"HTTP/1.1 099 x", "malformed"},
      {"HTTP/1.1 600 x", "malformed"},
      {"HTTP/1.1 20 x", "malformed"},
      {"HTTP/1.1 2000 x", "malformed"},
      {"HTTP/1.1  200 x", "malformed"},
      {"HTTP/1.1 2x0 x", "malformed"},
      {"HTTP/2.0 200 x", "version_unsupported"},
      {"HTTP/1.2 200 x", "version_unsupported"},
      {"http/1.1 200 x", "malformed"},
      {"ICY 200 OK", "malformed"},
      {"", "malformed"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(HeadOf(std::string(c.line) + "\r\nContent-Length: 0\r\n\r\n"), c.head) << c.line;
  }
}

TEST(ResponseParser, LimitsTheHead) {
  const std::string head = "HTTP/1.1 200 OK\r\nx: " + std::string(100, 'x') + "\r\n\r\n";
  const HeadLimits enough{.head_bytes_max = head.size()};
  const HeadLimits short_of_one{.head_bytes_max = head.size() - 1};
  EXPECT_EQ(ReadResponses({head}, false, enough).error, HeadError::kNone);
  EXPECT_EQ(ReadResponses({head}, false, short_of_one).error, HeadError::kHeadTooLarge);
  EXPECT_EQ(ReadResponses(CutInBytes(head), false, short_of_one).error, HeadError::kHeadTooLarge);
}

TEST(ResponseParser, ResetForgetsACutResponse) {
  ResponseParser parser;
  parser.Next("HTTP/1.1 200 OK\r\nContent-Le");
  parser.Reset(false);
  ASSERT_EQ(parser.Next("HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n").event,
            H1Event::kHead);
  EXPECT_EQ(parser.head().status, 404);
}

}  // namespace
}  // namespace gw::http
