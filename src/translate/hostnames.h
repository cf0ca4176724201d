// Hostname patterns of listeners and routes: "" for any, "a.example.com", "*.example.com".

#pragma once

#include <optional>
#include <string>

namespace gw::internal {

// The hostnames both patterns fit, as a pattern; nullopt if there are none. In lower case.
std::optional<std::string> Intersect(const std::string& a, const std::string& b);

}  // namespace gw::internal
