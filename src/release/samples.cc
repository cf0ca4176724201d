#include "release/samples.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace gw::release {
namespace {

constexpr double kSecondsMin = 1e-6;
constexpr double kSecondsMax = 1e6;
// Above the absolute value of either's logarithm.
constexpr double kLogMax = 14;

bool IsSaneMoments(const LogMoments& moments) {
  const auto n = static_cast<double>(moments.count);
  // Written so that what is not a number is none.
  return n >= 0 && std::abs(moments.sum) <= n * kLogMax && moments.sum_squares >= 0 &&
         moments.sum_squares <= n * kLogMax * kLogMax;
}

}  // namespace

void LogMoments::Add(double seconds) {
  // Written so that what is not a number is the smallest.
  const double value = seconds > kSecondsMin ? std::min(seconds, kSecondsMax) : kSecondsMin;
  const double log_value = std::log(value);
  ++count;
  sum += log_value;
  sum_squares += log_value * log_value;
}

void LogMoments::Merge(const LogMoments& other) {
  count += other.count;
  sum += other.sum;
  sum_squares += other.sum_squares;
}

double LogMoments::mean() const { return count == 0 ? 0 : sum / static_cast<double>(count); }

double LogMoments::variance() const {
  if (count < 2) return 0;
  const auto n = static_cast<double>(count);
  return std::max(0.0, (sum_squares - sum * sum / n) / (n - 1));
}

void VersionSamples::AddError() {
  ++requests;
  ++errors;
}

void VersionSamples::AddAnswer(double ttft_s, std::optional<double> tpot_s,
                               std::optional<Finish> finish) {
  ++requests;
  ttft.Add(ttft_s);
  if (tpot_s) tpot.Add(*tpot_s);
  if (finish) {
    ++finished;
    ended_by_length += *finish == Finish::kLength;
    ended_abnormally += *finish == Finish::kAbnormal;
  }
}

void VersionSamples::Merge(const VersionSamples& other) {
  requests += other.requests;
  errors += other.errors;
  finished += other.finished;
  ended_by_length += other.ended_by_length;
  ended_abnormally += other.ended_abnormally;
  ttft.Merge(other.ttft);
  tpot.Merge(other.tpot);
}

bool VersionSamples::IsSane() const {
  return errors >= 0 && errors <= requests && ended_by_length >= 0 && ended_abnormally >= 0 &&
         ended_by_length <= finished && ended_abnormally <= finished - ended_by_length &&
         finished <= requests - errors && IsSaneMoments(ttft) && IsSaneMoments(tpot);
}

void Samples::Merge(const Samples& other) {
  CHECK(window == other.window);
  stable.Merge(other.stable);
  candidate.Merge(other.candidate);
}

}  // namespace gw::release
