#include "collect/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "base/random.h"

namespace gw {
namespace {

std::string ReadFixture(const std::string& name) {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR "/test/data/metrics/") + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

MetricsSample ParseLoadOnly(Runtime runtime, std::string_view page) {
  MetricsScanner scanner(runtime);
  scanner.Begin(MetricsScanner::Details::kSkip);
  scanner.Feed(page);
  return scanner.Finish();
}

struct PageCase {
  const char* file;
  float waiting;
  float running;
  float kv;
  bool lora;
  const char* running_adapters;
};

TEST(MetricsText, RealPages) {
  const PageCase cases[] = {
      {"vllm-0.32.0_idle.prom", 0, 0, 0, false, ""},
      {"vllm-0.32.0_under_load.prom", 4, 4, 0.14117647f, true, ""},
      {"vllm-0.32.0_after_lora.prom", 0, 0, 0, true, ""},
      {"vllm-0.32.0_queue_full.prom", 0, 2, 0.1254902f, true, ""},
      {"vllm-0.14.1_under_load.prom", 4, 4, 0.22352941f, true, ""},
      {"vllm-0.14.1_after_lora.prom", 0, 0, 0, true, ""},
  };
  for (const PageCase& c : cases) {
    SCOPED_TRACE(c.file);
    const std::string page = ReadFixture(c.file);
    ASSERT_GT(page.size(), 50'000u);
    const MetricsSample sample = ParseMetrics(Runtime::kVllm, page);
    EXPECT_TRUE(sample.waiting_found && sample.running_found && sample.kv_cache_found);
    EXPECT_EQ(sample.waiting_requests, c.waiting);
    EXPECT_EQ(sample.running_requests, c.running);
    EXPECT_FLOAT_EQ(sample.kv_cache_utilization_ratio, c.kv);
    EXPECT_EQ(sample.cache_block_tokens, 32u);
    EXPECT_EQ(sample.cache_blocks, 256u);
    EXPECT_EQ(sample.lora_found, c.lora);
    EXPECT_EQ(sample.lora.max_active, c.lora ? 2u : 0u);
    EXPECT_EQ(sample.lora.running, c.running_adapters);
    EXPECT_EQ(sample.lora.base_model, "/models/Qwen3-32B");

    const MetricsSample load = ParseLoadOnly(Runtime::kVllm, page);
    EXPECT_EQ(load.waiting_requests, c.waiting);
    EXPECT_EQ(load.running_requests, c.running);
    EXPECT_FLOAT_EQ(load.kv_cache_utilization_ratio, c.kv);
  }
}

TEST(MetricsText, TheLoadOfARealPageIsKnownAfterItsFirstTenth) {
  const std::string page = ReadFixture("vllm-0.32.0_under_load.prom");
  MetricsScanner scanner(Runtime::kVllm);
  scanner.Begin(MetricsScanner::Details::kSkip);
  EXPECT_FALSE(scanner.Feed(std::string_view(page).substr(0, 2000)));
  EXPECT_TRUE(scanner.Feed(std::string_view(page).substr(2000, page.size() / 5 - 2000)));
}

TEST(MetricsText, TheNewestAdapterLineCounts) {
  const MetricsSample sample = ParseMetrics(Runtime::kVllm,
                                            R"(vllm:num_requests_waiting{model_name="base"} 1
vllm:lora_requests_info{max_lora="4",running_lora_adapters="a",waiting_lora_adapters=""} 1.5e+09
vllm:lora_requests_info{max_lora="4",running_lora_adapters="a,b",waiting_lora_adapters="c"} 1.7e+09
vllm:lora_requests_info{max_lora="4",running_lora_adapters="",waiting_lora_adapters="d"} 1.6e+09
)");
  EXPECT_TRUE(sample.lora_found);
  EXPECT_EQ(sample.lora.max_active, 4u);
  EXPECT_EQ(sample.lora.running, "a,b");
  EXPECT_EQ(sample.lora.waiting, "c");
  EXPECT_EQ(sample.lora.base_model, "base");
}

TEST(MetricsText, TheNewNameOfTheCacheMetricWinsWhicheverComesFirst) {
  const char* const kNew = "vllm:kv_cache_usage_perc{engine=\"0\"} 0.5\n";
  const char* const kOld = "vllm:gpu_cache_usage_perc{engine=\"0\"} 0.25\n";
  const auto kv_of = [](std::string page) {
    return ParseMetrics(Runtime::kVllm, page).kv_cache_utilization_ratio;
  };
  EXPECT_EQ(kv_of(kOld), 0.25f);
  EXPECT_EQ(kv_of(kNew), 0.5f);
  EXPECT_EQ(kv_of(std::string(kOld) + kNew), 0.5f);
  EXPECT_EQ(kv_of(std::string(kNew) + kOld), 0.5f);
}

TEST(MetricsText, SeveralEnginesOnOnePageAddUpAndShareTheirCaches) {
  const MetricsSample sample = ParseMetrics(Runtime::kVllm,
                                            R"(vllm:num_requests_running{engine="0"} 3
vllm:num_requests_running{engine="1"} 5
vllm:num_requests_waiting{engine="0"} 0
vllm:num_requests_waiting{engine="1"} 2
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="100"} 1.0
vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="100"} 1.0
)");
  EXPECT_EQ(sample.running_requests, 8);
  EXPECT_EQ(sample.waiting_requests, 2);
  EXPECT_EQ(sample.kv_cache_utilization_ratio, 0.5f);
  EXPECT_EQ(sample.cache_block_tokens, 16u);
  EXPECT_EQ(sample.cache_blocks, 200u);
}

TEST(MetricsText, Sglang) {
  const MetricsSample sample =
      ParseMetrics(Runtime::kSglang,
                   R"(# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 7.0
sglang:num_queue_reqs{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 3.0
sglang:num_grammar_queue_reqs{model_name="m",pp_rank="0",tp_rank="0"} 9.0
sglang:token_usage{engine_type="unified",model_name="m",pp_rank="0",tp_rank="0"} 0.28
sglang:swa_token_usage{model_name="m"} 0.9
sglang:cache_config_info{num_pages="2048",page_size="64"} 1.0
)");
  EXPECT_EQ(sample.running_requests, 7);
  EXPECT_EQ(sample.waiting_requests, 3);
  EXPECT_FLOAT_EQ(sample.kv_cache_utilization_ratio, 0.28f);
  EXPECT_EQ(sample.cache_block_tokens, 64u);
  EXPECT_EQ(sample.cache_blocks, 2048u);
  EXPECT_EQ(sample.lora.base_model, "m");
}

TEST(MetricsText, ASglangCacheInTokensIsOneOfBlocksOfOneToken) {
  const auto size_of = [](const std::string& page) {
    const MetricsSample sample = ParseMetrics(Runtime::kSglang, page);
    return std::pair(sample.cache_block_tokens, sample.cache_blocks);
  };
  const std::string tokens = "sglang:max_total_num_tokens{tp_rank=\"0\"} 162304.0\n";
  EXPECT_EQ(size_of(tokens), std::pair(1u, 162304u));
  EXPECT_EQ(size_of(tokens + "sglang:page_size 64\n"), std::pair(1u, 162304u));
  EXPECT_EQ(size_of(tokens + "sglang:page_size 64\nsglang:num_pages 2536\n"),
            std::pair(64u, 2536u));
}

TEST(MetricsText, SglangRanksOfOneEngineRepeatItAndDataParallelRanksAddUp) {
  EXPECT_EQ(ParseMetrics(Runtime::kSglang,
                         "sglang:num_queue_reqs{pp_rank=\"0\",tp_rank=\"0\"} 3\n"
                         "sglang:num_queue_reqs{pp_rank=\"0\",tp_rank=\"1\"} 3\n"
                         "sglang:num_queue_reqs{pp_rank=\"1\",tp_rank=\"0\"} 3\n")
                .waiting_requests,
            3);
  EXPECT_EQ(ParseMetrics(Runtime::kSglang,
                         "sglang:num_queue_reqs{dp_rank=\"0\",tp_rank=\"0\"} 3\n"
                         "sglang:num_queue_reqs{dp_rank=\"1\",tp_rank=\"4\"} 2\n")
                .waiting_requests,
            5);
}

// Data-parallel attention: 2 engines of 2 tensor ranks each, and every rank reports.
TEST(MetricsText, OfEachSglangDataParallelRankOneTensorRankCounts) {
  std::string page;
  for (int tensor = 0; tensor < 4; ++tensor) {
    const std::string labels = "{dp_rank=\"" + std::to_string(tensor / 2) + "\",tp_rank=\"" +
                               std::to_string(tensor) + "\"} ";
    page += "sglang:num_running_reqs" + labels + std::to_string(3 + tensor / 2) + "\n";
    page += "sglang:num_queue_reqs" + labels + "1\n";
    page += "sglang:token_usage" + labels + (tensor < 2 ? "0.5" : "0.25") + "\n";
  }
  const MetricsSample sample = ParseMetrics(Runtime::kSglang, page);
  EXPECT_EQ(sample.running_requests, 3 + 4);
  EXPECT_EQ(sample.waiting_requests, 2);
  EXPECT_FLOAT_EQ(sample.kv_cache_utilization_ratio, 0.375f);
}

TEST(MetricsText, TrtllmServe) {
  const MetricsSample sample = ParseMetrics(Runtime::kTrtLlm,
                                            R"(trtllm_num_requests_waiting{model_name="m"} 2
trtllm_num_requests_running{model_name="m"} 6
trtllm_kv_cache_utilization{model_name="m"} 0.4
trtllm_kv_cache_tokens_per_block{model_name="m"} 32
trtllm_kv_cache_max_blocks{model_name="m"} 5000
)");
  EXPECT_EQ(sample.waiting_requests, 2);
  EXPECT_EQ(sample.running_requests, 6);
  EXPECT_FLOAT_EQ(sample.kv_cache_utilization_ratio, 0.4f);
  EXPECT_EQ(sample.cache_block_tokens, 32u);
  EXPECT_EQ(sample.cache_blocks, 5000u);
}

TEST(MetricsText, TritonTellsItsValuesApartByLabel) {
  const std::string_view page =
      R"(nv_inference_pending_request_count{model="ensemble",version="1"} 99
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 4
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="context",version="1"} 50
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 9
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm"} 0.125
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="tokens_per",model="tensorrt_llm"} 64
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="tensorrt_llm"} 77
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="tensorrt_llm"} 6239
)";
  for (const Runtime runtime : {Runtime::kTriton, Runtime::kTrtLlm}) {
    const MetricsSample sample = ParseMetrics(runtime, page);
    EXPECT_EQ(sample.waiting_requests, 4);
    EXPECT_EQ(sample.running_requests, 9);
    EXPECT_EQ(sample.kv_cache_utilization_ratio, 0.125f);
    EXPECT_EQ(sample.cache_block_tokens, 64u);
    EXPECT_EQ(sample.cache_blocks, 6239u);
  }
}

