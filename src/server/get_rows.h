// One row, and one document, for each object that `penstock get` shows.

#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/document.h"
#include "server/endpoint_report.h"
#include "server/get.h"

namespace gw {

struct GetColumn {
  std::string title;
  bool wide = false;   // shown with -o wide only
  bool moves = false;  // changes all the time by itself: not watched
};

struct GetRow {
  std::vector<std::string> names;               // that it may be asked for by
  std::vector<std::vector<std::string>> lines;  // each with a cell of each of ColumnsOf its kind
  Document object;
};

struct GetFilter {
  std::string ns;                                 // empty: all
  std::set<std::string, std::less<>> names = {};  // empty: all

  bool Takes(std::string_view object_ns, const std::vector<std::string>& object_names) const;
};

// `kind`: one with conditions, "Pod", "Endpoint", "Queue", or empty for all that have conditions.
std::vector<GetColumn> ColumnsOf(std::string_view kind);
std::vector<GetRow> RowsOf(const GetSources& sources, std::string_view kind,
                           const GetFilter& filter);

// "inferencepools.inference.networking.k8s.io" and the like, as kubectl's messages call a kind.
std::string ResourceOf(std::string_view kind);
// For messages: "gatewayclasses, gateways, ... and endpoints".
std::string AllResources();
// `, did you mean "pods"?`, or "" if no kind has a name like it.
std::string MeantResource(std::string_view argument);

// One endpoint, as /endpoints and `get endpoints -o json` tell it.
Document EndpointDocument(const Pool& pool, const Endpoint& endpoint, TimePoint now);

}  // namespace gw
