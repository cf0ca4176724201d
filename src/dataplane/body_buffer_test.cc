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

TEST(BodyBuffer, WhatWasReadIntoItsRoomIsNotMoved) {
  BodyBuffer buffer;
  buffer.Append("head");
  std::string body(3 << 20, 'x');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  size_t done = 0;
  while (done < body.size()) {
    const std::span<char> room = buffer.Room(body.size() - done, 100'000);
    ASSERT_GT(room.size(), 0u);
    const size_t bytes = std::min(room.size(), body.size() - done);
    EXPECT_LE(room.size(), 100'001u);
    std::copy_n(body.data() + done, bytes, room.data());
    const size_t before = buffer.size();
    buffer.Append({room.data(), bytes});
    EXPECT_EQ(buffer.size(), before + bytes);
    EXPECT_EQ(buffer.view().data() + before, room.data());
    done += bytes;
  }
  EXPECT_EQ(buffer.view(), "head" + body);
}

TEST(BodyBuffer, TheLastRoomHasOneByteMore) {
  BodyBuffer buffer;
  EXPECT_EQ(buffer.Room(10, 100).size(), 11u);
  EXPECT_EQ(buffer.Room(10, 5).size(), 5u);
  EXPECT_EQ(buffer.Room(5, 5).size(), 6u);
  buffer.Append({buffer.Room(10, 10).data(), 10});
  EXPECT_EQ(buffer.size(), 10u);
}

TEST(BodyBuffer, MemoryOfEndedBodiesIsUsedAgain) {
  size_t full = 0;
  SpareBodies spare(1 << 20, [&full] { ++full; });
  const char* first;
  {
    BodyBuffer buffer(&spare);
    buffer.Append(std::string(100'000, 'x'));
    first = buffer.view().data();
  }
  EXPECT_GE(spare.kept(), 100'000u);
  BodyBuffer next(&spare);
  next.Append(std::string(50'000, 'y'));
  EXPECT_EQ(next.view().data(), first);
  EXPECT_EQ(next.view(), std::string(50'000, 'y'));
  EXPECT_EQ(spare.kept(), 0u);
  BodyBuffer moved = std::move(next);
  moved.Clear();
  EXPECT_GE(spare.kept(), 100'000u);
  {
    BodyBuffer small(&spare);
    small.Append(std::string(5'000, 's'));
    BodyBuffer large(&spare);
    large.Append(std::string(2 << 20, 'l'));
    EXPECT_EQ(full, 0u);
  }
  EXPECT_EQ(full, 1u) << "only the large one is too much";
  EXPECT_LE(spare.kept(), 1u << 20);
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
