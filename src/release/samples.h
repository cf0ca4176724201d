// Samples: what the requests of both versions came to over one window, as sums.
//
// A window is a time in which both versions had the same shares of requests; it has a number. Each
// request notes the number as it is routed and counts only there, so that what began under other
// weights is left out. Sums merge in any order: each thread has its own, and one adds them up.
// Adding allocates nothing. Plain sums rather than running means: a logarithm is below 14 here, so
// that doubles lose nothing that matters in 10^9 samples.
//
// One thread at a time.

#pragma once

#include <cstdint>
#include <optional>

namespace gw::release {

// How an answer ended. Tool calls are a kStop; kAbnormal is a filter, an abort, an error inside a
// stream: whatever the model does not end with by itself.
enum class Finish : uint8_t { kStop, kLength, kAbnormal };

// Of positive values, by their logarithms: durations have heavy tails, and a mean of theirs is that
// of a few.
struct LogMoments {
  int64_t count = 0;
  double sum = 0;
  double sum_squares = 0;

  // What is below a microsecond, negative or not a number counts as one, what is above 10^6 s (11
  // days) as that.
  void Add(double seconds);
  void Merge(const LogMoments& other);
  double mean() const;      // 0 of none
  double variance() const;  // unbiased; 0 of fewer than two

  bool operator==(const LogMoments&) const = default;
};

struct VersionSamples {
  int64_t requests =
      0;               // that ended, with an answer or an error, but not by their client's leaving
  int64_t errors = 0;  // of them
  int64_t finished = 0;  // answers of which it is known how they ended
  int64_t ended_by_length = 0;
  int64_t ended_abnormally = 0;
  LogMoments ttft;
  LogMoments tpot;

  // A try that failed is an error of the version that failed it, though another one answered: what
  // a retry hides from clients is still the version's fault.
  void AddError();
  // `tpot_s` is unset of an answer of one token, `finish` of one that does not say it.
  void AddAnswer(double ttft_s, std::optional<double> tpot_s, std::optional<Finish> finish);
  void Merge(const VersionSamples& other);
  // Whether it can have come of Add and Merge: a file, or a peer, may say anything.
  bool IsSane() const;

  bool operator==(const VersionSamples&) const = default;
};

struct Samples {
  uint64_t window = 0;
  VersionSamples stable;
  VersionSamples candidate;

  // REQUIRES: of the same window
  void Merge(const Samples& other);

  bool operator==(const Samples&) const = default;
};

}  // namespace gw::release
