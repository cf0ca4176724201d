#include "translate/hostnames.h"

#include <string_view>

namespace gw::internal {
namespace {

bool IsWildcard(const std::string& pattern) { return pattern.starts_with("*."); }

// Does `wildcard` ("*.example.com") cover all that `pattern`, itself exact or a wildcard, stands
// for? The wildcard stands for one or more labels.
bool Covers(const std::string& wildcard, const std::string& pattern) {
  const std::string_view suffix = std::string_view(wildcard).substr(1);
  return pattern.size() > suffix.size() && pattern.ends_with(suffix);
}

}  // namespace

std::optional<std::string> Intersect(const std::string& a, const std::string& b) {
  if (a.empty() || a == b) return b;
  if (b.empty()) return a;
  if (IsWildcard(a) && Covers(a, b)) return b;
  if (IsWildcard(b) && Covers(b, a)) return a;
  return std::nullopt;
}

}  // namespace gw::internal
