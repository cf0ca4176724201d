#include "peers/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "peers/greeting.h"
#include "peers/varint.h"

namespace gw::peers {
namespace {

GatewaySums SomeSums(Random* random) {
  return {.requests = static_cast<int32_t>(random->Below(1000)),
          .prompts = static_cast<int32_t>(random->Below(10)),
          .pending_tokens = static_cast<int64_t>(random->Below(1 << 30)),
          .decoding_tokens = static_cast<int64_t>(random->Below(1000)),
          .context_tokens = static_cast<int64_t>(random->Next() >> 16),
          .generated_tokens = 0,
          .doubted = random->Below(2) == 0};
}

std::vector<Message> AllOf(std::string_view bytes) {
  std::vector<Message> all;
  while (!bytes.empty()) {
    Message message;
    bool whole = false;
    EXPECT_TRUE(TakeMessage(&bytes, &message, &whole).ok());
    EXPECT_TRUE(whole);
    if (!whole) break;
    all.push_back(message);
  }
  return all;
}

TEST(Message, SumsAreReadAsTheyWereWritten) {
  Random random(1);
  std::vector<GatewaySums> sums;
  std::string bytes;
  {
    MessageWriter writer(&bytes);
    for (uint32_t i = 0; i < 20'000; ++i) {
      sums.push_back(SomeSums(&random));
      writer.Sums(i % 65536, sums.back());
    }
  }
  size_t read = 0;
  const std::vector<Message> messages = AllOf(bytes);
  EXPECT_GT(messages.size(), 1u) << "a long message is cut into several";
  for (const Message& message : messages) {
    EXPECT_EQ(message.kind, Kind::kSums);
    std::string_view payload = message.payload;
    while (!payload.empty()) {
      SumsEntry entry;
      ASSERT_TRUE(TakeSums(&payload, &entry).ok());
      EXPECT_EQ(entry.number, read % 65536);
      EXPECT_EQ(entry.address, "");
      EXPECT_EQ(entry.sums, sums[read]);
      ++read;
    }
  }
  EXPECT_EQ(read, sums.size());
}

TEST(Message, WholeHasAddressesAndStandsAlone) {
  std::string bytes;
  {
    MessageWriter writer(&bytes);
    writer.Whole(7, "10.0.0.1:8000", {.requests = 3});
    writer.Whole(9, "[fd00::1]:8000", {});
    writer.Sums(7, {.requests = 4, .doubted = true});
    writer.Alive();
    writer.EmptyWhole();
  }
  const std::vector<Message> messages = AllOf(bytes);
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0].kind, Kind::kWhole);
  EXPECT_EQ(messages[1].kind, Kind::kSums);
  EXPECT_EQ(messages[2].kind, Kind::kAlive);
  EXPECT_EQ(messages[3].kind, Kind::kWhole);
  EXPECT_EQ(messages[3].payload, "");
  std::string_view payload = messages[0].payload;
  SumsEntry entry;
  ASSERT_TRUE(TakeSums(&payload, &entry).ok());
  EXPECT_EQ(entry.address, "10.0.0.1:8000");
  ASSERT_TRUE(TakeSums(&payload, &entry).ok());
  EXPECT_EQ(entry.number, 9u);
  EXPECT_EQ(entry.address, "[fd00::1]:8000");
  EXPECT_TRUE(payload.empty());
}

TEST(Message, WhatIsBelowZeroForAMomentIsNothing) {
  std::string bytes;
  MessageWriter(&bytes).Sums(1, {.requests = -1, .pending_tokens = -5000});
  std::string_view payload = AllOf(bytes)[0].payload;
  SumsEntry entry;
  ASSERT_TRUE(TakeSums(&payload, &entry).ok());
  EXPECT_EQ(entry.sums, GatewaySums{});
}

