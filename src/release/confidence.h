// Bounds on how much worse one version is than another that hold at every look.
//
// A release is looked at every second for hours. A test that is right once in twenty looks at the
// 5 % level is wrong sooner or later; these bounds are right at all looks together, except in a
// share `alpha` of windows. Each bound by itself: below the lower one the truth ever is in at most
// a share `alpha`, above the upper one in another.
//
// Shares (errors, finish reasons): exact at any count. The likelihood of both versions' outcomes,
// mixed over all pairs of shares (Beta priors, Robbins 1970), over the likelihood under a given
// pair is a martingale under that pair; Ville's inequality bounds its maximum, as in Howard,
// Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences"
// (Annals of Statistics 2021). A difference is ruled out when each pair with it is: mixture over
// highest likelihood, an e-process (Wasserman, Ramdas and Balakrishnan, "Universal inference",
// 2020). Assumes that outcomes are independent given the version, each version's share constant
// over the window. How the two streams interleave, and how unequal they are, does not matter.
//
// Durations: the difference of mean logarithms, that is the ratio of geometric means. Asymptotic
// confidence sequence, one-sided, for a randomised comparison: Waudby-Smith, Arbour, Sinha, Kennedy
// and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of
// Statistics 2024). Assumes that requests are given to versions by independent draws of one
// probability over the window (both get the same mix of prompts), and that the logarithms have a
// variance and are independent given the version. What slows both versions alike is harmless, since
// chance spreads it. A queue in front of one version alone makes neighbours alike, and alarms then
// come more often than stated. Being asymptotic, it says nothing below kLogSamplesMin of each.
//
// No state, any thread.

#pragma once

#include <cstdint>

#include "release/samples.h"

namespace gw::release {

inline constexpr int64_t kLogSamplesMin = 30;

struct Share {
  int64_t of = 0;
  int64_t count = 0;

  double value() const {
    return of == 0 ? 0 : static_cast<double>(count) / static_cast<double>(of);
  }
};

struct Bounds {
  double estimate = 0;
  double lower = 0;
  double upper = 0;
};

// The logarithm of the evidence that the candidate's share is more than `difference` above the
// stable's: ruled out at `alpha` is that it is not where this is at least log(1 / alpha). Both
// without samples: 0.
double LogEvidenceAbove(const Share& candidate, const Share& stable, double difference);

// Of the candidate's share less the stable's. [-1, 1] without samples of either.
// REQUIRES: 0 < alpha < 1
Bounds ShareDifference(const Share& candidate, const Share& stable, double alpha);

// Of one share. [0, 1] without samples.
Bounds ShareBounds(const Share& share, double alpha);

// Of the candidate's mean logarithm less the stable's. Infinite below kLogSamplesMin of either.
Bounds LogMeanDifference(const LogMoments& candidate, const LogMoments& stable, double alpha);

}  // namespace gw::release
