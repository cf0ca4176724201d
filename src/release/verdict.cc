#include "release/verdict.h"

#include <cmath>

#include "fmt/format.h"

namespace gw::release {
namespace {

constexpr double kGuard = 0.5;

TestVerdict Decided(TestVerdict verdict) {
  if (verdict.difference.lower > verdict.allowed) {
    verdict.finding = Finding::kBreached;
  } else if (verdict.difference.upper <= verdict.allowed) {
    verdict.finding = Finding::kWithin;
  }
  return verdict;
}

TestVerdict JudgeShares(Compared compared, const Share& candidate, const Share& stable,
                        double allowed, double alpha) {
  return Decided({.compared = compared,
                  .candidate = candidate.value(),
                  .stable = stable.value(),
                  .difference = ShareDifference(candidate, stable, alpha),
                  .allowed = allowed});
}

TestVerdict JudgeDurations(Compared compared, const LogMoments& candidate, const LogMoments& stable,
                           double allowed, double alpha) {
  const Bounds logs = LogMeanDifference(candidate, stable, alpha);
  TestVerdict verdict;
  verdict.compared = compared;
  verdict.allowed = allowed;
  verdict.candidate = candidate.count == 0 ? 0 : std::exp(candidate.mean());
  verdict.stable = stable.count == 0 ? 0 : std::exp(stable.mean());
  const bool has_both = candidate.count > 0 && stable.count > 0;
  verdict.difference = {has_both ? std::exp(logs.estimate) : 1, std::exp(logs.lower),
                        std::exp(logs.upper)};
  return Decided(verdict);
}

TestVerdict JudgeGuardAlone(const Share& candidate, double alpha) {
  return Decided({.compared = Compared::kAnswersNothing,
                  .candidate = candidate.value(),
                  .difference = ShareBounds(candidate, alpha),
                  .allowed = kGuard});
}

bool IsRatio(Compared compared) {
  return compared == Compared::kTtft || compared == Compared::kTpot;
}

// "at least 1.31", "from 0.9 to 1.31", "nothing known yet".
std::string BoundsText(const TestVerdict& verdict, double scale) {
  const double lower = verdict.difference.lower * scale;
  const double upper = verdict.difference.upper * scale;
  if (verdict.finding == Finding::kBreached) return fmt::format("at least {:.3g}", lower);
  if (!std::isfinite(upper)) return "too few samples";
  return fmt::format("from {:.3g} to {:.3g}", lower, upper);
}

}  // namespace

const TestVerdict* Verdict::breach() const {
  for (const TestVerdict& verdict : tests) {
    if (verdict.finding == Finding::kBreached) return &verdict;
  }
  return nullptr;
}

Verdict Judge(const Criteria& criteria, double alpha, const Samples& samples, bool has_stable) {
  const VersionSamples& candidate = samples.candidate;
  const VersionSamples& stable = samples.stable;
  const Share candidate_errors = {candidate.requests, candidate.errors};
  const Share stable_errors = {stable.requests, stable.errors};
  Verdict verdict;
  if (!has_stable) {
    verdict.tests.push_back(JudgeGuardAlone(candidate_errors, alpha));
    return verdict;
  }
  verdict.tests.push_back(
      JudgeShares(Compared::kAnswersNothing, candidate_errors, stable_errors, kGuard, alpha));
  const auto shares = [&](Compared compared, const Share& of_candidate, const Share& of_stable,
                          std::optional<double> allowed) {
    if (!allowed) return;
    verdict.tests.push_back(JudgeShares(compared, of_candidate, of_stable, *allowed, alpha));
  };
  shares(Compared::kErrors, candidate_errors, stable_errors, criteria.error_rate);
  if (criteria.ttft) {
    verdict.tests.push_back(
        JudgeDurations(Compared::kTtft, candidate.ttft, stable.ttft, *criteria.ttft, alpha));
  }
  if (criteria.tpot) {
    verdict.tests.push_back(
        JudgeDurations(Compared::kTpot, candidate.tpot, stable.tpot, *criteria.tpot, alpha));
  }
  shares(Compared::kLength, {candidate.finished, candidate.ended_by_length},
         {stable.finished, stable.ended_by_length}, criteria.finish_reasons);
  shares(Compared::kAbnormal, {candidate.finished, candidate.ended_abnormally},
         {stable.finished, stable.ended_abnormally}, criteria.finish_reasons);
  return verdict;
}

std::string_view Name(Compared compared) {
  switch (compared) {
    case Compared::kAnswersNothing:
      return "answers nothing";
    case Compared::kErrors:
      return "errors";
    case Compared::kTtft:
      return "TTFT";
    case Compared::kTpot:
      return "TPOT";
    case Compared::kLength:
      return "answers cut for their length";
    case Compared::kAbnormal:
      return "answers that end abnormally";
  }
  return "";
}

std::string VerdictText(const TestVerdict& verdict, double false_alarm_rate) {
  const std::string rate = PercentText(false_alarm_rate * 100);
  if (IsRatio(verdict.compared)) {
    return fmt::format(
        "{} of the candidate is {:.3g} times the stable's ({} with false alarm rate {}), at most "
        "{:g} is allowed",
        Name(verdict.compared), verdict.difference.estimate, BoundsText(verdict, 1), rate,
        verdict.allowed);
  }
  const std::string_view what = verdict.compared == Compared::kAnswersNothing
                                    ? Name(Compared::kErrors)
                                    : Name(verdict.compared);
  return fmt::format(
      "{}{}: {:.3g} % of the candidate's, {:.3g} % of the stable's, {:.3g} percentage points more "
      "({} "
      "with false alarm rate {}), at most {:g} is allowed",
      what, verdict.compared == Compared::kAnswersNothing ? " (whether it answers at all)" : "",
      verdict.candidate * 100, verdict.stable * 100, verdict.difference.estimate * 100,
      BoundsText(verdict, 100), rate, verdict.allowed * 100);
}

}  // namespace gw::release