TEST(Message, PrefixesAreReadAsTheyWereWritten) {
  std::vector<uint64_t> hashes(300);
  Random random(2);
  for (uint64_t& hash : hashes) hash = random.Next();
  const std::span<const uint64_t> all(hashes);
  std::string bytes;
  {
    MessageWriter writer(&bytes);
    writer.Prefix({3, 64, all.first(2), all.subspan(2)});
    writer.Prefix({4, 128, {}, all.first(1)});
    writer.Prefix({5, 64, all, {}});
  }
  std::string_view payload = AllOf(bytes)[0].payload;
  std::vector<uint64_t> words;
  PrefixNote note;
  ASSERT_TRUE(TakePrefix(&payload, &note, &words).ok());
  EXPECT_EQ(note.slot, 3u);
  EXPECT_EQ(note.block_chars, 64u);
  EXPECT_TRUE(std::ranges::equal(note.marks, all.first(2)));
  EXPECT_TRUE(std::ranges::equal(note.tail, all.subspan(2)));
  ASSERT_TRUE(TakePrefix(&payload, &note, &words).ok());
  EXPECT_EQ(note.block_chars, 128u);
  ASSERT_TRUE(TakePrefix(&payload, &note, &words).ok());
  EXPECT_TRUE(std::ranges::equal(note.marks, all));
  EXPECT_TRUE(payload.empty());
}

TEST(Message, APromptThatIsTooLongIsToldAsFarAsItFits) {
  std::vector<uint64_t> hashes(300'000, 7);
  std::string bytes;
  MessageWriter(&bytes).Prefix({3, 64, {}, hashes});
  const std::vector<Message> messages = AllOf(bytes);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_LE(messages[0].payload.size(), kPayloadMax);
  std::string_view payload = messages[0].payload;
  std::vector<uint64_t> words;
  PrefixNote note;
  ASSERT_TRUE(TakePrefix(&payload, &note, &words).ok());
  EXPECT_EQ(note.tail.size(), 100'000u);
}

TEST(Message, IsNotWholeUntilItsLastByte) {
  std::string bytes;
  MessageWriter(&bytes).Whole(7, "10.0.0.1:8000", {.requests = 3});
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    std::string_view part(bytes.data(), cut);
    Message message;
    bool whole = true;
    EXPECT_TRUE(TakeMessage(&part, &message, &whole).ok());
    EXPECT_FALSE(whole);
    EXPECT_EQ(part.size(), cut) << "nothing is taken";
  }
}

TEST(Message, WhatIsNoneIsRefused) {
  const auto refused = [](std::string bytes) {
    std::string_view left = bytes;
    Message message;
    bool whole = false;
    return std::string(TakeMessage(&left, &message, &whole).message());
  };
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n"), "malformed message: there is no kind 71");
  EXPECT_EQ(refused(std::string("\0\0\0\0\0", 5)), "malformed message: there is no kind 0");
  EXPECT_EQ(refused(std::string("\x02\x01\x00\x10\x00", 5)),
            "malformed message: 1048577 bytes, more than 1048576");
  const auto sums = [](std::string payload) {
    std::string_view left = payload;
    SumsEntry entry;
    return TakeSums(&left, &entry).ok();
  };
  EXPECT_TRUE(sums(std::string(9, '\0')));
  EXPECT_FALSE(sums(std::string(8, '\0')));
  EXPECT_FALSE(sums("\xff\xff\x7f" + std::string(9, '\0'))) << "a number that no slot has";
  EXPECT_FALSE(
      sums(std::string("\0\x05"
                       "abc",
                       5)))
      << "an address that is longer than the message";
  std::string huge(2, '\0');
  PutVarint(uint64_t{1} << 24, &huge);
  EXPECT_TRUE(sums(huge + std::string(6, '\0')));
  huge.resize(2);
  PutVarint((uint64_t{1} << 24) + 1, &huge);
  EXPECT_FALSE(sums(huge + std::string(6, '\0'))) << "more requests than anybody has";
}

TEST(Greeting, SaysWhoItIsAndWhatItSpeaks) {
  std::string bytes;
  WriteGreeting({.id = 0xDEADBEEF12345678, .name = "gateway-0"}, &bytes);
  const std::vector<Message> messages = AllOf(bytes);
  ASSERT_EQ(messages.size(), 1u);
  ASSERT_EQ(messages[0].kind, Kind::kHello);
  Greeting greeting;
  ASSERT_TRUE(ReadGreeting(messages[0].payload, &greeting).ok());
  EXPECT_EQ(greeting.id, 0xDEADBEEF12345678);
  EXPECT_EQ(greeting.name, "gateway-0");

  bytes.clear();
  WriteGreeting({.version = 2}, &bytes);
  EXPECT_EQ(ReadGreeting(AllOf(bytes)[0].payload, &greeting).message(),
            "it speaks version 2 and not 1");
  EXPECT_EQ(ReadGreeting("hello", &greeting).message(), "it is not a gateway of this kind");
}

}  // namespace
}  // namespace gw::peers
