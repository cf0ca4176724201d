#include "pool/endpoint.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

namespace gw {
namespace {

TEST(EndpointTable, OneAddressHasOneStateWhileAnyoneHoldsIt) {
  EndpointTable table;
  const auto first = table.Get("127.0.0.11:8000");
  EXPECT_EQ(first, table.Get("127.0.0.11:8000"));
  EXPECT_NE(first, table.Get("127.0.0.12:8000"));
}

TEST(EndpointTable, SlotsAreDense) {
  EndpointTable table;
  const auto a = table.Get("127.0.0.11:8000");
  const auto b = table.Get("127.0.0.12:8000");
  EXPECT_EQ(a->slot, 0u);
  EXPECT_EQ(b->slot, 1u);
}

TEST(EndpointTable, AReleasedSlotIsReusedOnlyAfterTheCallThatFollowsItsRelease) {
  EndpointTable table;
  auto a = table.Get("127.0.0.11:8000");
  EXPECT_TRUE(table.TakeReleasedSlots().empty());
  a.reset();
  EXPECT_EQ(table.TakeReleasedSlots(), std::vector<uint32_t>{0});
  // The caller is still removing slot 0 from its tables.
  EXPECT_EQ(table.Get("127.0.0.12:8000")->slot, 1u);
  EXPECT_EQ(table.TakeReleasedSlots(), std::vector<uint32_t>{1});
  EXPECT_EQ(table.Get("127.0.0.13:8000")->slot, 0u);
}

TEST(EndpointTable, AnAddressThatComesBackGetsAnotherSlot) {
  EndpointTable table;
  table.Get("127.0.0.11:8000");
  const auto again = table.Get("127.0.0.11:8000");
  EXPECT_EQ(again->slot, 1u);
  EXPECT_EQ(table.TakeReleasedSlots(), std::vector<uint32_t>{0});
  EXPECT_TRUE(table.TakeReleasedSlots().empty());
}

TEST(EndpointTable, ThreadsGetTheSameStatesAndDistinctSlots) {
  EndpointTable table;
  std::vector<std::shared_ptr<EndpointState>> held[4];
  {
    std::vector<std::jthread> threads;
    for (auto& states : held) {
      threads.emplace_back([&table, &states] {
        for (int i = 0; i < 200; ++i) states.push_back(table.Get("10.0.0.1:" + std::to_string(i)));
      });
    }
  }
  std::set<uint32_t> slots;
  for (int i = 0; i < 200; ++i) {
    for (const auto& states : held) EXPECT_EQ(states[i], held[0][i]);
    slots.insert(held[0][i]->slot);
  }
  EXPECT_EQ(slots.size(), 200u);
}

TEST(EndpointState, LoraVersionsAreUniqueAmongStatesAndZeroMeansNone) {
  EndpointState a(0);
  EndpointState b(1);
  EXPECT_EQ(a.lora_version.load(), 0u);
  EXPECT_EQ(a.lora(), nullptr);
  const auto adapters = std::make_shared<const LoraAdapters>();
  a.set_lora(adapters);
  b.set_lora(adapters);
  const uint32_t first = a.lora_version.load();
  EXPECT_NE(first, 0u);
  EXPECT_NE(first, b.lora_version.load());
  EXPECT_EQ(a.lora(), adapters);
  a.set_lora(adapters);
  EXPECT_NE(first, a.lora_version.load());
  a.set_lora(nullptr);
  EXPECT_EQ(a.lora_version.load(), 0u);
}

TEST(EndpointState, ItsCacheInCharactersFollowsWhatPromptsHadToAToken) {
  EndpointState state(0);
  EXPECT_EQ(state.cache_chars(), 0u) << "not reported";
  state.cache_blocks = 10'000;
  EXPECT_EQ(state.cache_chars(), 0u);
  state.cache_block_tokens = 16;
  EXPECT_EQ(state.cache_chars(), 640'000u);
  state.LearnCharsPerToken(30, 10);  // one line
  EXPECT_GT(state.cache_chars(), 639'000u);
  for (int i = 0; i < 200; ++i) state.LearnCharsPerToken(3000, 1000);
  EXPECT_NEAR(static_cast<double>(state.cache_chars()), 480'000, 2000);
  for (int i = 0; i < 200; ++i) state.LearnCharsPerToken(10, 5000);  // images
  EXPECT_NEAR(static_cast<double>(state.cache_chars()), 160'000, 2000);
  for (int i = 0; i < 200; ++i) state.LearnCharsPerToken(5000 * 100, 5000);
  EXPECT_NEAR(static_cast<double>(state.cache_chars()), 16 * 160'000, 20'000);
  const uint64_t before = state.cache_chars();
  state.LearnCharsPerToken(0, 10);
  state.LearnCharsPerToken(10, 0);
  EXPECT_EQ(state.cache_chars(), before);
}

TEST(Runtime, NamesAreThoseOfTheAnnotation) {
  EXPECT_EQ(NameOf(Runtime::kVllm), "vllm");
  EXPECT_EQ(NameOf(Runtime::kSglang), "sglang");
  EXPECT_EQ(NameOf(Runtime::kTrtLlm), "trt-llm");
  EXPECT_EQ(NameOf(Runtime::kTriton), "triton");
}

}  // namespace
}  // namespace gw
