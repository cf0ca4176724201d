#include "http/url.h"

#include <algorithm>

#include "http/chars.h"
#include "http/head.h"

namespace gw::http {
namespace {

// The byte at `*at`, percent-decoded; `*at` moves behind it. A '%' without two digits is itself.
char DecodeAt(std::string_view text, size_t* at) {
  const char c = text[(*at)++];
  if (c != '%' || *at + 2 > text.size()) return c;
  const int high = HexValue(text[*at]);
  const int low = HexValue(text[*at + 1]);
  if (high < 0 || low < 0) return c;
  *at += 2;
  return static_cast<char>(high * 16 + low);
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// True if no server can read the path as one outside the prefixes it appears to have.
bool IsSafePath(std::string_view path) {
  if (path.find('.') == std::string_view::npos && path.find('%') == std::string_view::npos) {
    return true;
  }
  // Dots at the start of the segment being read; -1 once anything else was in it. A parameter
  // ("..;v=1") does not change that some servers take the segment for "..".
  int dots = -1;
  for (size_t at = 0; at < path.size();) {
    const char c = DecodeAt(path, &at);
    if (c == '\0') return false;
    // Servers on Windows, and those that know URLs of browsers, take "\" for "/".
    if (c == '/' || c == '\\' || c == ';') {
      if (dots == 1 || dots == 2) return false;
      dots = c == ';' ? -1 : 0;
    } else if (c == '.' && dots >= 0) {
      ++dots;
    } else {
      dots = -1;
    }
  }
  return dots != 1 && dots != 2;
}

// The authority of an absolute form without its port. False: empty, or with user information.
bool ReadAuthority(std::string_view authority, std::string_view* host) {
  if (authority.find('@') != std::string_view::npos) return false;
  *host = HostWithoutPort(authority);
  return !host->empty();
}

}  // namespace

std::optional<Target> ParseTarget(std::string_view target) {
  Target result;
  if (target == "*") {
    result.path = target;
    return result;
  }
  if (target.find('#') != std::string_view::npos) return std::nullopt;
  if (!target.starts_with('/')) {
    const size_t scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return std::nullopt;
    const std::string_view scheme = target.substr(0, scheme_end);
    if (!EqualsIgnoreCase(scheme, "http") && !EqualsIgnoreCase(scheme, "https")) {
      return std::nullopt;
    }
    target.remove_prefix(scheme_end + 3);
    const size_t authority_end = std::min(target.find_first_of("/?"), target.size());
    if (!ReadAuthority(target.substr(0, authority_end), &result.host)) return std::nullopt;
    target.remove_prefix(authority_end);
  }
  const size_t question = target.find('?');
  result.path = target.substr(0, question);
  if (question != std::string_view::npos) result.query = target.substr(question + 1);
  if (result.path.empty()) result.path = "/";
  if (!IsSafePath(result.path)) return std::nullopt;
  return result;
}

std::string_view NormalPath(std::string_view path, std::string* storage) {
  if (path.find('%') == std::string_view::npos) return path;
  storage->clear();
  for (size_t at = 0; at < path.size();) {
    const size_t begin = at;
    const char c = DecodeAt(path, &at);
    if (IsUnreserved(c)) {
      storage->push_back(c);
    } else {
      storage->append(path.substr(begin, at - begin));
    }
  }
  return *storage;
}

std::optional<std::string> QueryParam(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != name) continue;
    const std::string_view encoded = pair.substr(std::min(equals + 1, pair.size()));
    std::string value;
    for (size_t at = 0; at < encoded.size();) {
      if (encoded[at] == '+') {
        value.push_back(' ');
        ++at;
      } else {
        value.push_back(DecodeAt(encoded, &at));
      }
    }
    return value;
  }
  return std::nullopt;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size();) decoded.push_back(DecodeAt(text, &at));
  return decoded;
}

std::string_view HostWithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t close = host.find(']');
    return close == std::string_view::npos ? host : host.substr(0, close + 1);
  }
  return host.substr(0, host.find(':'));
}

}  // namespace gw::http
