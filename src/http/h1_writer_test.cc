#include "http/h1_writer.h"

#include <gtest/gtest.h>

#include "http/http_test_util.h"

namespace gw::http {
namespace {

HeaderList Headers(std::initializer_list<HeaderField> fields) {
  HeaderList headers;
  for (const HeaderField& field : fields) headers.Add(field.name, field.value);
  return headers;
}

TEST(H1Writer, ReadsBackWhatItWrites) {
  std::string bytes;
  AppendRequestLine(&bytes, "POST", "/v1/completions?x=1");
  AppendHeader(&bytes, "Host", "gw.test");
  AppendHeader(&bytes, "Content-Length", uint64_t{5});
  AppendHeadEnd(&bytes);
  EXPECT_EQ(bytes,
            "POST /v1/completions?x=1 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(ReadRequests({bytes}).heads.at(0),
            "POST /v1/completions?x=1 1.1 at gw.test length 5 keep-alive [Host=gw.test] "
            "[Content-Length=5]");
}

TEST(H1Writer, StatusLines) {
  std::string out;
  AppendStatusLine(&out, 200);
  AppendStatusLine(&out, 404, "Nowhere");
  AppendStatusLine(&out, 299);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nHTTP/1.1 404 Nowhere\r\nHTTP/1.1 299 \r\n");
}

TEST(H1Writer, Numbers) {
  std::string out;
  AppendHeader(&out, "n", uint64_t{0});
  AppendHeader(&out, "n", uint64_t{18446744073709551615u});
  EXPECT_EQ(out, "n: 0\r\nn: 18446744073709551615\r\n");
}

TEST(H1Writer, ChunkSizes) {
  auto line = [](uint64_t bytes) {
    char out[20];
    return std::string(out, FormatChunkSize(bytes, out));
  };
  EXPECT_EQ(line(0), "0\r\n");
  EXPECT_EQ(line(12), "c\r\n");
  EXPECT_EQ(line(0x1234abcd), "1234abcd\r\n");
  EXPECT_EQ(line(UINT64_MAX), "ffffffffffffffff\r\n");
}

TEST(DateText, IsTheDateOfHttp) {
  constexpr int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(DateText(784111777 * kSecond), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(DateText(784111777 * kSecond + kSecond - 1), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(DateText(784111778 * kSecond), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(DateText(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(DateText(1709251199 * kSecond), "Thu, 29 Feb 2024 23:59:59 GMT");
}

TEST(HopByHop, KnowsTheFieldsOfOneHop) {
  const HeaderList headers = Headers({{"Connection", "keep-alive, X-Hop"},
                                      {"X-Hop", "1"},
                                      {"connection", "x-other ,"},
                                      {"Host", "a"}});
  const HopByHopFields fields(headers);
  for (const char* name : {"Connection", "KEEP-ALIVE", "Proxy-Connection", "te", "Trailer",
                           "Transfer-Encoding", "Upgrade", "Proxy-Authenticate",
                           "Proxy-Authorization", "HTTP2-Settings", "x-hop", "X-Other"}) {
    EXPECT_TRUE(IsHopByHop(name, headers)) << name;
    EXPECT_TRUE(fields.Contains(name)) << name;
  }
  for (const char* name : {"Host", "Content-Length", "Authorization", "tea", "trailers", "x",
                           "close", "Proxy-Status", "x-hopp"}) {
    EXPECT_FALSE(IsHopByHop(name, headers)) << name;
    EXPECT_FALSE(fields.Contains(name)) << name;
  }
}

TEST(ReasonPhrase, IsKnownForEveryStatusOfAHeadError) {
  for (HeadError error :
       {HeadError::kMalformed, HeadError::kBadFraming, HeadError::kHeadTooLarge,
        HeadError::kTooManyHeaders, HeadError::kTargetTooLong, HeadError::kVersionUnsupported,
        HeadError::kHostMissing, HeadError::kExpectationFailed, HeadError::kAmbiguousName}) {
    EXPECT_NE(ReasonPhrase(StatusOf(error)), "") << NameOf(error);
    EXPECT_GE(StatusOf(error), 400);
  }
  EXPECT_EQ(ReasonPhrase(100), "Continue");
  EXPECT_EQ(ReasonPhrase(505), "HTTP Version Not Supported");
  for (int status : {0, 99, 101, 777}) EXPECT_EQ(ReasonPhrase(status), "") << status;
}

TEST(HeaderList, NamesCompareWithoutCase) {
  const HeaderList headers = Headers({{"X-A", "1"}, {"x-b", "2"}, {"x-a", "3"}});
  EXPECT_EQ(headers.Find("x-A")->value, "1");
  EXPECT_EQ(headers.Find("x-c"), nullptr);
  EXPECT_EQ(headers.Count("X-a"), 2u);
  EXPECT_FALSE(EqualsIgnoreCase("a[", "A{"));  // not letters, though they differ in the same bit
  EXPECT_TRUE(HasListElement("a, B ,c", "b"));
  EXPECT_FALSE(HasListElement("ab, c", "b"));
}

TEST(MayTrail, WhatFramesOrRoutesAMessageMayNot) {
  for (const char* name :
       {"Transfer-Encoding", "content-length", "Content-Type", "host", "Authorization", "Cookie",
        "Set-Cookie", "connection", "TE", "trailer", "if-none-match", "X-Forwarded-For",
        "x_forwarded_for", "X-Gateway-Model-Name", "x-request-id", "Expect", "Cache-Control"}) {
    EXPECT_FALSE(MayTrail(name)) << name;
  }
  for (const char* name : {"grpc-status", "Grpc-Message", "x-checksum", "Server-Timing", "ETag",
                           "content", "iffy", "x-forwarded", "dates"}) {
    EXPECT_TRUE(MayTrail(name)) << name;
  }
}

}  // namespace
}  // namespace gw::http
