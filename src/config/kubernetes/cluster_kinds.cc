#include "config/kubernetes/cluster_kinds.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <tuple>

#include "api/parse.h"

namespace gw::config {
namespace {

// "v1beta2" -> (stage 1, major 1, minor 2): compared in this order. What is none of Kubernetes' is
// the oldest.
std::tuple<int, int, int> RankOf(std::string_view version) {
  if (!version.starts_with('v')) return {-1, 0, 0};
  const std::string_view rest = version.substr(1);
  const size_t word = std::min(rest.find_first_not_of("0123456789"), rest.size());
  const size_t digits = std::min(rest.find_first_of("0123456789", word), rest.size());
  const std::string_view stage = rest.substr(word, digits - word);
  int major = 0;
  int minor = 0;
  if (!absl::SimpleAtoi(std::string(rest.substr(0, word)), &major)) return {-1, 0, 0};
  if (stage.empty()) return {2, major, 0};
  if (!absl::SimpleAtoi(std::string(rest.substr(digits)), &minor)) return {-1, 0, 0};
  return {stage == "beta" ? 1 : 0, major, minor};
}

}  // namespace

std::string ClusterKind::Name() const { return group.empty() ? plural : plural + "." + group; }

std::string ClusterKind::ApiVersion(std::string_view version) const {
  return (group.empty() ? "" : group + "/") + std::string(version);
}

std::string PluralOf(std::string_view kind) {
  std::string plural = absl::AsciiStrToLower(std::string(kind));
  if (plural.ends_with('s')) return plural + "es";
  const bool is_policy =
      plural.size() > 1 && plural.back() == 'y' &&
      std::string_view("aeiou").find(plural[plural.size() - 2]) == std::string_view::npos;
  if (!is_policy) return plural + "s";
  plural.pop_back();
  return plural + "ies";
}

bool IsNewerVersion(std::string_view a, std::string_view b) { return RankOf(a) > RankOf(b); }

std::vector<ClusterKind> ClusterKinds() {
  std::vector<ClusterKind> kinds;
  for (const std::string& read : api::Parser::KindsRead()) {
    const size_t space = read.find(' ');
    const std::string api_version = read.substr(0, space);
    const size_t slash = api_version.find('/');
    const bool core = slash == std::string::npos;
    const std::string group = core ? "" : api_version.substr(0, slash);
    const std::string version = core ? api_version : api_version.substr(slash + 1);
    const std::string kind = read.substr(space + 1);
    auto known = std::find_if(kinds.begin(), kinds.end(), [&](const ClusterKind& each) {
      return each.group == group && each.kind == kind;
    });
    if (known == kinds.end()) {
      known = kinds.insert(kinds.end(), {group, kind, PluralOf(kind), {}});
    }
    known->versions.push_back(version);
  }
  for (ClusterKind& kind : kinds) {
    std::sort(kind.versions.begin(), kind.versions.end(), IsNewerVersion);
  }
  return kinds;
}

}  // namespace gw::config
