#include "bench/load/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/escape.h"
#include "bench/load/fleet_html.h"

namespace gw::bench {
namespace {

constexpr size_t kErrorsShown = 10;
constexpr size_t kErrorCharsMax = 78;
constexpr size_t kGroupCharsMax = 20;
// Above this the generator, or the machine that it runs on, is part of what was measured.
constexpr double kLatenessFineS = 0.010;

// Bytes behind `most` are cut off, characters of several bytes as a whole.
std::string Cut(std::string text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

void AppendTitle(std::string* out, std::string_view name, std::string_view text) {
  if (!text.empty()) *out += fmt::format("{:<10} {}\n", name, Printable(text));
}

void AppendDistribution(std::string* out, std::string_view name, const Distribution& values) {
  *out += fmt::format("{:<16}", name);
  for (const double value :
       {values.mean, values.p50, values.p90, values.p95, values.p99, values.max}) {
    *out += fmt::format("{:>12}", FigureText(value * 1e3));
  }
  *out += '\n';
}

void AppendAll(std::string* out, const Summary& summary) {
  const Figures& all = summary.all;
  *out += fmt::format("requests   {} asked, {} completed, {} failed in {} s", all.requests,
                      all.completed, all.requests - all.completed, FigureText(summary.seconds));
  if (summary.warm_up > 0) *out += fmt::format("; {} before to warm up", summary.warm_up);
  *out += fmt::format("\nrates      {} requests/s, {} prompt tokens/s, {} output tokens/s\n",
                      FigureText(all.requests_per_second), FigureText(all.prompt_tokens_per_second),
                      FigureText(all.output_tokens_per_second));
  *out += fmt::format("tokens     {} of prompts", all.prompt_tokens);
  if (all.cached_share) *out += fmt::format(" ({:.1f} % cached)", *all.cached_share * 100);
  *out += fmt::format(", {} of output\n", all.output_tokens);
}

void AppendGoodput(std::string* out, const Objectives& objectives, const Figures& all) {
  if (!all.good_share) return;
  std::string kept;
  const auto add = [&](std::string_view name, const std::optional<Duration>& most) {
    if (!most) return;
    kept +=
        fmt::format("{}{} <= {} ms", kept.empty() ? "" : ", ", name, FigureText(ToMillis(*most)));
  };
  add("TTFT", objectives.ttft);
  add("TPOT", objectives.tpot);
  add("E2E", objectives.e2e);
  *out += fmt::format("goodput    {} requests/s, {:.1f} % of all asked ({})\n",
                      FigureText(all.goodput_per_second.value_or(Distribution::kNone)),
                      *all.good_share * 100, kept);
}

void AppendLatencies(std::string* out, const Summary& summary) {
  *out += fmt::format("\n{:<16}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "ms", "mean", "p50", "p90",
                      "p95", "p99", "max");
  AppendDistribution(out, "TTFT", summary.all.ttft);
  AppendDistribution(out, "TPOT", summary.all.tpot);
  if (summary.gaps.count > 0) AppendDistribution(out, "between events", summary.gaps);
  AppendDistribution(out, "E2E", summary.all.e2e);
  if (summary.lateness.count > 0) AppendDistribution(out, "sent too late", summary.lateness);
  if (summary.held.count > 0) AppendDistribution(out, "had no place", summary.held);
}

void AppendGroups(std::string* out, const Summary& summary) {
  if (summary.groups.empty()) return;
  const bool good = summary.all.good_share.has_value();
  *out += fmt::format("\n{:<{}}{:>8}{:>8}{:>8}{:>10}{:>10}{:>9}{:>10}{:>8}{}\n", "group",
                      kGroupCharsMax + 1, "asked", "failed", "req/s", "output/s", "TTFT p50", "p99",
                      "TPOT p50", "p99", good ? "  good %" : "");
  for (const auto& [group, figures] : summary.groups) {
    *out += fmt::format("{:<{}}{:>8}{:>8}{:>8}{:>10}{:>10}{:>9}{:>10}{:>8}",
                        Cut(Printable(GroupText(group)), kGroupCharsMax), kGroupCharsMax + 1,
                        figures.requests, figures.requests - figures.completed,
                        FigureText(figures.requests_per_second),
                        FigureText(figures.output_tokens_per_second),
                        FigureText(figures.ttft.p50 * 1e3), FigureText(figures.ttft.p99 * 1e3),
                        FigureText(figures.tpot.p50 * 1e3), FigureText(figures.tpot.p99 * 1e3));
    if (good) *out += fmt::format("{:>8.1f}", figures.good_share.value_or(0) * 100);
    *out += '\n';
  }
}

void AppendErrors(std::string* out, const Summary& summary) {
  if (summary.errors.empty()) return;
  std::vector<std::pair<std::string, uint64_t>> errors(summary.errors.begin(),
                                                       summary.errors.end());
  std::ranges::stable_sort(errors,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  *out += "\nfailed  as\n";
  uint64_t rest = 0;
  for (size_t i = 0; i < errors.size(); ++i) {
    if (i >= kErrorsShown) {
      rest += errors[i].second;
      continue;
    }
    *out += fmt::format("{:>6}  {}\n", errors[i].second,
                        Cut(Printable(errors[i].first), kErrorCharsMax));
  }
  if (rest > 0) {
    *out += fmt::format("{:>6}  {} other kinds\n", rest, errors.size() - kErrorsShown);
  }
}

}  // namespace

std::string FigureText(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size < 0.00005) return "0.0000";
  // 0.9996 would be four digits as one below 1.
  if (size < 0.9995) return fmt::format("{:.{}f}", value, size < 0.09995 ? 4 : 3);
  if (size < 9.995) return fmt::format("{:.2f}", value);
  if (size < 99.95) return fmt::format("{:.1f}", value);
  const std::string digits = fmt::format("{:.0f}", size);
  std::string text = value < 0 ? "-" : "";
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string GroupText(const RecordGroup& group) {
  if (group.tenant.empty() && group.priority.empty()) return "(none)";
  if (group.tenant.empty()) return group.priority;
  if (group.priority.empty()) return group.tenant;
  return group.tenant + " / " + group.priority;
}

std::string ReportText(const Result& result) {
  const Summary& summary = result.summary;
  std::string out;
  AppendTitle(&out, "target", result.target);
  AppendTitle(&out, "workload", result.workload);
  AppendAll(&out, summary);
  AppendGoodput(&out, result.objectives, summary.all);
  if (!result.fleet.empty()) AppendTitle(&out, "gateway", SharesText(result.fleet));
  AppendLatencies(&out, summary);
  AppendGroups(&out, summary);
  AppendErrors(&out, summary);
  if (summary.held.count > 0) {
    out +=
        "\nSome waited for a place (--in-flight-max). Latencies count from when they were due.\n";
  }
  if (summary.lateness.p99 > kLatenessFineS) {
    out += fmt::format(
        "\nThe generator itself was late: 1 % of the requests were sent {} ms or more after they "
        "were\ndue. All latencies include it; a machine with less to do would show the server's.\n",
        FigureText(summary.lateness.p99 * 1e3));
  }
  return out;
}

}  // namespace gw::bench
