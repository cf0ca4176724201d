#include "cli/top/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/escape.h"
#include "base/text.h"

namespace gw {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kReset = "\x1b[0m";

// How many columns of a terminal it takes, nearly: a character each.
size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

std::string Cut(std::string_view text, size_t width) {
  if (WidthOf(text) <= width) return std::string(text);
  size_t seen = 0;
  size_t end = 0;
  while (end < text.size()) {
    const bool begins = (static_cast<uint8_t>(text[end]) & 0xc0) != 0x80;
    if (begins && seen++ == width - std::min<size_t>(1, width)) break;
    ++end;
  }
  return std::string(text.substr(0, end)) + (width > 0 ? "~" : "");
}

std::string Padded(std::string_view text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, WidthOf(text)), ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

// "1.2k", "34M"; "-" of nothing.
std::string Short(std::optional<double> value, int digits = 0) {
  if (!value) return "-";
  const double size = std::abs(*value);
  if (size >= 9.995e6) return fmt::format("{:.0f}M", *value / 1e6);
  if (size >= 9.995e5) return fmt::format("{:.1f}M", *value / 1e6);
  if (size >= 9995) return fmt::format("{:.0f}k", *value / 1e3);
  if (size >= 1000) return fmt::format("{:.1f}k", *value / 1e3);
  return fmt::format("{:.{}f}", *value, size >= 100 ? 0 : digits);
}

std::string Millis(std::optional<double> ms) {
  if (!ms) return "-";
  return *ms >= 10'000 ? fmt::format("{:.1f}s", *ms / 1000)
                       : fmt::format("{:.{}f}", *ms, *ms < 10 ? 1 : 0);
}

std::string Percent(std::optional<double> ratio) {
  return ratio ? fmt::format("{:.0f}%", *ratio * 100) : "-";
}

std::string Ago(std::optional<double> since_ms, int64_t now_ms) {
  if (!since_ms) return "-";
  const auto seconds = std::max<int64_t>(0, (now_ms - static_cast<int64_t>(*since_ms)) / 1000);
  if (seconds < 100) return fmt::format("{}s", seconds);
  if (seconds < 6000) return fmt::format("{}m", seconds / 60);
  return seconds < 172'800 ? fmt::format("{}h", seconds / 3600)
                           : fmt::format("{}d", seconds / 86'400);
}

// Rows of cells under titles, as wide as needed; the first column takes what is left.
class Grid {
 public:
  struct Column {
    std::string title;
    bool right = true;
  };
  explicit Grid(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void Add(std::vector<std::string> cells, std::string_view colour = {}) {
    for (std::string& cell : cells) cell = Printable(cell);
    rows_.push_back({std::move(cells), colour});
  }

  // Columns that find no room are left out, the last ones first.
  std::vector<std::string> Lines(const TopView& view) const {
    std::vector<size_t> widths;
    for (size_t i = 0; i < columns_.size(); ++i) {
      size_t width = WidthOf(columns_[i].title);
      for (const Row& row : rows_) width = std::max(width, WidthOf(row.cells[i]));
      widths.push_back(width);
    }
    size_t shown = 1;
    size_t rest = 0;  // of all but the first
    const size_t least = std::min<size_t>(widths[0], 16);
    while (shown < widths.size() && least + rest + widths[shown] + 2 <= view.width) {
      rest += widths[shown++] + 2;
    }
    widths[0] = std::min(widths[0], view.width - std::min(view.width, rest));
    std::vector<std::string> lines;
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    lines.push_back(LineOf(titles, widths, shown, view.colours ? kBold : ""));
    for (const Row& row : rows_) {
      lines.push_back(LineOf(row.cells, widths, shown, view.colours ? row.colour : ""));
    }
    return lines;
  }

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string_view colour;
  };

  std::string LineOf(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                     size_t shown, std::string_view colour) const {
    std::string line(colour);
    for (size_t i = 0; i < shown; ++i) {
      if (i > 0) line += "  ";
      line += Padded(Cut(cells[i], widths[i]), widths[i], columns_[i].right);
    }
    if (!colour.empty()) line += kReset;
    return line;
  }

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

std::string HeadLine(const FeedState& state, const TopView& view) {
  const auto text = [&state](std::string_view name) {
    const auto it = state.gateway().find(name);
    return it == state.gateway().end() ? std::string() : it->second.text();
  };
  const auto number = [&state](std::string_view name) {
    const auto it = state.gateway().find(name);
    return it == state.gateway().end() ? std::nullopt : it->second.number();
  };
  std::string line = fmt::format(
      "penstock {} at {}: {}, configuration {}, up {}, {} clients", text("version"), view.address,
      text("phase"), Short(number("generation")), Ago(number("started_at"), state.at_unix_ms()),
      Short(number("downstream_connections")));
  const double wrong = number("refused").value_or(0) + number("stale").value_or(0);
  if (wrong > 0) line += fmt::format(", {} OBJECTS NOT SERVED AS WRITTEN", Short(wrong));
  if (view.paused) line += "  [paused]";
  if (!view.trouble.empty()) line += "  [" + view.trouble + "]";
  return Printable(line);
}

std::vector<std::string> TotalLines(const FeedState& state, const TopHistory& history,
                                    const TopView& view) {
  const FeedRow& totals = state.Row("totals");
  const auto short_of = [&totals](std::string_view name, int digits = 0) {
    return Short(totals.number(name), digits);
  };
  std::string requests = fmt::format(
      "requests/s {:>6}  errors/s {:>5}  in flight {:>5}  waiting {:>4}  running {:>4}"
      "  queued {:>4}",
      short_of("requests_per_s", 1), short_of("errors_per_s", 1), short_of("in_flight"),
      short_of("waiting"), short_of("running"), short_of("queued"));
  std::string times = fmt::format(
      "TTFT ms p50 {:>5}  p90 {:>5}  p99 {:>5}  TPOT ms p50 {:>5}  p99 {:>5}  tokens/s in {:>5}  "
      "out {:>5}",
      Millis(totals.number("ttft_ms_p50")), Millis(totals.number("ttft_ms_p90")),
      Millis(totals.number("ttft_ms_p99")), Millis(totals.number("tpot_ms_p50")),
      Millis(totals.number("tpot_ms_p99")), short_of("prompt_tokens_per_s"),
      short_of("completion_tokens_per_s"));
  const auto add = [&view](std::string* line, const std::deque<double>& values) {
    const size_t used = WidthOf(*line) + 2;
    if (used + 8 <= view.width)
      *line += "  " + Sparkline(values, std::min<size_t>(view.width - used, 60));
  };
  add(&requests, history.requests_per_s);
  add(&times, history.ttft_ms_p90);
  return {std::move(requests), std::move(times)};
}

// Above all else: what is wrong.
std::vector<std::string> ProblemLines(const FeedState& state, size_t lines_max) {
  std::vector<std::string> lines;
  if (const auto it = state.gateway().find("load_error");
      it != state.gateway().end() && !it->second.text().empty()) {
    lines.push_back("! not everything can be read: " + it->second.text());
  }
  for (const FeedRow* row : state.Rows("objects")) {
    if (!row->text("why").empty()) lines.push_back("! " + row->text("why"));
  }
  if (lines.size() > lines_max) {
    const size_t more = lines.size() - lines_max + 1;
    lines.resize(lines_max);
    if (lines_max > 0) lines.back() = fmt::format("! and {} more: penstock get all", more);
  }
  for (std::string& line : lines) line = Printable(line);
  return lines;
}

std::vector<std::string> PoolLines(const FeedState& state, const TopView& view) {
  Grid grid({{"POOL", false},
             {"STRATEGY", false},
             {"READY"},
             {"IN-FLIGHT"},
             {"WAITING"},
             {"RUNNING"},
             {"KV"},
             {"REQ/S"},
             {"TTFT-P50"},
             {"P99"},
             {"TPOT-P50"},
             {"HITS"},
             {"QUEUED"}});
  for (const FeedRow* row : state.Rows("pools")) {
    const bool all_ready = row->number("ready") == row->number("endpoints");
    grid.Add({row->text("pool"), row->text("strategy"),
              Short(row->number("ready")) + "/" + Short(row->number("endpoints")),
              Short(row->number("in_flight")), Short(row->number("waiting")),
              Short(row->number("running")), Percent(row->number("kv_cache_utilization_ratio")),
              Short(row->number("requests_per_s"), 1), Millis(row->number("ttft_ms_p50")),
              Millis(row->number("ttft_ms_p99")), Millis(row->number("tpot_ms_p50")),
              Percent(row->number("prefix_hit_ratio")), Short(row->number("queued"))},
             !row->text("unservable").empty() || row->number("ready") == 0.0 ? kRed
             : all_ready                                                     ? ""
                                                                             : kYellow);
  }
  return grid.Lines(view);
}

std::vector<std::string> QueueLines(const FeedState& state, const TopView& view) {
  std::vector<const FeedRow*> rows = state.Rows("queues");
  std::erase_if(rows, [](const FeedRow* row) {
    return row->number("waiting").value_or(0) == 0 &&
           row->number("in_flight_requests").value_or(0) == 0;
  });
  if (rows.empty()) return {};
  std::ranges::stable_sort(rows, [](const FeedRow* a, const FeedRow* b) {
    return a->number("priority").value_or(0) > b->number("priority").value_or(0);
  });
  Grid grid({{"QUEUE", false},
             {"PRIORITY"},
             {"TENANT", false},
             {"WAITING"},
             {"OLDEST"},
             {"IN-FLIGHT"},
             {"STATE", false}});
  for (const FeedRow* row : rows) {
    grid.Add({row->text("pool"), Short(row->number("priority")), row->text("tenant"),
              Short(row->number("waiting")), Ago(row->number("oldest_at"), state.at_unix_ms()),
              Short(row->number("in_flight_requests")), row->text("state")});
  }
  return grid.Lines(view);
}

std::vector<std::string> ReleaseLines(const FeedState& state, const TopView& view) {
  const std::vector<const FeedRow*> rows = state.Rows("releases");
  if (rows.empty()) return {};
  Grid grid({{"RELEASE", false}, {"PHASE", false}, {"STEP"}, {"WEIGHT"}, {"WHAT IT DOES", false}});
  for (const FeedRow* row : rows) {
    grid.Add({row->text("release"), row->text("phase"),
              Short(row->number("step")) + "/" + Short(row->number("steps")),
              Short(row->number("candidate_percent")) + "%", row->text("text")});
  }
  return grid.Lines(view);
}

std::string_view ColumnOf(TopSort sort) {
  constexpr std::array<std::string_view, kTopSorts> kColumns = {
      "in_flight",      "waiting",          "running", "kv_cache_utilization_ratio",
      "requests_per_s", "prefix_hit_ratio", "pod"};
  return kColumns[static_cast<size_t>(sort)];
}

std::vector<const FeedRow*> SortedEndpoints(const FeedState& state, const TopView& view) {
  std::vector<const FeedRow*> rows = state.Rows("endpoints");
  const std::string_view column = ColumnOf(view.sort);
  std::ranges::stable_sort(rows, [&](const FeedRow* a, const FeedRow* b) {
    if (view.reversed) std::swap(a, b);
    if (view.sort == TopSort::kName) return a->text(column) < b->text(column);
    return a->number(column).value_or(-1) > b->number(column).value_or(-1);
  });
  return rows;
}

std::string StateText(const FeedRow& row, int64_t now_ms) {
  std::string text = row.text("state");
  if (const auto until = row.number("ejected_until")) {
    text += fmt::format(" {:.0f}s", std::max(0.0, (*until - static_cast<double>(now_ms)) / 1000));
  }
  if (const auto allowed = row.number("allowed")) text += fmt::format(" max {:.0f}", *allowed);
  return text;
}

std::string_view ColourOf(const FeedRow& row) {
  const std::string& state = row.text("state");
  if (state == "ready") return {};
  return state == "ejected" || state == "silent" ? kRed : kYellow;
}

std::string KvBar(std::optional<double> ratio) {
  if (!ratio) return "-";
  const auto full = static_cast<size_t>(std::clamp(*ratio, 0.0, 1.0) * 8 + 0.5);
  return fmt::format("{:<8} {:>4}", std::string(full, '|'), Percent(ratio));
}

// From view.skip on. REQUIRES: lines_max > 1
std::vector<std::string> EndpointLines(const FeedState& state, const TopView& view,
                                       size_t lines_max) {
  const std::vector<const FeedRow*> rows = SortedEndpoints(state, view);
  Grid grid({{"ENDPOINT", false},
             {"ADDRESS", false},
             {"STATE", false},
             {"IN-FLIGHT"},
             {"WAITING"},
             {"RUNNING"},
             {"PENDING"},
             {"KV", false},
             {"REQ/S"},
             {"HITS"},
             {"POOL", false}});
  const size_t end = std::min(rows.size(), view.skip + lines_max - 1);  // a line for the titles
  for (size_t i = view.skip; i < end; ++i) {
    const FeedRow& row = *rows[i];
    const std::string role = row.text("role").empty() ? "" : " (" + row.text("role") + ")";
    grid.Add(
        {row.text("pod") + role, row.text("address"), StateText(row, state.at_unix_ms()),
         Short(row.number("in_flight")), Short(row.number("waiting")), Short(row.number("running")),
         Short(row.number("pending_prompt_tokens")),
         KvBar(row.number("kv_cache_utilization_ratio")), Short(row.number("requests_per_s"), 1),
         Percent(row.number("prefix_hit_ratio")), row.text("pool")},
        ColourOf(row));
  }
  return grid.Lines(view);
}

std::string FootLine(const FeedState& state, const TopView& view) {
  if (view.help) {
    return "q quit  s sort by the next column  r reverse  arrows, PgUp, PgDn, Home, End move  "
           "space pause  ? less";
  }
  return fmt::format("{} endpoints by {}{}, from {}  |  q quit, s sort, r reverse, ? help",
                     state.Rows("endpoints").size(), NameOf(view.sort),
                     view.reversed ? " (least first)" : "", view.skip + 1);
}

}  // namespace

std::string_view NameOf(TopSort sort) {
  constexpr std::array<std::string_view, kTopSorts> kNames = {
      "in flight", "waiting", "running", "KV cache", "requests/s", "hits", "name"};
  return kNames[static_cast<size_t>(sort)];
}

void TopHistory::Add(const FeedState& state) {
  const FeedRow& totals = state.Row("totals");
  requests_per_s.push_back(totals.number("requests_per_s").value_or(0));
  ttft_ms_p90.push_back(totals.number("ttft_ms_p90").value_or(0));
  if (requests_per_s.size() > kMax) requests_per_s.pop_front();
  if (ttft_ms_p90.size() > kMax) ttft_ms_p90.pop_front();
}

std::string Sparkline(const std::deque<double>& values, size_t width) {
  const auto shown = static_cast<ptrdiff_t>(std::min(values.size(), width));
  return Sparkline(std::vector<double>(values.end() - shown, values.end()));
}

std::vector<std::string> DrawTop(const FeedState& state, const TopHistory& history,
                                 const TopView& view) {
  std::vector<std::string> lines = {HeadLine(state, view)};
  const auto add = [&lines](std::vector<std::string> more) {
    if (more.empty()) return;
    lines.push_back("");
    std::move(more.begin(), more.end(), std::back_inserter(lines));
  };
  for (std::string& line : TotalLines(state, history, view)) lines.push_back(std::move(line));
  add(ProblemLines(state, std::max<size_t>(1, view.height / 6)));
  add(PoolLines(state, view));
  add(QueueLines(state, view));
  add(ReleaseLines(state, view));
  // The foot, and the empty line before the endpoints.
  const size_t used = lines.size() + 2;
  TopView shown = view;
  if (used + 1 < view.height) {
    const size_t room = view.height - used;
    const size_t all = state.Rows("endpoints").size();
    shown.skip = std::min(view.skip, all - std::min(all, room - 1));
    add(EndpointLines(state, shown, room));
  }
  lines.resize(std::max<size_t>(1, view.height) - 1);
  lines.push_back(FootLine(state, shown));
  for (std::string& line : lines) {
    if (!line.starts_with('\x1b')) line = Cut(line, view.width);
  }
  return lines;
}

std::string TopLine(const FeedState& state) {
  const FeedRow& totals = state.Row("totals");
  size_t ready = 0;
  const std::vector<const FeedRow*> endpoints = state.Rows("endpoints");
  for (const FeedRow* row : endpoints) ready += row->text("state") == "ready";
  return fmt::format(
      "{:.1f} requests/s  {:.1f} errors/s  TTFT p50 {} p99 {} ms  TPOT p50 {} ms  {} tokens/s  "
      "{} in flight  {} waiting  {} queued  {}/{} endpoints ready",
      totals.number("requests_per_s").value_or(0), totals.number("errors_per_s").value_or(0),
      Millis(totals.number("ttft_ms_p50")), Millis(totals.number("ttft_ms_p99")),
      Millis(totals.number("tpot_ms_p50")), Short(totals.number("completion_tokens_per_s")),
      Short(totals.number("in_flight")), Short(totals.number("waiting")),
      Short(totals.number("queued")), ready, endpoints.size());
}

}  // namespace gw
