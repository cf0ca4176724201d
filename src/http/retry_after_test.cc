#include "http/retry_after.h"

#include <gtest/gtest.h>

namespace gw::http {
namespace {

using std::chrono::seconds;

TEST(RetryAfter, SecondsAreANumber) {
  EXPECT_EQ(ParseRetryAfter("0", 7), seconds(0));
  EXPECT_EQ(ParseRetryAfter("120", 7), seconds(120));
  EXPECT_EQ(ParseRetryAfter("99999999999999999999", 7), seconds(1'000'000'000));
}

TEST(RetryAfter, ADateOfAnyFormIsTheTimeUntilThen) {
  constexpr int64_t kThen = 784111777;  // RFC 9110's own example
  for (const char* date : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseRetryAfter(date, kThen - 5), seconds(5)) << date;
    EXPECT_EQ(ParseRetryAfter(date, kThen + 5), seconds(0)) << date;
  }
}

TEST(RetryAfter, AllElseIsNone) {
  for (const char* value :
       {"", "-1", "+1", "1.5", "1s", "soon", "0x10", "1, 2", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT, 5"}) {
    EXPECT_EQ(ParseRetryAfter(value, 7), std::nullopt) << value;
  }
}

}  // namespace
}  // namespace gw::http
