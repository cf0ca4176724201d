#include "sim/server/metrics_page.h"

#include <charconv>

#include "sim/server/text.h"
#include "stats/exposition.h"

namespace gw::sim {

void AppendPythonNumber(std::string* out, double value) {
  char text[400];
  std::string_view digits(
      text,
      static_cast<size_t>(
          std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed).ptr - text));
  size_t point = digits.find('.');
  if (point == std::string_view::npos) point = digits.size();
  if (value < 1e6) {
    out->append(digits);
    if (point == digits.size()) out->append(".0");
    return;
  }
  // From seven digits on before the point: d.dddde+NN, without zeros at the end.
  std::string mantissa =
      Concat({digits.substr(0, point), digits.substr(std::min(point + 1, digits.size()))});
  mantissa.erase(mantissa.find_last_not_of('0') + 1);
  Append(out,
         {std::string_view(mantissa).substr(0, 1), mantissa.size() > 1 ? "." : "",
          std::string_view(mantissa).substr(1), point - 1 < 10 ? "e+0" : "e+", Digits(point - 1)});
}

void AppendMetricsPage(Runtime runtime, const MetricsInput& input, std::string* out) {
  runtime == Runtime::kVllm ? internal::AppendVllmPage(input, out)
                            : internal::AppendSglangPage(input, out);
}

std::string_view MetricsContentType(Runtime runtime) {
  return runtime == Runtime::kVllm ? "text/plain; version=1.0.0; charset=utf-8"
                                   : "text/plain; version=0.0.4; charset=utf-8";
}

namespace internal {

PageWriter::PageWriter(std::string* out, std::string_view labels_before_le,
                       std::string_view labels_after_le, double created_unix_s)
    : out_(out), before_(labels_before_le), after_(labels_after_le), created_(created_unix_s) {}

void PageWriter::Family(std::string_view name, std::string_view type, std::string_view help) {
  Append(out_, {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"});
}

void PageWriter::Labels(std::string_view first, std::string_view more_before,
                        std::string_view more_after) {
  std::string_view separator = "{";
  for (const std::string_view part :
       {std::string_view(before_), first, more_before, std::string_view(after_), more_after}) {
    if (part.empty()) continue;
    Append(out_, {separator, part});
    separator = ",";
  }
  if (separator == ",") out_->push_back('}');
}

void PageWriter::Value(std::string_view name, double value, std::string_view more_before,
                       std::string_view more_after) {
  out_->append(name);
  Labels({}, more_before, more_after);
  out_->push_back(' ');
  AppendPythonNumber(out_, value);
  out_->push_back('\n');
}

void PageWriter::Gauge(std::string_view name, std::string_view help, double value) {
  Family(name, "gauge", help);
  Value(name, value);
}

void PageWriter::Counter(std::string_view name, std::string_view help, double value) {
  Family(name, "counter", help);
  Value(name, value);
  Created(name.substr(0, name.rfind("_total")), help);
}

void PageWriter::Created(std::string_view name, std::string_view help, std::string_view more_before,
                         std::string_view more_after) {
  const std::string created = Concat({name, "_created"});
  Family(created, "gauge", help);
  Value(created, created_, more_before, more_after);
}

void PageWriter::Histogram(std::string_view name, std::string_view help,
                           const Distribution& values) {
  Family(name, "histogram", help);
  uint64_t cumulative = 0;
  for (size_t i = 0; i < values.counts().size(); ++i) {
    cumulative += values.counts()[i];
    std::string le = "le=\"";
    if (i < values.upper_bounds().size()) {
      AppendPythonNumber(&le, values.upper_bounds()[i]);
    } else {
      le += "+Inf";
    }
    le += '"';
    Append(out_, {name, "_bucket"});
    Labels(le, {}, {});
    Append(out_, {" ", Digits(cumulative), ".0\n"});
  }
  Value(Concat({name, "_count"}), static_cast<double>(values.count()));
  Value(Concat({name, "_sum"}), values.sum());
  Created(name, help);
}

}  // namespace internal
}  // namespace gw::sim
