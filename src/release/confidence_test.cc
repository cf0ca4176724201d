#include "release/confidence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <vector>

#include "base/random.h"

namespace gw::release {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A standard normal draw (Box and Muller).
double Normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.Unit())) * std::cos(2 * M_PI * random.Unit());
}

double Lognormal(Random& random, double median_s, double sigma) {
  return median_s * std::exp(sigma * Normal(random));
}

// Pareto of index 1.5: its mean is 3 times the least value, and it has no variance.
double Pareto(Random& random, double least_s) {
  return least_s * std::pow(1 - random.Unit(), -1 / 1.5);
}

// Mostly slow; of prompts found cached, 5 in 100, a thirtieth.
double Bimodal(Random& random, double median_s) {
  return Lognormal(random, random.Unit() < 0.05 ? median_s / 30 : median_s, 0.2);
}

struct Runs {
  double found = 0;  // share of runs
  int64_t half = 0;  // the median of the requests it took, of the candidate
  int64_t nine_in_ten = 0;
};

// Draws requests of both versions and looks after each one. `look` adds a request of the candidate
// (or the stable version) and says whether the wrong is found.
template <typename NewLook>
Runs Run(int runs, int requests, double candidate_share, NewLook new_look) {
  std::vector<int64_t> taken;
  for (int run = 0; run < runs; ++run) {
    Random random(1000 + static_cast<uint64_t>(run));
    auto look = new_look();
    int64_t candidates = 0;
    for (int i = 0; i < requests; ++i) {
      const bool is_candidate = random.Unit() < candidate_share;
      candidates += is_candidate;
      if (look(random, is_candidate)) {
        taken.push_back(candidates);
        break;
      }
    }
  }
  std::sort(taken.begin(), taken.end());
  const auto at = [&](double share) {
    const auto index = static_cast<size_t>(share * runs);
    return index < taken.size() ? taken[index] : -1;
  };
  return {static_cast<double>(taken.size()) / runs, at(0.5), at(0.9)};
}

// Three deviations of a share of `runs` above `rate`.
double AtMost(double rate, int runs) { return rate + 3 * std::sqrt(rate * (1 - rate) / runs); }

Runs Print(const char* what, Runs runs) {
  std::printf("%s: %.4f found, half by %ld, nine in ten by %ld\n", what, runs.found,
              static_cast<long>(runs.half), static_cast<long>(runs.nine_in_ten));
  return runs;
}

// Errors with those rates, found to be more than `allowed` apart.
Runs RunShares(int runs, int requests, double candidate_share, double candidate_rate,
               double stable_rate, double allowed, double alpha) {
  return Run(runs, requests, candidate_share, [=] {
    return [=, candidate = Share{}, stable = Share{}](Random& random, bool is_candidate) mutable {
      Share& share = is_candidate ? candidate : stable;
      ++share.of;
      share.count += random.Unit() < (is_candidate ? candidate_rate : stable_rate);
      return LogEvidenceAbove(candidate, stable, allowed) >= -std::log(alpha);
    };
  });
}

// Durations by `draw(random)`, the candidate's `factor` times as long, found to be above `allowed`.
template <typename Draw>
Runs RunDurations(int runs, int requests, double candidate_share, double factor, double allowed,
                  double alpha, Draw draw) {
  return Run(runs, requests, candidate_share, [=] {
    return [=, candidate = LogMoments{}, stable = LogMoments{}](Random& random,
                                                                bool is_candidate) mutable {
      (is_candidate ? candidate : stable).Add(draw(random) * (is_candidate ? factor : 1));
      return LogMeanDifference(candidate, stable, alpha).lower > std::log(allowed);
    };
  });
}

double Long(Random& random) { return Lognormal(random, 0.3, 1); }

TEST(ShareDifference, NothingIsKnownWithoutSamplesOfBoth) {
  const Bounds bounds = ShareDifference({100, 100}, {0, 0}, 0.01);
  EXPECT_EQ(bounds.lower, -1);
  EXPECT_EQ(bounds.upper, 1);
  EXPECT_EQ(LogEvidenceAbove({100, 100}, {0, 0}, 0.01), 0);
}

// The bounds and the evidence are two views of one test.
TEST(ShareDifference, TheLowerBoundIsWhereTheEvidenceReachesTheRate) {
  for (const Share candidate : {Share{40, 40}, Share{500, 31}, Share{1000, 3}, Share{7, 0}}) {
    for (const Share stable : {Share{3000, 12}, Share{50, 0}, Share{20, 20}}) {
      const Bounds bounds = ShareDifference(candidate, stable, 0.01);
      EXPECT_LE(bounds.lower, bounds.estimate);
      EXPECT_GE(bounds.upper, bounds.estimate);
      const double wanted = std::log(100);
      if (bounds.lower > -0.999) {
        EXPECT_GE(LogEvidenceAbove(candidate, stable, bounds.lower - 1e-6), wanted);
        EXPECT_LT(LogEvidenceAbove(candidate, stable, bounds.lower + 1e-6), wanted);
      }
      const Bounds turned = ShareDifference(stable, candidate, 0.01);
      EXPECT_NEAR(turned.lower, -bounds.upper, 1e-9);
    }
  }
}