TEST(MetricsText, TritonWithoutTensorRtReportsItsQueueAlone) {
  const MetricsSample sample =
      ParseMetrics(Runtime::kTriton, "nv_inference_pending_request_count{model=\"m\"} 3\n");
  EXPECT_EQ(sample.waiting_requests, 3);
  EXPECT_FALSE(sample.running_found);
  EXPECT_FALSE(sample.kv_cache_found);
  EXPECT_TRUE(sample.any_load_found());
}

TEST(MetricsText, LinesThatAreNotUnderstoodAreAsGoodAsAbsent) {
  const char* const kLines[] = {
      "vllm:num_requests_waiting",
      "vllm:num_requests_waiting ",
      "vllm:num_requests_waiting x",
      "vllm:num_requests_waiting NaN",
      "vllm:num_requests_waiting +Inf",
      "vllm:num_requests_waiting -1",
      "vllm:num_requests_waiting 3x",
      "vllm:num_requests_waiting{ 3",
      "vllm:num_requests_waiting{a=\"} 3",
      "vllm:num_requests_waiting{a=\"\\\"} 3",
      "vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 3",
      "vllm:num_requests_waitin 3",
      " vllm:num_requests_waiting 3",
      "#vllm:num_requests_waiting 3",
      "sglang:num_queue_reqs 3",
  };
  for (const char* line : kLines) {
    EXPECT_FALSE(ParseMetrics(Runtime::kVllm, line).waiting_found) << line;
    EXPECT_FALSE(ParseMetrics(Runtime::kVllm, std::string(line) + "\n").waiting_found) << line;
    // What follows is read as ever.
    EXPECT_EQ(ParseMetrics(Runtime::kVllm, std::string(line) + "\nvllm:num_requests_waiting 5\n")
                  .waiting_requests,
              5)
        << line;
  }
}

