// Values of annotations as several of them have them. Each returns what is wrong with the value, ""
// if nothing is; *target is of use then only.

#pragma once

#include <cstddef>
#include <string>

namespace gw::internal {

std::string ReadBool(const std::string& value, bool* target);
std::string ReadNumber(const std::string& value, size_t min, size_t max, size_t* target);

}  // namespace gw::internal
