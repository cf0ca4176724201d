#include "bench/load/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace gw::bench {
namespace {

constexpr size_t kSparklineMax = 30;

// REQUIRES: some
Duration QuantileOf(std::vector<Duration> values, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

}  // namespace

void Progress::Tell(const LiveFigures& live) {
  ttfts_.insert(ttfts_.end(), live.ttfts.begin(), live.ttfts.end());
  if (!is_terminal_ && live.now - last_.now < kPlainInterval) return;
  if (!ttfts_.empty()) medians_s_.push_back(ToSeconds(QuantileOf(ttfts_, 0.5)));
  if (medians_s_.size() > kSparklineMax) medians_s_.pop_front();
  out_ << (is_terminal_ ? "\r\x1b[K" : "") << LineOf(live) << (is_terminal_ ? "" : "\n");
  out_.flush();
  told_ = true;
  ttfts_.clear();
  last_ = live;
}

void Progress::End() {
  if (is_terminal_ && told_) out_ << "\n";
  out_.flush();
}

// Rates are those since the line before.
std::string Progress::LineOf(const LiveFigures& live) const {
  const double seconds = std::max(1e-9, ToSeconds(live.now - last_.now));
  const auto rate = [seconds](uint64_t now, uint64_t before) {
    return static_cast<double>(now - before) / seconds;
  };
  std::string line = fmt::format(
      "{:4.0f} s  {} asked ({:.1f}/s)  {} in flight  {} done  {} failed  {:.0f} tokens/s",
      ToSeconds(live.now), live.asked, rate(live.asked, last_.asked), live.in_flight,
      live.completed, live.failed, rate(live.output_events, last_.output_events));
  if (!ttfts_.empty()) {
    line += fmt::format("  TTFT p50 {:.0f} p99 {:.0f} ms", ToMillis(QuantileOf(ttfts_, 0.5)),
                        ToMillis(QuantileOf(ttfts_, 0.99)));
  }
  if (is_terminal_)
    line += "  " + Sparkline(std::vector<double>(medians_s_.begin(), medians_s_.end()));
  if (length_ && *length_ > live.now) {
    line += fmt::format("  {:.0f} s left", ToSeconds(*length_ - live.now));
  }
  return line;
}

}  // namespace gw::bench