TEST(MetricsText, ValuesThatCannotBeAreRefusedAndTold) {
  constexpr unsigned kWaiting = 1u << MetricsScanner::kWaiting;
  const auto page = [](std::string waiting) {
    return ParseMetrics(Runtime::kVllm,
                        "vllm:num_requests_waiting " + waiting + "\nvllm:num_requests_running 3\n");
  };
  for (const char* value : {"1e39", "1e300", "1e999", "-1e999", "-1", "-0.5", "NaN", "nan", "+Inf",
                            "-inf", "1000001"}) {
    const MetricsSample sample = page(value);
    EXPECT_EQ(sample.refused, kWaiting) << value;
    EXPECT_FALSE(sample.waiting_found) << value;
    EXPECT_EQ(sample.running_requests, 3) << value;
  }
  for (const char* value : {"0", "-0", "1e-300", "1000000", "x", ""}) {
    EXPECT_EQ(page(value).refused, 0u) << value;
  }
}

TEST(MetricsText, ASumThatCannotBeIsRefused) {
  std::string page;
  for (int engine = 0; engine < 3; ++engine) {
    page += "vllm:num_requests_running{engine=\"" + std::to_string(engine) + "\"} 400000\n";
  }
  EXPECT_EQ(ParseMetrics(Runtime::kVllm, page).refused, 1u << MetricsScanner::kRunning);
  const MetricsSample part =
      ParseMetrics(Runtime::kVllm, "vllm:kv_cache_usage_perc 0.5\nvllm:kv_cache_usage_perc 1e38\n");
  EXPECT_EQ(part.refused, 1u << MetricsScanner::kKvCache) << "half of the engines is not the mean";
}

