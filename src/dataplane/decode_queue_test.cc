#include "dataplane/decode_queue.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <optional>
#include <string>
#include <vector>

#include "net/net_test_util.h"

namespace gw {
namespace {

using Outcome = CodedBody::Outcome;

std::string Coded(const std::string& text) {
  std::string coded(ZSTD_compressBound(text.size()), '\0');
  coded.resize(ZSTD_compress(coded.data(), coded.size(), text.data(), text.size(), 1));
  return coded;
}

// A text that does not shrink to nothing.
std::string Text(size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i * 2654435761u);
  text.resize(bytes);
  return text;
}

class DecodeQueueTest : public LoopTest {
 protected:
  std::unique_ptr<CodedBody> Make(std::string_view coded) {
    return std::make_unique<CodedBody>(queue_, held_, codings_, coded);
  }
  Outcome Run(CodedBody& body) {
    std::optional<Outcome> outcome;
    const Outcome first = body.Start([&](Outcome later) { outcome = later; });
    if (first != Outcome::kMore) return first;
    RunUntil([&] { return outcome.has_value(); });
    return *outcome;
  }

  DataplaneOptions options_;
  HeldBytes held_{4u << 20};
  DecodeQueue queue_{*loop_, options_};
  const std::vector<http::ContentCoding> codings_{http::ContentCoding::kZstd};
};

TEST_F(DecodeQueueTest, WhatIsDecodedIsHeldUntilItIsTaken) {
  const std::string text = Text(1 << 20);
  const std::string coded = Coded(text);
  const auto body = Make(coded);
  ASSERT_EQ(body->Start([](Outcome) {}), Outcome::kMore);
  const int64_t first = held_.held();
  EXPECT_GT(first, 0);
  RunUntil([&] { return held_.held() > first; });  // as it grows
  const auto other = Make(coded);
  ASSERT_EQ(Run(*other), Outcome::kDone);
  EXPECT_EQ(other->Take().view(), text);
  EXPECT_EQ(body->Take().view(), text);
  EXPECT_EQ(held_.held(), 0);
}

TEST_F(DecodeQueueTest, WhoWaitsForItsTurnHoldsNothing) {
  const std::string coded = Coded(Text(1 << 20));
  const auto first = Make(coded);
  const auto second = Make(coded);
  first->Start([](Outcome) {});
  const int64_t held = held_.held();
  second->Start([](Outcome) {});
  EXPECT_EQ(held_.held(), held);
}

TEST_F(DecodeQueueTest, ABodyThatGrowsBeyondWhatMayBeHeldIsGivenUp) {
  const std::string coded = Coded(Text(8 << 20));
  auto body = Make(coded);
  EXPECT_EQ(Run(*body), Outcome::kTooLarge);
  EXPECT_TRUE(body->over_budget());
  EXPECT_LE(held_.held(), 4 << 20);
  body.reset();
  EXPECT_EQ(held_.held(), 0);
}

TEST_F(DecodeQueueTest, ABodyThatIsAbandonedHoldsNothing) {
  const std::string coded = Coded(Text(1 << 20));
  auto body = Make(coded);
  ASSERT_EQ(body->Start([](Outcome) {}), Outcome::kMore);
  body.reset();
  EXPECT_EQ(held_.held(), 0);
  loop_->RunOnce(Duration(0));
}

}  // namespace
}  // namespace gw
