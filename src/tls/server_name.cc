#include "tls/server_name.h"

#include <cctype>
#include <cstddef>

#include "base/text.h"

namespace gw::internal {
namespace {

constexpr size_t kNameBytesMax = 253;

size_t Number(std::span<const unsigned char> bytes) { return size_t{bytes[0]} << 8 | bytes[1]; }

bool IsOfHostname(unsigned char c) {
  return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
}

}  // namespace

bool ParseServerName(std::span<const unsigned char> extension, std::string* name) {
  name->clear();
  if (extension.size() < 2 || Number(extension) != extension.size() - 2) return false;
  extension = extension.subspan(2);
  bool any = false;
  while (!extension.empty()) {
    if (extension.size() < 3) return false;
    const bool is_host = extension[0] == 0;
    const size_t bytes = Number(extension.subspan(1));
    if (bytes == 0 || bytes > extension.size() - 3) return false;
    const auto text = extension.subspan(3, bytes);
    extension = extension.subspan(3 + bytes);
    if (!is_host) continue;
    if (any || bytes > kNameBytesMax + 1) return false;  // one of each type
    any = true;
    for (const unsigned char c : text) {
      if (!IsOfHostname(c)) return false;
      name->push_back(ToLower(static_cast<char>(c)));
    }
    if (name->back() == '.') name->pop_back();
    if (name->empty() || name->size() > kNameBytesMax) return false;
  }
  return true;
}

bool FitsName(std::string_view pattern, std::string_view name, bool deep) {
  if (pattern == "*") return true;
  if (!pattern.starts_with("*.")) return pattern == name;
  const std::string_view parent = pattern.substr(1);  // ".example.com"
  if (name.size() <= parent.size() || !name.ends_with(parent)) return false;
  const std::string_view labels = name.substr(0, name.size() - parent.size());
  return deep || labels.find('.') == labels.npos;
}

}  // namespace gw::internal
