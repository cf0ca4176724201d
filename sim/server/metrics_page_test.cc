// The metrics pages against a recorded one of vLLM and SGLang's published names.

#include "sim/server/metrics_page.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace gw::sim {
namespace {

// Of each metric name on a page, the names of its labels: "engine,le,model_name".
std::map<std::string, std::string> LabelNames(std::istream& page) {
  std::map<std::string, std::string> result;
  for (std::string line; std::getline(page, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t end = line.find_first_of("{ ");
    std::string labels;
    bool quoted = false;
    std::string label;
    for (size_t i = end; i < line.size() && line[end] == '{'; ++i) {
      const char c = line[i];
      if (c == '"' && line[i - 1] != '\\') quoted = !quoted;
      if (quoted) continue;
      if (c == '}') break;
      if (c == '=') {
        labels += (labels.empty() ? "" : ",") + label;
      } else if (c == '{' || c == ',') {
        label.clear();
      } else if (c != '"') {
        label += c;
      }
    }
    result[line.substr(0, end)] = labels;
  }
  return result;
}

class MetricsPageTest : public testing::Test {
 protected:
  std::string Page(Runtime runtime) {
    std::string page;
    AppendMetricsPage(runtime,
                      {.engine = engine_,
                       .stats = stats_,
                       .model = "/models/\"Qwen\"",
                       .started_unix_s = 1795383670.5,
                       .loras_max = 2,
                       .lora_states = loras_},
                      &page);
    return page;
  }
  bool Has(const std::string& page, const std::string& line) {
    return page.find("\n" + line + "\n") != std::string::npos;
  }

  ServerSpec spec_ = *FindServerSpec("q32h100");
  Engine engine_{spec_};
  ReplicaStats stats_;
  std::vector<MetricsInput::LoraState> loras_ = {{"a", "", 1795384282.5}, {"a,b", "c", 1795384283}};
};

TEST_F(MetricsPageTest, VllmHasTheRecordedNamesAndLabels) {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR) +
                     "/test/data/metrics/vllm-0.32.0_under_load.prom");
  ASSERT_TRUE(file.good());
  const std::map<std::string, std::string> recorded = LabelNames(file);
  std::istringstream page(Page(Runtime::kVllm));
  const std::map<std::string, std::string> ours = LabelNames(page);
  // Families that say nothing about load, and what only some versions have.
  const auto left_out = [](const std::string& name) {
    for (const char* prefix :
         {"vllm:estimated_", "vllm:admission_rejections", "vllm:prompt_tokens_cached_by_source",
          "vllm:prompt_tokens_by_source_created", "vllm:request_success_created"}) {
      if (name.starts_with(prefix)) return true;
    }
    return !name.starts_with("vllm:");
  };
  size_t compared = 0;
  for (const auto& [name, labels] : recorded) {
    if (left_out(name)) continue;
    ASSERT_TRUE(ours.contains(name)) << name;
    // Of the many members of the configuration, those that are needed.
    if (name != "vllm:cache_config_info") {
      EXPECT_EQ(ours.at(name), labels) << name;
    }
    ++compared;
  }
  EXPECT_GT(compared, 80u);
}

TEST_F(MetricsPageTest, VllmSaysWhatTheEngineIsDoing) {
  for (uint64_t id = 0; id < 300; ++id) {
    engine_.Submit({.id = id, .prompt_tokens = 16, .output_tokens = 9, .block_names = {}});
  }
  engine_.BeginStep();
  const std::string page = Page(Runtime::kVllm);
  const std::string labels = R"({engine="0",model_name="/models/\"Qwen\""})";
  EXPECT_TRUE(Has(page, "vllm:num_requests_running" + labels + " 256.0"));
  EXPECT_TRUE(Has(page, "vllm:num_requests_waiting" + labels + " 44.0"));
  EXPECT_TRUE(Has(page, "vllm:prefix_cache_queries_total" + labels + " 4096.0"));
  EXPECT_NE(page.find("vllm:kv_cache_usage_perc" + labels + " 0.0133"), std::string::npos);
  EXPECT_NE(page.find(R"(block_size="16")"), std::string::npos);
  EXPECT_NE(page.find(R"(num_gpu_blocks="19208")"), std::string::npos);
  EXPECT_TRUE(Has(page, R"(vllm:lora_requests_info{max_lora="2",running_lora_adapters="a,b",)"
                        R"(waiting_lora_adapters="c"} 1.795384283e+09)"));
}

