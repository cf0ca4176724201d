#include "base/log_share.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(LogShare, WordsAndRatiosAreRead) {
  EXPECT_EQ(ParseLogShare("all"), kLogAll);
  EXPECT_EQ(ParseLogShare("errors"), kLogErrors);
  EXPECT_EQ(ParseLogShare("none"), kLogNone);
  EXPECT_EQ(ParseLogShare("0.01"), (LogShare{0.01f, true}));
  EXPECT_EQ(ParseLogShare("1e-6"), (LogShare{1e-6f, true}));
  EXPECT_EQ(ParseLogShare("1"), kLogAll);
  EXPECT_TRUE(ParseLogShare("0.5")->is_sampled());
  for (const LogShare& whole : {kLogAll, kLogErrors, kLogNone}) EXPECT_FALSE(whole.is_sampled());
}

TEST(LogShare, NothingElseIs) {
  for (const char* const text : {"", "0", "0.0", "-0.1", "1.01", "nan", "inf", "0.1 ", " 0.1",
                                 "10%", "ALL", "error", "true", "1e-99", "0,1", "0x1p-3"}) {
    EXPECT_EQ(ParseLogShare(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace gw
