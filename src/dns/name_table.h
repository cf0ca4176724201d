// NameTable: what names of machines stand for, as their DNS says at one moment.

#pragma once

#include <map>
#include <string>
#include <vector>

namespace gw {

struct ResolvedName {
  // In their order as text, each once. IPv4 if there is any, else IPv6: a machine that has no way
  // to the one nearly always has one to the other. Empty: it has none, or is not known yet.
  std::vector<std::string> ips = {};
  // Why it has none, or why these are the ones that it had once. Empty: they are its own now.
  std::string error = {};
  bool asked = false;  // the first question has come to its end

  bool operator==(const ResolvedName&) const = default;
};

// By name: lower case, without a dot at its end.
using NameTable = std::map<std::string, ResolvedName, std::less<>>;

}  // namespace gw
