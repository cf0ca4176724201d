#include "bench/load/pace.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "base/status.h"

namespace gw::bench {
namespace {

constexpr uint32_t kConcurrencyMax = 1'000'000;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

class OpenPace final : public Pace {
 public:
  OpenPace(Arrivals arrivals, uint64_t seed) : arrivals_(std::move(arrivals)), random_(seed) {
    next_ = arrivals_.Next(random_);
  }

  std::optional<Duration> due() const override { return next_; }
  Duration Take() override {
    CHECK(next_.has_value());
    return *std::exchange(next_, arrivals_.Next(random_));
  }
  void OnAnswer(Duration) override {}
  bool done() const override { return !next_; }
  std::optional<Duration> length() const override { return arrivals_.length(); }
  std::optional<uint64_t> count() const override { return arrivals_.count(); }
  std::string Describe() const override { return arrivals_.Describe(); }

 private:
  Arrivals arrivals_;
  Random random_;
  std::optional<Duration> next_;
};

class ClosedPace final : public Pace {
 public:
  explicit ClosedPace(const PaceOptions& options)
      : concurrency_(options.concurrency),
        length_(options.arrivals.duration),
        count_(options.arrivals.count),
        free_(options.concurrency) {}

  std::optional<Duration> due() const override {
    if (free_.empty() || all_taken()) return std::nullopt;
    return free_.front();
  }
  Duration Take() override {
    CHECK(due().has_value());
    const Duration at = free_.front();
    free_.pop_front();
    ++taken_;
    ++in_flight_;
    return at;
  }
  void OnAnswer(Duration now) override {
    CHECK(in_flight_ > 0);
    --in_flight_;
    if (!length_ || now < *length_) free_.push_back(now);
  }
  bool done() const override { return all_taken() || (free_.empty() && in_flight_ == 0); }
  std::optional<Duration> length() const override { return length_; }
  std::optional<uint64_t> count() const override { return count_; }
  std::string Describe() const override { return std::to_string(concurrency_) + " at a time"; }

 private:
  bool all_taken() const { return count_ && taken_ >= *count_; }

  const uint32_t concurrency_;
  const std::optional<Duration> length_;
  const std::optional<uint64_t> count_;
  std::deque<Duration> free_;  // since when each place is; answers come in order, so do these
  uint64_t taken_ = 0;
  uint64_t in_flight_ = 0;
};

class ListedPace final : public Pace {
 public:
  ListedPace(std::vector<Duration> times, std::string description)
      : times_(std::move(times)), description_(std::move(description)) {}

  std::optional<Duration> due() const override {
    if (done()) return std::nullopt;
    return times_[next_];
  }
  Duration Take() override {
    CHECK(!done());
    return times_[next_++];
  }
  void OnAnswer(Duration) override {}
  bool done() const override { return next_ == times_.size(); }
  std::optional<Duration> length() const override {
    return times_.empty() ? Duration{} : times_.back();
  }
  std::optional<uint64_t> count() const override { return times_.size(); }
  std::string Describe() const override { return description_; }

 private:
  const std::vector<Duration> times_;
  const std::string description_;
  size_t next_ = 0;
};

absl::Status CheckClosed(const PaceOptions& options) {
  if (options.concurrency > kConcurrencyMax) {
    return Wrong("--concurrency: wanted at most " + std::to_string(kConcurrencyMax));
  }
  const ArrivalOptions& arrivals = options.arrivals;
  if (arrivals.per_second || arrivals.to_per_second || !arrivals.ladder.empty()) {
    return Wrong("--concurrency: asks when answers come, wanted no --rate or --ladder beside it");
  }
  if (arrivals.burstiness != 1) {
    return Wrong("--burstiness: wanted --rate or --ladder in place of --concurrency");
  }
  if (arrivals.count && *arrivals.count == 0) return Wrong("--requests: wanted a number above 0");
  if (arrivals.duration && *arrivals.duration <= Duration{}) {
    return Wrong("--duration: wanted a time above 0");
  }
  if (!arrivals.count && !arrivals.duration) {
    return Wrong("--duration: wanted a time, or --requests");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pace>> NewPace(const PaceOptions& options, uint64_t seed) {
  if (options.concurrency > 0) {
    RETURN_IF_ERROR(CheckClosed(options));
    return std::make_unique<ClosedPace>(options);
  }
  ASSIGN_OR_RETURN(Arrivals arrivals, Arrivals::From(options.arrivals));
  return std::make_unique<OpenPace>(std::move(arrivals), seed);
}

std::unique_ptr<Pace> NewListedPace(std::vector<Duration> times, std::string description) {
  CHECK(std::is_sorted(times.begin(), times.end()));
  return std::make_unique<ListedPace>(std::move(times), std::move(description));
}

}  // namespace gw::bench
