#include "server/get.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "http/url.h"
#include "server/get_rows.h"

namespace gw {
namespace {

AdminResponse Text(std::string body) { return {.body = std::move(body)}; }

// The kind that an argument means; empty if none does.
std::string KindOf(std::string_view argument) {
  std::string lower(argument);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view name : {"pods", "pod", "po"}) {
    if (lower == name) return "Pod";
  }
  for (const std::string_view name : {"endpoints", "endpoint", "ep"}) {
    if (lower == name) return "Endpoint";
  }
  for (const std::string_view name : {"queues", "queue"}) {
    if (lower == name) return "Queue";
  }
  for (const std::string_view name : {"peers", "peer"}) {
    if (lower == name) return "Peer";
  }
  return api::KindFromArgument(argument);
}

// "a,b" -> a, b
std::set<std::string, std::less<>> Names(std::string_view query) {
  std::set<std::string, std::less<>> names;
  const std::string list = http::QueryParam(query, "name").value_or("");
  for (size_t at = 0; at < list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) names.insert(list.substr(at, comma - at));
    at = comma + 1;
  }
  return names;
}

AdminResponse NotFound(std::string_view kind, std::string_view name) {
  return {.status = 404,
          .body = fmt::format("Error from server (NotFound): {} \"{}\" not found\n",
                              ResourceOf(kind), name)};
}

// The objects of one kind, with their conditions in full.
AdminResponse Describe(const GetSources& sources, std::string_view kind, const GetFilter& filter) {
  api::StatusSet shown;
  for (const auto& [ref, status] : api::OfKind(sources.status, kind)) {
    if (filter.Takes(ref.ns, {ref.name})) shown.emplace(ref, status);
  }
  return Text(api::FormatStatus(shown));
}

Document ListOf(std::vector<GetRow>& rows) {
  Document items = Document::List();
  for (GetRow& row : rows) items.Add(std::move(row.object));
  Document list = Document::Map();
  list.Set("apiVersion", "v1").Set("items", std::move(items)).Set("kind", "List");
  return list;
}

AdminResponse Show(std::string_view kind, std::vector<GetRow> rows, const GetFilter& filter,
                   const std::string& output, bool watch) {
  if (output == "json" || output == "yaml") {
    const bool one = filter.names.size() == 1 && rows.size() == 1;
    const Document document = one ? std::move(rows[0].object) : ListOf(rows);
    const bool json = output == "json";
    return {.content_type = json ? "application/json" : "application/yaml",
            .body = json ? document.ToJson() : document.ToYaml()};
  }
  const std::vector<GetColumn> columns = ColumnsOf(kind);
  const auto is_shown = [&](const GetColumn& column) {
    return (output == "wide" || !column.wide) && !(watch && column.moves);
  };
  std::vector<std::string> titles;
  for (const GetColumn& column : columns) {
    if (is_shown(column)) titles.push_back(column.title);
  }
  Table table(titles);
  for (GetRow& row : rows) {
    for (std::vector<std::string>& line : row.lines) {
      std::vector<std::string> cells;
      for (size_t i = 0; i < columns.size(); ++i) {
        if (is_shown(columns[i])) cells.push_back(std::move(line[i]));
      }
      table.Add(std::move(cells));
    }
  }
  return Text(table.ToText());
}

}  // namespace

AdminResponse AnswerGet(const GetSources& sources, std::string_view query) {
  const std::string argument = http::QueryParam(query, "kind").value_or("all");
  const std::string output = http::QueryParam(query, "output").value_or("");
  if (!output.empty() && output != "wide" && output != "json" && output != "yaml" &&
      output != "describe") {
    return {.status = 400,
            .body = fmt::format("error: unable to match a printer suitable for the output format "
                                "\"{}\", allowed formats are: json,wide,yaml\n",
                                output)};
  }
  const std::string kind = KindOf(argument);
  const bool all = argument == "all";
  if (kind.empty() && !all) {
    const std::string meant = MeantResource(argument);
    return {.status = 404,
            .body = fmt::format(
                "error: the server doesn't have a resource type \"{}\"{} It has all, {}\n",
                argument, meant.empty() ? "." : meant, AllResources())};
  }
  GetFilter filter{.ns = http::QueryParam(query, "namespace").value_or(""), .names = Names(query)};
  std::vector<GetRow> rows = RowsOf(sources, kind, filter);
  for (const std::string& name : filter.names) {
    const bool found = std::ranges::any_of(
        rows, [&](const GetRow& row) { return std::ranges::count(row.names, name) > 0; });
    if (!found) return NotFound(kind, name);
  }
  const bool has_conditions =
      kind != "Pod" && kind != "Endpoint" && kind != "Queue" && kind != "Peer";
  const bool table = output.empty() || output == "wide";
  if (has_conditions && (output == "describe" || (all && table))) {
    return Describe(sources, kind, filter);
  }
  const bool watch = http::QueryParam(query, "watch").value_or("") == "true";
  return Show(kind, std::move(rows), filter, output == "describe" ? "yaml" : output, watch);
}

}  // namespace gw
