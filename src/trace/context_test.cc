#include "trace/context.h"

#include <gtest/gtest.h>

#include <vector>

namespace gw {
namespace {

constexpr char kWhole[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, SaysTraceCallerAndDecision) {
  const auto read = ParseTraceparent(kWhole);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->trace, (TraceId{0x0af7651916cd43dd, 0x8448eb211c80319c}));
  EXPECT_EQ(read->span, 0xb7ad6b7169203331);
  EXPECT_TRUE(read->sampled);
}

// The cases of the W3C's test suite (trace-context, test/test.py).
TEST(Traceparent, WhatIsNotWellFormedBeginsTheTraceAnew) {
  const char* const kWrong[] = {
      "",
      "00",
      "00-12345678901234567890123456789012-1234567890123456-01.",
      "00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
      "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like",
      "ff-12345678901234567890123456789012-1234567890123456-01",
      ".0-12345678901234567890123456789012-1234567890123456-01",
      "0.-12345678901234567890123456789012-1234567890123456-01",
      "000-12345678901234567890123456789012-1234567890123456-01",
      "0000-12345678901234567890123456789012-1234567890123456-01",
      "0-12345678901234567890123456789012-1234567890123456-01",
      "00-00000000000000000000000000000000-1234567890123456-01",
      "00-.2345678901234567890123456789012-1234567890123456-01",
      "00-1234567890123456789012345678901.-1234567890123456-01",
      "00-123456789012345678901234567890123-1234567890123456-01",
      "00-1234567890123456789012345678901-1234567890123456-01",
      "00-12345678901234567890123456789012-0000000000000000-01",
      "00-12345678901234567890123456789012-.234567890123456-01",
      "00-12345678901234567890123456789012-123456789012345.-01",
      "00-12345678901234567890123456789012-12345678901234567-01",
      "00-12345678901234567890123456789012-123456789012345-01",
      "00-12345678901234567890123456789012-1234567890123456-.0",
      "00-12345678901234567890123456789012-1234567890123456-0.",
      "00-12345678901234567890123456789012-1234567890123456-001",
      "00-12345678901234567890123456789012-1234567890123456-1",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  };
  for (const char* const wrong : kWrong) EXPECT_EQ(ParseTraceparent(wrong), std::nullopt) << wrong;
}

TEST(Traceparent, OfALaterVersionWhatThisOneHasIsRead) {
  for (const char* const later :
       {"cc-12345678901234567890123456789012-1234567890123456-01",
        "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like"}) {
    const auto read = ParseTraceparent(later);
    ASSERT_TRUE(read) << later;
    EXPECT_EQ(read->trace, (TraceId{0x1234567890123456, 0x7890123456789012}));
    EXPECT_TRUE(read->sampled);
  }
}

TEST(Traceparent, OfTheFlagsOnlyTheLowestIsLookedAt) {
  const std::string base = "00-12345678901234567890123456789012-1234567890123456-";
  EXPECT_FALSE(ParseTraceparent(base + "00")->sampled);
  EXPECT_TRUE(ParseTraceparent(base + "ff")->sampled);
  EXPECT_FALSE(ParseTraceparent(base + "fe")->sampled);
}

TEST(Traceparent, IsWrittenAsItIsRead) {
  TraceparentText storage;
  EXPECT_EQ(WriteTraceparent(*ParseTraceparent(kWhole), &storage), kWhole);
  EXPECT_EQ(WriteTraceparent({{1, 2}, 3, false}, &storage),
            "00-00000000000000010000000000000002-0000000000000003-00");
}

TEST(Tracestate, PassesIfItIsWellFormed) {
  const auto passes = [](const std::vector<std::string>& fields) {
    size_t members = 0;
    for (const std::string& field : fields) {
      if (!IsTracestate(field, &members)) return false;
    }
    return true;
  };
  EXPECT_TRUE(passes({"foo=1"}));
  EXPECT_TRUE(passes({"foo=1,bar=2", " baz=3 ,\t", ""}));
  EXPECT_TRUE(passes({"t61rcwkgmze@vendor-1_*/=a b~!"}));
  EXPECT_TRUE(passes({std::string(256, 'k') + "=" + std::string(256, 'v')}));
  EXPECT_FALSE(passes({"foo"}));
  EXPECT_FALSE(passes({"=1"}));
  EXPECT_FALSE(passes({"foo="}));
  EXPECT_FALSE(passes({"Foo=1"}));
  EXPECT_FALSE(passes({"-foo=1"}));
  EXPECT_FALSE(passes({"foo @=1"}));
  EXPECT_FALSE(passes({"foo=1=2"}));
  EXPECT_FALSE(passes({"foo=\x01"}));
  EXPECT_FALSE(passes({std::string(257, 'k') + "=1"}));
  EXPECT_FALSE(passes({"k=" + std::string(257, 'v')}));
}

TEST(Tracestate, HasThirtyTwoMembersAtMostInAllFieldsTogether) {
  size_t members = 0;
  for (int i = 0; i < 32; ++i) EXPECT_TRUE(IsTracestate("k" + std::to_string(i) + "=1", &members));
  EXPECT_FALSE(IsTracestate("one=more", &members));
}

TEST(Ids, AreRepeatedByTheirSeedAndNeverZero) {
  Random one(7), same(7), other(8);
  EXPECT_EQ(NewTraceId(one), NewTraceId(same));
  EXPECT_EQ(NewSpanId(one), NewSpanId(same));
  EXPECT_NE(NewTraceId(one), NewTraceId(other));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_NE(NewSpanId(one), 0);
    EXPECT_NE(NewTraceId(one).low, 0);
  }
}

TEST(Ids, AreWrittenInAllTheirDigits) {
  std::string out = "x";
  AppendHex(TraceId{0xab, 1}, &out);
  EXPECT_EQ(out, "x00000000000000ab0000000000000001");
  out.clear();
  AppendHex(SpanId{0xfedcba9876543210}, &out);
  EXPECT_EQ(out, "fedcba9876543210");
}

}  // namespace
}  // namespace gw
