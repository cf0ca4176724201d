// What `penstock top` shows: lines out of what the feed has told.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "cli/top/feed_state.h"

namespace gw {

// What the endpoints stand in the order of.
enum class TopSort : uint8_t { kInFlight, kWaiting, kRunning, kKvCache, kRate, kHits, kName };
inline constexpr size_t kTopSorts = static_cast<size_t>(TopSort::kName) + 1;
std::string_view NameOf(TopSort sort);

struct TopView {
  size_t width = 80;
  size_t height = 24;
  TopSort sort = TopSort::kInFlight;
  bool reversed = false;  // the least first
  size_t skip = 0;        // so many endpoints are above the first line that is shown
  bool paused = false;
  bool colours = false;
  bool help = false;
  std::string address;  // of the admin port
  std::string trouble;  // why nothing new comes; "": it does
};

// The totals of the last moments, for sparklines.
class TopHistory {
 public:
  void Add(const FeedState& state);

  std::deque<double> requests_per_s;
  std::deque<double> ttft_ms_p90;  // 0 where there was none

 private:
  static constexpr size_t kMax = 512;
};

// As many lines as are wanted, none wider than is wanted; without line ends. What stands in them is
// printable whatever the feed has told.
std::vector<std::string> DrawTop(const FeedState& state, const TopHistory& history,
                                 const TopView& view);
// The same on one line, for what is no terminal.
std::string TopLine(const FeedState& state);

// Of the last `width` values (base/text.h).
std::string Sparkline(const std::deque<double>& values, size_t width);

}  // namespace gw
