#include "sim/server/replica_stats.h"

#include <algorithm>

namespace gw::sim {
namespace {

// Upper bounds as vLLM has them.
constexpr double kTokens[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000};
constexpr double kIterationTokens[] = {1,   8,    16,   32,   64,   128,  256,
                                       512, 1024, 2048, 4096, 8192, 16384};
constexpr double kChoices[] = {1, 2, 5, 10, 20};
constexpr double kTtft[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                            1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
constexpr double kItl[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                           0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
constexpr double kLatency[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                               30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
constexpr double kPreemptions[] = {1, 2, 3, 4, 5, 10, 20};
constexpr double kHttp[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1,  1.5, 2,
                            2.5,  3,     3.5,  4,     4.5, 5,    7.5, 10,   30, 60};

std::span<const double> BoundsOf(Measure measure) {
  switch (measure) {
    case Measure::kPromptTokens:
    case Measure::kGenerationTokens:
    case Measure::kMaxGenerationTokens:
    case Measure::kParamMaxTokens:
    case Measure::kPrefillComputed:
      return kTokens;
    case Measure::kIterationTokens:
      return kIterationTokens;
    case Measure::kParamN:
      return kChoices;
    case Measure::kTtft:
      return kTtft;
    case Measure::kItl:
    case Measure::kTpot:
      return kItl;
    case Measure::kE2e:
    case Measure::kQueue:
    case Measure::kInference:
    case Measure::kPrefill:
    case Measure::kDecode:
      return kLatency;
    case Measure::kPreemptions:
      return kPreemptions;
    case Measure::kHttpDuration:
    case Measure::kCount:
      break;
  }
  return kHttp;
}

}  // namespace

void Distribution::Observe(double value, uint64_t times) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(at)] += times;
  count_ += times;
  sum_ += value * static_cast<double>(times);
}

std::string_view NameOf(Ending ending) {
  switch (ending) {
    case Ending::kStop:
      return "stop";
    case Ending::kLength:
      return "length";
    case Ending::kAbort:
      return "abort";
    case Ending::kClientLeft:
      return "client_left";
    case Ending::kBroken:
      return "broken";
    case Ending::kRefused:
      return "refused";
    case Ending::kError:
      return "error";
    case Ending::kCount:
      break;
  }
  return "unknown";
}

ReplicaStats::ReplicaStats() {
  for (size_t i = 0; i < static_cast<size_t>(Measure::kCount); ++i) {
    distributions.emplace_back(BoundsOf(static_cast<Measure>(i)));
  }
}

}  // namespace gw::sim