// By a search over all pairs of shares in steps of a thousandth.
TEST(ShareDifference, TheEvidenceIsThatAgainstTheMostLikelyPair) {
  const Share candidate = {60, 9};
  const Share stable = {200, 4};
  const auto likelihood = [](const Share& share, double p) {
    return static_cast<double>(share.count) * std::log(p) +
           static_cast<double>(share.of - share.count) * std::log(1 - p);
  };
  double least = -kInfinity;
  double wide = -kInfinity;
  for (int i = 1; i < 1000; ++i) {
    for (int j = 1; j < 1000; ++j) {
      const double sum = likelihood(candidate, i / 1000.0) + likelihood(stable, j / 1000.0);
      if (i - j <= 10) least = std::max(least, sum);
      if (i - j <= 50) wide = std::max(wide, sum);
    }
  }
  EXPECT_NEAR(LogEvidenceAbove(candidate, stable, 0.01) - LogEvidenceAbove(candidate, stable, 0.05),
              wide - least, 0.01);
}

TEST(ShareBounds, HoldOnBothSides) {
  const Bounds all = ShareBounds({40, 40}, 0.001);
  EXPECT_GT(all.lower, 0.7);
  EXPECT_EQ(all.upper, 1);
  const Bounds none = ShareBounds({40, 0}, 0.001);
  EXPECT_EQ(none.lower, 0);
  EXPECT_NEAR(none.upper, 1 - all.lower, 1e-9);
}

TEST(LogMeanDifference, SaysNothingOfFewSamples) {
  LogMoments few, many;
  for (int i = 0; i < kLogSamplesMin - 1; ++i) few.Add(10);
  for (int i = 0; i < 1000; ++i) many.Add(1);
  EXPECT_EQ(LogMeanDifference(few, many, 0.01).lower, -kInfinity);
  EXPECT_EQ(LogMeanDifference(many, few, 0.01).upper, kInfinity);
  few.Add(10);
  EXPECT_NEAR(LogMeanDifference(few, many, 0.01).estimate, std::log(10), 1e-9);
  EXPECT_GT(LogMeanDifference(few, many, 0.01).lower, std::log(9));
}

// Exactly as much worse as is allowed, looked at after every request.
TEST(FalseAlarms, OfDurationsAreNoMoreThanStated) {
  const double rate = 0.05;
  const auto pareto = [](Random& random) { return Pareto(random, 0.1); };
  const auto bimodal = [](Random& random) { return Bimodal(random, 0.3); };
  EXPECT_LE(Print("lognormal, half", RunDurations(2000, 2000, 0.5, 1.2, 1.2, rate, Long)).found,
            AtMost(rate, 2000));
  EXPECT_LE(Print("Pareto, half", RunDurations(500, 2000, 0.5, 1.2, 1.2, rate, pareto)).found,
            AtMost(rate, 500));
  EXPECT_LE(Print("lognormal, 1 %", RunDurations(200, 10000, 0.01, 1.2, 1.2, rate, Long)).found,
            AtMost(rate, 200));
  EXPECT_LE(Print("bimodal, 1 %", RunDurations(200, 10000, 0.01, 1.2, 1.2, rate, bimodal)).found,
            AtMost(rate, 200));
}

TEST(FalseAlarms, OfSharesAreNoMoreThanStated) {
  const double rate = 0.05;
  EXPECT_LE(Print("0.5 % and 1.5 %", RunShares(500, 2000, 0.5, 0.015, 0.005, 0.01, rate)).found,
            AtMost(rate, 500));
  EXPECT_LE(Print("30 % and 31 %", RunShares(100, 2000, 0.5, 0.31, 0.3, 0.01, rate)).found,
            AtMost(rate, 100));
  EXPECT_LE(Print("1 % share", RunShares(100, 10000, 0.01, 0.01, 0, 0.01, rate)).found,
            AtMost(rate, 100));
}

// A false alarm rate of 1 % over five tests, in one step.
TEST(Power, ATwofoldTtftIsFoundWithinTwoHundredSamples) {
  const auto pareto = [](Random& random) { return Pareto(random, 0.1); };
  const Runs half = Print("half", RunDurations(300, 2000, 0.5, 2, 1.2, 0.002, Long));
  EXPECT_GE(half.found, 0.99);
  EXPECT_LE(half.nine_in_ten, 220);
  const Runs tail = Print("Pareto", RunDurations(300, 2000, 0.5, 2, 1.2, 0.002, pareto));
  EXPECT_LE(tail.nine_in_ten, 120);
  const Runs few = Print("1 %", RunDurations(100, 30000, 0.01, 2, 1.2, 0.002, Long));
  EXPECT_GE(few.found, 0.99);
  EXPECT_LE(few.nine_in_ten, 130);
}

TEST(Power, ErrorsOfFiveInAHundredAreFound) {
  const Runs half = Print("0.5 % and 5 %", RunShares(100, 4000, 0.5, 0.05, 0.005, 0.01, 0.002));
  EXPECT_GE(half.found, 0.95);
  EXPECT_LE(half.half, 900);
  const Runs tenth = Print("0.5 % and 10 %", RunShares(100, 4000, 0.5, 0.1, 0.005, 0.01, 0.002));
  EXPECT_GE(tenth.found, 0.99);
  EXPECT_LE(tenth.nine_in_ten, 350);
}

TEST(Power, ACandidateThatAnswersNothingIsFoundWithinDozens) {
  for (const double share : {0.01, 0.2, 0.5}) {
    const Runs runs = Print("all fail", RunShares(50, 6000, share, 1, 0.005, 0.5, 0.0005));
    EXPECT_EQ(runs.found, 1);
    EXPECT_LE(runs.nine_in_ten, 36);
  }
}

}  // namespace
}  // namespace gw::release
