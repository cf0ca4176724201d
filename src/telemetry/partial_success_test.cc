#include "telemetry/partial_success.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(PartialSuccess, IsTextOrNumber) {
  for (const char* const body :
       {R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}})",
        R"({"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old","more":1}})"}) {
    const PartialSuccess read = ReadPartialSuccess(body);
    EXPECT_EQ(read.rejected_spans, 3) << body;
    EXPECT_EQ(read.message, "too old") << body;
  }
}

TEST(PartialSuccess, MayBeAWarningAlone) {
  const PartialSuccess read = ReadPartialSuccess(R"({"partialSuccess":{"errorMessage":"slow"}})");
  EXPECT_EQ(read.rejected_spans, 0);
  EXPECT_EQ(read.message, "slow");
}

TEST(PartialSuccess, IsMostlyNotThere) {
  for (const char* const body :
       {"", "{}", "[]", "no JSON", R"({"partialSuccess":{}})", R"({"partialSuccess":null})",
        R"({"partialSuccess":{"rejectedSpans":-1}})",
        R"({"partialSuccess":{"rejectedSpans":"x"}})"}) {
    EXPECT_TRUE(ReadPartialSuccess(body).empty()) << body;
  }
}

}  // namespace
}  // namespace gw
