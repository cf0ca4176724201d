// What a study has found, for people and for programs.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/replay/study.h"

namespace gw::bench {

// What was asked and of whom, as reports say it.
struct StudyTitle {
  std::string command;   // as it was typed
  std::string started;   // "2026-01-02T03:04:05Z"
  std::string workload;  // "conversation"
  std::string engines;   // "16 x q30h200"
  std::string settings;  // "metrics 50 ms old, index estimated, 1 gateway"
};

struct StudyResult {
  StudyTitle title;
  LoadAxis axis = LoadAxis::kSpeed;
  Objectives objectives;
  bool found_capacity = false;
  bool interrupted = false;  // before all was done that was asked for
  std::vector<StudySeries> series;
};

// A value of several seeds: their mean, and the half of its 95 % confidence interval (Student's t);
// none of one seed.
struct SeedMean {
  double mean = 0;
  std::optional<double> reach = std::nullopt;
  size_t count = 0;
};
SeedMean MeanOf(const std::vector<double>& values);

// Of one policy's values to another's, seed by seed, as the first policy of both has them: the
// geometric mean of the ratios and its 95 % confidence interval.
struct PairedRatio {
  double ratio = 0;
  std::optional<double> low = std::nullopt;
  std::optional<double> high = std::nullopt;

  // 1: above 1 beyond chance; -1: below; 0: neither, or of one seed.
  int verdict() const { return low && *low > 1 ? 1 : high && *high < 1 ? -1 : 0; }
};
// REQUIRES: as many of both, all above 0
PairedRatio RatioOf(const std::vector<double>& values, const std::vector<double>& base);

// Of the policies in their order: the capacities of their seeds, those that have one.
struct PolicyCapacity {
  std::string policy;
  std::vector<double> by_seed;
  std::vector<uint64_t> seeds;  // of them
  SeedMean mean;
  std::optional<PairedRatio> to_best = std::nullopt;  // none of the best itself
};
std::vector<PolicyCapacity> CapacitiesOf(const StudyResult& result);

// As tables: the first row is the head.
std::vector<std::vector<std::string>> PointRows(const StudyResult& result);
std::vector<std::vector<std::string>> CapacityRows(const StudyResult& result);
std::string ObjectivesText(const Objectives& objectives);  // "TTFT 2.00 s, TPOT 50 ms"

std::string StudyText(const StudyResult& result);
// {"tool", ..., "records": [{"policy", "seed", "goodput90_capacity", "points": [...]}]}
std::string StudyJson(const StudyResult& result);

}  // namespace gw::bench
