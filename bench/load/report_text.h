// The figures of a run as plain text for a terminal, at most 100 columns wide: all requests, then
// each group of them; how requests failed; and how late the generator itself was, without which
// nobody knows whether the figures are the server's.

#pragma once

#include <string>

#include "bench/load/result.h"

namespace gw::bench {

// Lines, each with its end. Texts of others (errors, names of groups) are made printable and cut.
std::string ReportText(const Result& result);

// How reports write a figure: three digits that count, "-" for what was not measured.
// "0.0123", "1.23", "12.3", "123", "12,345"
std::string FigureText(double value);
// The name of a group in reports: "tenant / priority", or the one that there is; "(none)" of
// neither.
std::string GroupText(const RecordGroup& group);

}  // namespace gw::bench
