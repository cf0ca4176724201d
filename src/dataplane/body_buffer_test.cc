#include "dataplane/body_buffer.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(BodyBuffer, KeepsLittleBetweenRequests) {
  BodyBuffer buffer;
  for (const size_t bytes : {100u, 4096u, 5000u, 60000u, 3u << 20}) {
    buffer.Append(std::string(bytes, 'x'));
    EXPECT_EQ(buffer.view(), std::string(bytes, 'x'));
    buffer.Clear();
    EXPECT_EQ(buffer.size(), 0u);
    EXPECT_LE(buffer.capacity(), kIdleBytesMax) << bytes;
  }
  buffer.Reserve(60000);
  EXPECT_EQ(buffer.capacity(), 60000u);
  buffer.Clear();
  EXPECT_LE(buffer.capacity(), kIdleBytesMax);
}

TEST(BodyBuffer, StringsOfIdleConnectionsKeepLittle) {
  for (const size_t bytes : {10u, 4000u, 60000u}) {
    std::string text(bytes, 'x');
    ClearForIdle(&text);
    EXPECT_TRUE(text.empty());
    EXPECT_LE(text.capacity(), kIdleBytesMax) << bytes;
  }
}

}  // namespace
}  // namespace gw
