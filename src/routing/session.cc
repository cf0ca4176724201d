#include "routing/session.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "routing/cookie.h"

namespace gw {
namespace {

constexpr unsigned char kVersion = 1;
constexpr size_t kBytes = 1 + 8 + 8 + 4 + 4;
constexpr size_t kChars = 2 * kBytes;

uint64_t Hash(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

template <typename Number>
void Put(Number number, unsigned char** out) {
  for (int shift = 8 * (sizeof(Number) - 1); shift >= 0; shift -= 8) {
    *(*out)++ = static_cast<unsigned char>(number >> shift);
  }
}

template <typename Number>
void Take(const unsigned char** in, Number* number) {
  *number = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) *number = *number << 8 | *(*in)++;
}

int ValueOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int64_t Seconds(Duration d) { return std::chrono::duration_cast<std::chrono::seconds>(d).count(); }

// RFC 6265, 5.1.4.
bool PathFits(std::string_view path, std::string_view cookie_path) {
  return path.starts_with(cookie_path) &&
         (path.size() == cookie_path.size() || cookie_path.ends_with('/') ||
          path[cookie_path.size()] == '/');
}

}  // namespace

std::string ToText(const SessionToken& token) {
  unsigned char bytes[kBytes];
  unsigned char* out = bytes;
  Put(kVersion, &out);
  Put(token.destination, &out);
  Put(token.endpoint, &out);
  Put(token.began_unix_s, &out);
  Put(token.used_unix_s, &out);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(kChars);
  for (const unsigned char byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::optional<SessionToken> ParseSessionToken(std::string_view text) {
  if (text.size() != kChars) return std::nullopt;
  unsigned char bytes[kBytes];
  for (size_t i = 0; i < kBytes; ++i) {
    const int high = ValueOf(text[2 * i]);
    const int low = ValueOf(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<unsigned char>(high << 4 | low);
  }
  if (bytes[0] != kVersion) return std::nullopt;
  const unsigned char* in = bytes + 1;
  SessionToken token;
  Take(&in, &token.destination);
  Take(&in, &token.endpoint);
  Take(&in, &token.began_unix_s);
  Take(&in, &token.used_unix_s);
  return token;
}

uint64_t SessionPolicy::HashOfDestination(std::string_view pool_id) const {
  return Hash(pool_id, Hash(scope, 1));
}

uint64_t SessionPolicy::HashOfEndpoint(std::string_view pool_id, std::string_view address) const {
  return Hash(address, HashOfDestination(pool_id) + 1);
}

bool SessionPolicy::IsValid(const SessionToken& token, int64_t unix_s) const {
  const int64_t began = token.began_unix_s;
  const int64_t used = token.used_unix_s;
  if (began > unix_s + kClockSkewS || used > unix_s + kClockSkewS || used < began) return false;
  if (absolute_timeout > Duration::zero() && unix_s - began >= Seconds(absolute_timeout)) {
    return false;
  }
  return idle_timeout <= Duration::zero() || unix_s - used < Seconds(idle_timeout);
}

std::optional<SessionToken> SessionPolicy::Find(const http::RequestHead& head,
                                                int64_t unix_s) const {
  const auto valid = [&](std::string_view text) {
    std::optional<SessionToken> token = ParseSessionToken(text);
    return token && IsValid(*token, unix_s) ? token : std::nullopt;
  };
  std::optional<SessionToken> token;
  if (!by_header) {
    ForEachCookie(head.headers, name, [&](std::string_view value) {
      token = valid(value);
      return token.has_value();
    });
    return token;
  }
  for (const http::HeaderField& field : head.headers) {
    if (!http::EqualsIgnoreCase(field.name, name)) continue;
    token = valid(field.value);
    if (token) break;
  }
  return token;
}

http::HeaderField SessionPolicy::FieldOf(const SessionToken& token, std::string_view path,
                                         bool secure, int64_t unix_s, std::string* storage) const {
  if (by_header) {
    *storage = ToText(token);
    return {name, *storage};
  }
  const auto fits = [path](const std::string& cookie) { return PathFits(path, cookie); };
  const auto found = std::ranges::find_if(cookie_paths, fits);
  *storage = name + "=" + ToText(token) + "; Path=";
  *storage += found == cookie_paths.end() ? "/" : *found;
  if (permanent) {
    const int64_t left = Seconds(absolute_timeout) - (unix_s - int64_t{token.began_unix_s});
    *storage += "; Max-Age=" + std::to_string(std::max<int64_t>(left, 0));
  }
  *storage += "; HttpOnly; SameSite=Strict";
  if (secure) *storage += "; Secure";
  return {"set-cookie", *storage};
}

std::string CookieNameFor(std::string_view scope) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, Hash(scope, 0), 16).ptr;
  return "penstock-" + std::string(digits, end);
}

std::string CookiePathFor(std::string_view path, bool regex) {
  if (regex) {
    const size_t special = path.find_first_of(".?*+()[]{}|\\^$");
    if (special != std::string_view::npos) {
      // A quantifier also makes what stands before it uncertain; an alternative, all of it.
      if (path.find('|') != std::string_view::npos) return "/";
      path = path.substr(0, special);
      path = path.substr(0, path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/'));
    }
  }
  // What would end the attribute cannot be in it.
  const bool fits = path.starts_with('/') && path.find(';') == std::string_view::npos &&
                    path.find(' ') == std::string_view::npos;
  while (fits && path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return fits ? std::string(path) : "/";
}

}  // namespace gw
