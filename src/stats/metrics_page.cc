#include "stats/metrics_page.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <utility>

namespace gw {
namespace {

constexpr std::string_view kTotal = "_total";

void AppendCount(std::string* out, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out->append(digits, end);
}

}  // namespace

// OpenMetrics names the family of a counter without the "_total" that its samples have. Where that
// is the name of another family, as of a gauge of the same things, or there is none, the type is
// "unknown", whose samples have the family's name: nobody's series changes.
void MetricsPage::Begin(const Family& family) {
  name_ = family.name;
  std::string_view name = family.name;
  std::string_view type = family.type;
  const bool open = format_ == MetricsFormat::kOpenMetrics;
  if (open && type == "counter") {
    if (name.ends_with(kTotal) && name.size() > kTotal.size() && !family.shares_name) {
      name.remove_suffix(kTotal.size());
    } else {
      type = "unknown";
    }
  }
  out_.append("# HELP ").append(name).push_back(' ');
  // There help is escaped as labels are.
  open ? AppendEscapedLabelValue(&out_, family.help) : AppendEscapedHelp(&out_, family.help);
  out_.append("\n# TYPE ").append(name).append(" ").append(type).push_back('\n');
}

// Up to where the value goes.
void MetricsPage::BeginSample(std::string_view suffix, std::string_view labels) {
  out_.append(name_).append(suffix);
  if (!labels.empty()) out_.append("{").append(labels).append("}");
  out_.push_back(' ');
}

// OpenMetrics has one way to write a bound: with a point or an exponent ("1.0").
void MetricsPage::AppendBound(double bound) {
  const size_t begin = out_.size();
  if (format_ == MetricsFormat::kOpenMetrics && bound >= 1e-4 && bound < 1e6) {
    char digits[32];
    const auto end =
        std::to_chars(digits, digits + sizeof(digits), bound, std::chars_format::fixed).ptr;
    out_.append(digits, end);
    if (out_.find('.', begin) == std::string::npos) out_.append(".0");
  } else {
    AppendNumber(&out_, bound);
  }
}

void MetricsPage::Add(std::string_view labels, uint64_t value) {
  BeginSample("", labels);
  AppendCount(&out_, value);
  out_.push_back('\n');
}

void MetricsPage::Add(std::string_view labels, double value) {
  BeginSample("", labels);
  AppendNumber(&out_, value);
  out_.push_back('\n');
}

void MetricsPage::Add(std::string_view labels, const HistogramValue& value) {
  const bool open = format_ == MetricsFormat::kOpenMetrics;
  uint64_t cumulative = 0;
  for (size_t i = 0; i < value.counts.size(); ++i) {
    cumulative += value.counts[i];
    const bool last = i + 1 == value.counts.size();
    out_.append(name_).append("_bucket{").append(labels);
    out_.append(labels.empty() ? "le=\"" : ",le=\"");
    AppendBound(last ? INFINITY : value.upper_bounds[i]);
    out_.append("\"} ");
    AppendCount(&out_, cumulative);
    if (open && value.exemplars != nullptr) {
      if (const auto kept = value.exemplars->Last(i)) AppendExemplar(&out_, *kept);
    }
    out_.push_back('\n');
  }
  BeginSample("_sum", labels);
  AppendNumber(&out_, value.sum);
  out_.push_back('\n');
  // The buckets' total, so that _count and the +Inf bucket of one page always agree.
  BeginSample("_count", labels);
  AppendCount(&out_, cumulative);
  out_.push_back('\n');
}

std::string MetricsPage::Finish() {
  if (format_ == MetricsFormat::kOpenMetrics) out_.append("# EOF\n");
  return std::move(out_);
}

}  // namespace gw