TEST_F(MetricsPageTest, VllmIsAsLongAsRealPages) {
  // 34 kB to 70 kB were seen.
  EXPECT_GT(Page(Runtime::kVllm).size(), 34'000u);
}

TEST_F(MetricsPageTest, HistogramsAreCumulative) {
  stats_.Observe(Measure::kTtft, 0.004);
  stats_.Observe(Measure::kTtft, 0.005);
  stats_.Observe(Measure::kTtft, 5000);
  const std::string page = Page(Runtime::kVllm);
  const std::string name = "vllm:time_to_first_token_seconds";
  const std::string model = R"(model_name="/models/\"Qwen\""})";
  EXPECT_TRUE(Has(page, name + R"(_bucket{engine="0",le="0.001",)" + model + " 0.0"));
  EXPECT_TRUE(Has(page, name + R"(_bucket{engine="0",le="0.005",)" + model + " 2.0"));
  EXPECT_TRUE(Has(page, name + R"(_bucket{engine="0",le="2560.0",)" + model + " 2.0"));
  EXPECT_TRUE(Has(page, name + R"(_bucket{engine="0",le="+Inf",)" + model + " 3.0"));
  EXPECT_TRUE(Has(page, name + R"(_count{engine="0",)" + model + " 3.0"));
  EXPECT_TRUE(Has(page, name + R"(_sum{engine="0",)" + model + " 5000.009"));
}

TEST_F(MetricsPageTest, SglangHasItsPublishedNames) {
  engine_.Submit({.id = 1, .prompt_tokens = 16, .output_tokens = 9, .block_names = {}});
  const std::string page = Page(Runtime::kSglang);
  const std::string labels =
      R"({engine_type="unified",model_name="/models/\"Qwen\"",moe_ep_rank="0",)"
      R"(pp_rank="0",tp_rank="0"})";
  EXPECT_TRUE(Has(page, "sglang:num_running_reqs" + labels + " 0.0") ||
              page.starts_with("sglang:num_running_reqs" + labels + " 0.0\n"));
  EXPECT_TRUE(Has(page, "sglang:num_queue_reqs" + labels + " 1.0"));
  EXPECT_TRUE(Has(page, "sglang:token_usage" + labels + " 0.0"));
  EXPECT_TRUE(Has(page, "sglang:page_size" + labels + " 16.0"));
  EXPECT_TRUE(Has(page, "sglang:num_pages" + labels + " 19208.0"));
  EXPECT_NE(page.find(R"(page_size="16",num_pages="19208"} 1.0)"), std::string::npos);
  EXPECT_EQ(page.find("vllm:"), std::string::npos);
}

TEST(PythonNumber, IsWrittenAsPythonsClientDoes) {
  const struct {
    double value;
    const char* text;
  } cases[] = {{0, "0.0"},
               {31, "31.0"},
               {0.28, "0.28"},
               {999999, "999999.0"},
               {1000000, "1e+06"},
               {8128902, "8.128902e+06"},
               {1795383670.561079, "1.795383670561079e+09"},
               {12345678901.5, "1.23456789015e+10"},
               {0.001, "0.001"}};
  for (const auto& c : cases) {
    std::string text;
    AppendPythonNumber(&text, c.value);
    EXPECT_EQ(text, c.text);
  }
}

}  // namespace
}  // namespace gw::sim
