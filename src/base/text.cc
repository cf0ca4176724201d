#include "base/text.h"

#include <algorithm>
#include <ctime>
#include <iterator>

namespace gw {

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = ToLower(c);
  return lower;
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::string Sparkline(std::span<const double> values) {
  constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double most = values.empty() ? 0 : *std::ranges::max_element(values);
  std::string bars;
  for (const double value : values) {
    const double share = most > 0 ? value / most : 0;
    const auto bar = static_cast<size_t>(share * std::size(kBars));
    bars += kBars[std::min(bar, std::size(kBars) - 1)];
  }
  return bars;
}

std::string UtcText(int64_t unix_s) {
  const auto seconds = static_cast<std::time_t>(unix_s);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

}  // namespace gw
