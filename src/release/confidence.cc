#include "release/confidence.h"

#include <math.h>  // lgamma_r: that of <cmath> writes a variable that all threads share

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace gw::release {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kHalvings = 50;
// The mixture over effects makes bounds narrowest about here, in samples of a candidate whose
// stable version has many more: a twofold TTFT takes about so many to be found.
constexpr double kTunedSamples = 100;
// A version's variance of few samples may be far too small, as long as a rare kind of request (a
// prompt found cached) has not come yet. So many samples are taken to vary as the other version's.
constexpr double kBorrowedSamples = 200;
// Deviation of logarithms below which nobody believes it: 5 %.
constexpr double kLogVarianceMin = 0.05 * 0.05;

double LogGamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

// Priors Beta(1/2, b) of one share. The flat one loses little whatever the share is, the other one
// less where it is a few in a hundred, as of errors.
constexpr double kFlat = 0.5;
constexpr double kSmall = 20;

// log (B(1/2 + k, b + n - k) / B(1/2, b)): the likelihood, mixed over Beta(1/2, b).
double LogMixture(const Share& share, double b) {
  const auto n = static_cast<double>(share.of);
  const auto k = static_cast<double>(share.count);
  return LogGamma(k + 0.5) + LogGamma(n - k + b) - LogGamma(n + b + 0.5) -
         (LogGamma(0.5) + LogGamma(b) - LogGamma(b + 0.5));
}

// The likelihood of both, mixed in equal parts over: both small, both anything, and the one that is
// said to be above anything while the other one is small.
double LogMixture(const Share& above, const Share& below) {
  const double above_flat = LogMixture(above, kFlat);
  const double below_small = LogMixture(below, kSmall);
  const double both_flat = above_flat + LogMixture(below, kFlat);
  const double both_small = LogMixture(above, kSmall) + below_small;
  const double mixed = above_flat + below_small;
  const double most = std::max({both_flat, both_small, mixed});
  return most + std::log((std::exp(both_flat - most) + std::exp(both_small - most) +
                          std::exp(mixed - most)) /
                         3);
}

double LogLikelihood(const Share& share, double p) {
  const auto hits = static_cast<double>(share.count);
  const auto others = static_cast<double>(share.of - share.count);
  return (share.count == 0 ? 0 : hits * std::log(p)) +
         (share.of == share.count ? 0 : others * std::log1p(-p));
}

double LogMaximum(const Share& share) { return LogLikelihood(share, share.value()); }

// The derivative of LogLikelihood.
double Slope(const Share& share, double p) {
  const auto hits = static_cast<double>(share.count);
  const auto others = static_cast<double>(share.of - share.count);
  return (share.count == 0 ? 0 : hits / p) - (share.of == share.count ? 0 : others / (1 - p));
}

// The highest likelihood of both with the candidate's share exactly `difference` above the
// stable's. As a function of the latter its logarithm is concave.
double LogMaximumAt(const Share& candidate, const Share& stable, double difference) {
  double low = std::max(0.0, -difference);
  double high = std::min(1.0, 1 - difference);
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    const double slope = Slope(candidate, middle + difference) + Slope(stable, middle);
    (slope > 0 ? low : high) = middle;
  }
  const double p = (low + high) / 2;
  const double q = std::clamp(p + difference, 0.0, 1.0);
  return LogLikelihood(candidate, q) + LogLikelihood(stable, p);
}

// The highest difference that the evidence rules out.
double LowerBound(const Share& candidate, const Share& stable, double alpha) {
  const double wanted = -std::log(alpha);
  double low = -1;
  double high = candidate.value() - stable.value();
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (LogEvidenceAbove(candidate, stable, middle) >= wanted ? low : high) = middle;
  }
  return low;
}

double LowerBound(const Share& share, double alpha) {
  const double wanted = LogMixture(share, kFlat) + std::log(alpha);
  double low = 0;
  double high = share.value();
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (LogLikelihood(share, middle) <= wanted ? low : high) = middle;
  }
  return low;
}

double BorrowedVariance(const LogMoments& own, const LogMoments& other) {
  const double variance = std::max(own.variance(), kLogVarianceMin);
  const auto n = static_cast<double>(own.count);
  const double borrowed = std::max(variance, other.variance());
  return (n * variance + kBorrowedSamples * borrowed) / (n + kBorrowedSamples);
}

}  // namespace

double LogEvidenceAbove(const Share& candidate, const Share& stable, double difference) {
  if (candidate.of == 0 || stable.of == 0) return 0;
  const bool is_above = candidate.value() - stable.value() > difference;
  return LogMixture(candidate, stable) - (is_above ? LogMaximumAt(candidate, stable, difference)
                                                   : LogMaximum(candidate) + LogMaximum(stable));
}

Bounds ShareDifference(const Share& candidate, const Share& stable, double alpha) {
  CHECK(alpha > 0 && alpha < 1);
  if (candidate.of == 0 || stable.of == 0) return {0, -1, 1};
  return {candidate.value() - stable.value(), LowerBound(candidate, stable, alpha),
          -LowerBound(stable, candidate, alpha)};
}

Bounds ShareBounds(const Share& share, double alpha) {
  CHECK(alpha > 0 && alpha < 1);
  if (share.of == 0) return {0, 0, 1};
  return {share.value(), LowerBound(share, alpha),
          1 - LowerBound({share.of, share.of - share.count}, alpha)};
}

Bounds LogMeanDifference(const LogMoments& candidate, const LogMoments& stable, double alpha) {
  CHECK(alpha > 0 && alpha < 1);
  const double estimate = candidate.mean() - stable.mean();
  if (candidate.count < kLogSamplesMin || stable.count < kLogSamplesMin) {
    return {estimate, -kInfinity, kInfinity};
  }
  const double scale = BorrowedVariance(candidate, stable);
  const double variance = scale / static_cast<double>(candidate.count) +
                          BorrowedVariance(stable, candidate) / static_cast<double>(stable.count);
  // t counts samples of the candidate, fewer where the stable version's mean is uncertain as well:
  //   radius = s sqrt(2 (t r^2 + 1) / (t^2 r^2) log(1 + sqrt(t r^2 + 1) / (2 alpha)))
  // with r^2 the variance of the mixture over effects, in units of s^2.
  const double t = scale / variance;
  const double tuned = -2 * std::log(std::min(2 * alpha, 0.5));
  const double r2 = (tuned + std::log(tuned) + 1) / kTunedSamples;
  const double tr2 = t * r2;
  const double radius =
      std::sqrt(variance * 2 * (tr2 + 1) / tr2 * std::log1p(std::sqrt(tr2 + 1) / (2 * alpha)));
  return {estimate, estimate - radius, estimate + radius};
}

}  // namespace gw::release