TEST(MetricsText, OfARenamedMetricTheOldNamesValueDoesNotMatter) {
  const MetricsSample sample =
      ParseMetrics(Runtime::kVllm, "vllm:gpu_cache_usage_perc -1\nvllm:kv_cache_usage_perc 0.5\n");
  EXPECT_EQ(sample.refused, 0u);
  EXPECT_EQ(sample.kv_cache_utilization_ratio, 0.5f);
}

TEST(MetricsText, FormsOfAValue) {
  const auto waiting = [](std::string rest) {
    return ParseMetrics(Runtime::kVllm, "vllm:num_requests_waiting" + rest).waiting_requests;
  };
  EXPECT_EQ(waiting(" 5"), 5);
  EXPECT_EQ(waiting(" 5\r\n"), 5);
  EXPECT_EQ(waiting("\t+5.0e0\n"), 5);
  EXPECT_EQ(waiting(" 5 1700000000000\n"), 5) << "a time stamp";
  EXPECT_EQ(waiting("{} 5\n"), 5);
  EXPECT_EQ(waiting("{a=\"}\\\" 9\",b=\"{\"}5\n"), 5);
}

TEST(MetricsText, LabelValuesAreFoundByTheirWholeName) {
  EXPECT_EQ(LabelValue("a=\"1\",bb=\"2\",b=\"3\"", "b"), "3");
  EXPECT_EQ(LabelValue("a=\"b=\\\"9\\\"\",b=\"3\"", "b"), "3");
  EXPECT_EQ(LabelValue(" a = \"1\" , b = \"3\" ,", "b"), "3");
  EXPECT_EQ(LabelValue("a=\"1\"", "b"), "");
  EXPECT_EQ(LabelValue("b=\"1", "b"), "");
  EXPECT_EQ(LabelValue("b=1", "b"), "");
  EXPECT_EQ(LabelValue("", "b"), "");
}

