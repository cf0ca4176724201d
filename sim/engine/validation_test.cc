// The engine model against measured runs of vLLM (test/data/vllm_validation/README.md): mean TTFT,
// TPOT and time to the last token within 5 %. The errors are printed as test properties.

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "sim/engine/virtual_run.h"

namespace gw::sim {
namespace {

constexpr double kErrorMax = 0.05;

struct Measured {
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
  double queued_s = 0;
  double first_token_s = 0;
  double last_token_s = 0;
};

double Member(std::string_view line, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\": ";
  const size_t at = line.find(key);
  EXPECT_NE(at, std::string_view::npos) << name << " is missing in " << line;
  double value = 0;
  std::from_chars(line.data() + at + key.size(), line.data() + line.size(), value);
  return value;
}

std::vector<Measured> ReadRun(const std::string& name) {
  std::ifstream in(std::string(PENSTOCK_SOURCE_DIR) + "/test/data/vllm_validation/" + name +
                   ".jsonl");
  std::vector<Measured> run;
  for (std::string line; std::getline(in, line);) {
    run.push_back({.prompt_tokens = static_cast<uint32_t>(Member(line, "in")),
                   .output_tokens = static_cast<uint32_t>(Member(line, "out")),
                   .queued_s = Member(line, "queued_s"),
                   .first_token_s = Member(line, "first_token_s"),
                   .last_token_s = Member(line, "last_token_s")});
  }
  std::stable_sort(run.begin(), run.end(),
                   [](const Measured& a, const Measured& b) { return a.queued_s < b.queued_s; });
  return run;
}

struct Means {
  double ttft_ms = 0;
  double tpot_ms = 0;
  double e2e_ms = 0;

  void Add(double queued_s, double first_s, double last_s, uint32_t output_tokens, size_t count) {
    const double share = 1e3 / static_cast<double>(count);
    ttft_ms += (first_s - queued_s) * share;
    tpot_ms += (last_s - first_s) / (output_tokens - 1) * share;
    e2e_ms += (last_s - queued_s) * share;
  }
};

// Every `engines`-th request goes to the same engine.
Means Simulate(const std::string& preset, const std::vector<Measured>& run, size_t engines) {
  Means means;
  for (size_t e = 0; e < engines; ++e) {
    std::vector<const Measured*> part;
    std::vector<TimedRequest> requests;
    for (size_t i = e; i < run.size(); i += engines) {
      requests.push_back({Duration(static_cast<int64_t>(run[i].queued_s * 1e9)),
                          {.id = part.size(),
                           .prompt_tokens = run[i].prompt_tokens,
                           .output_tokens = run[i].output_tokens,
                           .block_names = {}}});
      part.push_back(&run[i]);
    }
    Engine engine(*FindServerSpec(preset));
    const std::vector<RequestTimes> times = RunInVirtualTime(engine, requests);
    for (size_t i = 0; i < part.size(); ++i) {
      EXPECT_EQ(times[i].output_tokens, part[i]->output_tokens);
      means.Add(part[i]->queued_s, ToSeconds(times[i].first_token), ToSeconds(times[i].last_token),
                part[i]->output_tokens, run.size());
    }
  }
  return means;
}

void ExpectClose(const char* what, double simulated, double measured) {
  EXPECT_NEAR(simulated / measured, 1.0, kErrorMax) << what;
  testing::Test::RecordProperty(std::string(what) + "_error_percent",
                                std::to_string((simulated / measured - 1) * 100));
}

struct Run {
  const char* preset;
  size_t engines;
};

class Validation : public testing::TestWithParam<Run> {};

TEST_P(Validation, MeansAreWithinFivePercentOfVllm) {
  const std::vector<Measured> run = ReadRun(GetParam().preset);
  ASSERT_EQ(run.size(), 300u);
  Means measured;
  for (const Measured& m : run) {
    measured.Add(m.queued_s, m.first_token_s, m.last_token_s, m.output_tokens, run.size());
  }
  const Means simulated = Simulate(GetParam().preset, run, GetParam().engines);
  ExpectClose("ttft", simulated.ttft_ms, measured.ttft_ms);
  ExpectClose("tpot", simulated.tpot_ms, measured.tpot_ms);
  ExpectClose("e2e", simulated.e2e_ms, measured.e2e_ms);
}

INSTANTIATE_TEST_SUITE_P(Vllm, Validation,
                         testing::Values(Run{"llama-8b-pro6000", 1}, Run{"llama-8b-4090", 1},
                                         Run{"qwen3-32b-pro6000-tp2", 1},
                                         // Two data-parallel ranks behind one address.
                                         Run{"qwen3-30b-a3b-pro6000", 2}),
                         [](const auto& info) {
                           std::string name = info.param.preset;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gw::sim
