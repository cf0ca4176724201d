#include "bench/replay/engine_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw::bench {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view json) {
  const auto engine = ReadEngine(json);
  return engine.ok() ? "none" : std::string(engine.status().message());
}

TEST(EngineFile, WhatIsLeftOutIsAsInThePreset) {
  const auto engine =
      ReadEngine(R"({"name":"mine","preset":"q32h100","c_us":60,"kv_tokens":160000})");
  ASSERT_TRUE(engine.ok()) << engine.status();
  const sim::ServerSpec preset = *sim::FindServerSpec("q32h100");
  EXPECT_EQ(engine->name, "mine");
  EXPECT_EQ(engine->timer.c_us, 60);
  EXPECT_EQ(engine->timer.w0_us, preset.timer.w0_us);
  EXPECT_EQ(engine->kv_blocks, 10'000u);
  EXPECT_EQ(engine->batch_tokens_max, preset.batch_tokens_max);
}

TEST(EngineFile, TheOrderOfItsFieldsSaysNothing) {
  const auto engine = ReadEngine(R"({"kv_tokens":3200,"block_tokens":32,"c_us":1,"name":"n"})");
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(engine->kv_blocks, 100u);
}

TEST(EngineFile, AnErrorNamesTheField) {
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(ErrorOf(R"({"preset":"gpu"})"), HasSubstr("preset: wanted one of llama"));
  EXPECT_THAT(ErrorOf(R"({"preset":"q32h100","c":1})"), HasSubstr("c: no field of an engine"));
  EXPECT_THAT(ErrorOf(R"({"preset":"q32h100","c_us":"a"})"), HasSubstr("c_us: wanted a number"));
  EXPECT_THAT(ErrorOf(R"({"c_us":1})"), HasSubstr("kv_tokens: wanted"));
  EXPECT_THAT(ErrorOf(R"({"kv_blocks":1000000000})"), HasSubstr("at most 1e+07 KV blocks"));
}

std::string EnginesError(std::string_view text, size_t engines) {
  const auto all = EnginesOf(text, engines, {}, 1);
  return all.ok() ? "none" : std::string(all.status().message());
}

TEST(EngineFile, AFleetMayBeMixed) {
  const auto all = EnginesOf("q30h200:2,q32h100:1", 3, {}, 0.5);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(DescribeEngines(*all), "2 x q30h200, 1 x q32h100");
  EXPECT_EQ((*all)[0].kv_blocks, sim::FindServerSpec("q30h200")->kv_blocks / 2);
  EXPECT_EQ(DescribeEngines(*EnginesOf("q30h200", 4, {}, 1)), "4 x q30h200");
  sim::ServerSpec own = *sim::FindServerSpec("q30h200");
  own.name = "own";
  EXPECT_EQ(DescribeEngines(*EnginesOf("own", 2, {own}, 1)), "2 x own");
  EXPECT_THAT(EnginesError("q30h200:2", 3), HasSubstr("not as many"));
  EXPECT_THAT(EnginesError("q30h200:4", 3), HasSubstr("more in all"));
  EXPECT_THAT(std::string(EnginesOf("q30h200", 1, {}, 1000).status().message()),
              HasSubstr("--cache-scale: wanted at most"));
  EXPECT_THAT(EnginesError("gpu", 3), HasSubstr("wanted one of"));
  EXPECT_THAT(EnginesError("q30h200:2,q32h100", 3), HasSubstr("PRESET:NUMBER"));
}

}  // namespace
}  // namespace gw::bench