TEST(MetricsText, ALineBeyondTheLimitIsSkippedAndCounted) {
  MetricsScanner scanner(Runtime::kVllm);
  scanner.Begin(MetricsScanner::Details::kRead);
  const std::string piece(40'000, 'x');
  scanner.Feed("vllm:num_requests_waiting{a=\"");
  scanner.Feed(piece);
  scanner.Feed(piece);
  scanner.Feed("\"} 7\nvllm:num_requests_running 2\n");
  const MetricsSample& sample = scanner.Finish();
  EXPECT_FALSE(sample.waiting_found);
  EXPECT_EQ(sample.running_requests, 2);
  EXPECT_EQ(scanner.skipped_lines(), 1u);
}

TEST(MetricsText, APageIsTheSameHoweverItIsCut) {
  const std::string page = ReadFixture("vllm-0.32.0_after_lora.prom");
  const MetricsSample whole = ParseMetrics(Runtime::kVllm, page);
  Random random(3);
  MetricsScanner scanner(Runtime::kVllm);
  for (int round = 0; round < 30; ++round) {
    scanner.Begin(MetricsScanner::Details::kRead);
    std::string_view rest = page;
    while (!rest.empty()) {
      const size_t take = std::min<size_t>(rest.size(), 1 + random.Below(round < 5 ? 7 : 9000));
      // A copy of its own, so that a read past the end is seen by the address sanitizer.
      const std::vector<char> piece(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(take));
      scanner.Feed({piece.data(), piece.size()});
      rest.remove_prefix(take);
    }
    const MetricsSample& cut = scanner.Finish();
    EXPECT_EQ(cut.lora, whole.lora);
    EXPECT_EQ(cut.kv_cache_utilization_ratio, whole.kv_cache_utilization_ratio);
    EXPECT_EQ(cut.cache_blocks, whole.cache_blocks);
    EXPECT_TRUE(cut.waiting_found && cut.running_found);
  }
}

// The oracle: every line split into name, labels and value with no regard for time.
struct SlowLine {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

// The labels up to the first that is damaged.
void SlowParseLabels(const std::string& text, std::map<std::string, std::string>* labels) {
  size_t i = 0;
  while (i < text.size()) {
    std::string name;
    while (i < text.size() && text[i] != '=') name += text[i++];
    while (!name.empty() && (name[0] == ' ' || name[0] == ',')) name.erase(0, 1);
    while (!name.empty() && name.back() == ' ') name.pop_back();
    ++i;
    while (i < text.size() && text[i] == ' ') ++i;
    if (i >= text.size() || text[i++] != '"') return;
    std::string value;
    while (i < text.size() && text[i] != '"') {
      if (text[i] == '\\') value += text[i++];
      if (i < text.size()) value += text[i++];
    }
    if (i++ >= text.size()) return;
    labels->emplace(name, value);
  }
}

bool SlowParseLine(const std::string& line, SlowLine* out) {
  size_t i = 0;
  while (i < line.size() && line[i] != '{' && line[i] != ' ') out->name += line[i++];
  if (i < line.size() && line[i] == '{') {
    std::string labels;
    bool quoted = false;
    for (++i; i < line.size() && (quoted || line[i] != '}'); ++i) {
      labels += line[i];
      if (line[i] == '"') quoted = !quoted;
      if (quoted && line[i] == '\\' && i + 1 < line.size()) labels += line[++i];
    }
    if (i++ >= line.size()) return false;
    SlowParseLabels(labels, &out->labels);
  }
  char* end = nullptr;
  const std::string text = line.substr(std::min(i, line.size()));
  out->value = std::strtod(text.c_str(), &end);
  return end != text.c_str() && (*end == '\0' || *end == ' ') && std::isfinite(out->value) &&
         out->value >= 0;
}

MetricsSample SlowParse(const std::string& page) {
  MetricsSample sample;
  double kv_sum[2] = {};
  int kv_count[2] = {};
  double newest = -1;
  std::stringstream lines(page);
  for (std::string text; std::getline(lines, text);) {
    SlowLine line;
    if (!SlowParseLine(text, &line)) continue;
    const bool is_ratio = line.name.find("cache_usage") != std::string::npos;
    if (line.name.find("lora") == std::string::npos && line.value > (is_ratio ? 2 : 1e6)) continue;
    if (line.name == "vllm:num_requests_waiting") {
      sample.waiting_found = true;
      sample.waiting_requests += static_cast<float>(line.value);
    } else if (line.name == "vllm:num_requests_running") {
      sample.running_found = true;
      sample.running_requests += static_cast<float>(line.value);
    } else if (line.name == "vllm:kv_cache_usage_perc") {
      kv_sum[0] += line.value;
      ++kv_count[0];
    } else if (line.name == "vllm:gpu_cache_usage_perc") {
      kv_sum[1] += line.value;
      ++kv_count[1];
    } else if (line.name == "vllm:lora_requests_info" && line.value > newest) {
      newest = line.value;
      sample.lora.running = line.labels["running_lora_adapters"];
      sample.lora.waiting = line.labels["waiting_lora_adapters"];
    }
  }
  const int best = kv_count[0] > 0 ? 0 : 1;
  sample.kv_cache_found = kv_count[best] > 0;
  if (sample.kv_cache_found) {
    sample.kv_cache_utilization_ratio = static_cast<float>(kv_sum[best] / kv_count[best]);
  }
  return sample;
}

TEST(MetricsText, AgreesWithASlowParserOnShuffledAndDamagedPages) {
  const std::string pages[] = {ReadFixture("vllm-0.32.0_under_load.prom"),
                               ReadFixture("vllm-0.14.1_after_lora.prom")};
  std::vector<std::string> lines;
  for (const std::string& page : pages) {
    std::stringstream stream(page);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
  }
  for (const char* extra :
       {"vllm:gpu_cache_usage_perc{engine=\"0\"} 0.5", "vllm:num_requests_waiting{engine=\"1\"} 2",
        "vllm:num_requests_running 3", "vllm:kv_cache_usage_perc 0.75"}) {
    for (int i = 0; i < 40; ++i) lines.emplace_back(extra);
  }
  Random random(11);
  const std::string_view kNoise = "{}\"\\ =,x9#_";
  for (int round = 0; round < 2000; ++round) {
    std::string page;
    for (uint64_t n = random.Below(60); n > 0; --n) {
      std::string line = lines[random.Below(lines.size())];
      if (random.Below(4) == 0 && !line.empty()) {
        line[random.Below(line.size())] = kNoise[random.Below(kNoise.size())];
      }
      page += line + "\n";
    }
    const MetricsSample fast = ParseMetrics(Runtime::kVllm, page);
    const MetricsSample slow = SlowParse(page);
    ASSERT_EQ(fast.waiting_found, slow.waiting_found) << page;
    ASSERT_EQ(fast.running_found, slow.running_found) << page;
    ASSERT_EQ(fast.kv_cache_found, slow.kv_cache_found) << page;
    ASSERT_EQ(fast.waiting_requests, slow.waiting_requests) << page;
    ASSERT_EQ(fast.running_requests, slow.running_requests) << page;
    ASSERT_FLOAT_EQ(fast.kv_cache_utilization_ratio, slow.kv_cache_utilization_ratio) << page;
    ASSERT_EQ(fast.lora.running, slow.lora.running) << page;
    ASSERT_EQ(fast.lora.waiting, slow.lora.waiting) << page;
  }
}

}  // namespace
}  // namespace gw
