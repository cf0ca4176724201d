#include "server/metrics_format.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/text.h"

namespace gw {
namespace {

// Up to the next `end`, which is taken away with it; none of it may stand between quotes.
std::string_view TakeUntil(std::string_view* rest, char end) {
  bool quoted = false;
  size_t i = 0;
  for (; i < rest->size() && (quoted || (*rest)[i] != end); ++i) {
    if (quoted && (*rest)[i] == '\\') {
      ++i;
    } else if ((*rest)[i] == '"') {
      quoted = !quoted;
    }
  }
  i = std::min(i, rest->size());
  const std::string_view taken = rest->substr(0, i);
  rest->remove_prefix(std::min(i + 1, rest->size()));
  return Trimmed(taken);
}

std::string_view Unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value;
  return value.substr(1, value.size() - 2);
}

// In thousandths. nullopt: it is none.
std::optional<int> QualityOf(std::string_view text) {
  if (text.empty() || text.size() > 5 || text[0] < '0' || text[0] > '1') return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int quality = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char digit : text.substr(std::min<size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') return std::nullopt;
    quality += (digit - '0') * unit;
    unit /= 10;
  }
  if (quality > 1000) return std::nullopt;
  return quality;
}

struct Range {
  std::string type;  // in lower case
  std::string_view version;
  int quality = 1000;
};

// One range of the list. nullopt: it cannot be read, and says nothing.
std::optional<Range> ReadRange(std::string_view text) {
  Range range;
  range.type = ToLower(TakeUntil(&text, ';'));
  while (!text.empty()) {
    std::string_view value = TakeUntil(&text, ';');
    const std::string name = ToLower(TakeUntil(&value, '='));
    value = Trimmed(value);
    if (name == "q") {
      const std::optional<int> quality = QualityOf(value);
      if (!quality) return std::nullopt;
      range.quality = *quality;
    } else if (name == "version") {
      range.version = Unquoted(value);
    }
  }
  return range;
}

// How much of a format is wanted, by the range that says most about it.
struct Wanted {
  int closeness = 0;  // 0: nobody has said anything
  int quality = 0;
  size_t place = 0;

  void Take(int as_close, const Range& range, size_t at) {
    if (as_close < closeness) return;
    if (as_close == closeness && range.quality <= quality) return;
    closeness = as_close;
    quality = range.quality;
    place = at;
  }
};

}  // namespace

MetricsFormat MetricsFormatFor(std::string_view accept) {
  Wanted text;
  Wanted open;
  for (size_t place = 0; !accept.empty(); ++place) {
    const std::optional<Range> range = ReadRange(TakeUntil(&accept, ','));
    if (!range) continue;
    const int named = range->version.empty() ? 3 : 4;
    if (range->type == "application/openmetrics-text") {
      if (range->version.empty() || range->version == "1.0.0") open.Take(named, *range, place);
    } else if (range->type == "text/plain") {
      if (range->version.empty() || range->version == "0.0.4") text.Take(named, *range, place);
    } else if (range->type == "text/*") {
      text.Take(2, *range, place);
    } else if (range->type == "*/*") {
      text.Take(1, *range, place);
    }
  }
  if (open.quality == 0 || open.quality < text.quality) return MetricsFormat::kText;
  // Who names OpenMetrics, and text by "*/*" only, wants the former.
  const bool text_first =
      text.quality == open.quality && text.closeness > 1 && text.place < open.place;
  return text_first ? MetricsFormat::kText : MetricsFormat::kOpenMetrics;
}

std::string_view ContentTypeOf(MetricsFormat format) {
  return format == MetricsFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace gw
