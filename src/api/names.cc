#include "api/names.h"

#include <arpa/inet.h>

#include <ctime>
#include <string>

#include "base/check.h"

namespace gw::api {
namespace {

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsAlnum(char c) { return IsAlpha(c) || IsDigit(c); }

// The part of a label key after the slash, and a label value: letters and digits at both ends.
bool IsQualifiedName(std::string_view text) {
  if (text.empty() || text.size() > 63 || !IsAlnum(text.front()) || !IsAlnum(text.back())) {
    return false;
  }
  for (char c : text) {
    if (!IsAlnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

// Takes exactly `count` digits off the front.
std::optional<int> TakeNumber(std::string_view* text, size_t count) {
  if (text->size() < count) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return std::nullopt;
    value = value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return value;
}

bool TakeChar(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

// Days from 1970-01-01 to a date of the Gregorian calendar: years counted from March, so that the
// leap day comes last (Howard Hinnant's days_from_civil).
int64_t DaysFromCivil(int64_t year, int month, int day) {
  if (month <= 2) --year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719468;
}

int DaysInMonth(int year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// "Z", "+02:00" or "-02:00", in seconds.
std::optional<int64_t> TakeOffset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  const bool negative = TakeChar(&text, '-');
  if (!negative && !TakeChar(&text, '+')) return std::nullopt;
  const auto hours = TakeNumber(&text, 2);
  if (!hours || !TakeChar(&text, ':')) return std::nullopt;
  const auto minutes = TakeNumber(&text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  const int64_t seconds = *hours * 3600 + *minutes * 60;
  return negative ? -seconds : seconds;
}

}  // namespace

bool IsDnsLabel(std::string_view text) {
  if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
  for (char c : text) {
    if (!IsLower(c) && !IsDigit(c) && c != '-') return false;
  }
  return true;
}

bool IsDnsSubdomain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  // The API server limits the whole and not each part.
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.front() == '-' || part.back() == '-') return false;
    for (char c : part) {
      if (!IsLower(c) && !IsDigit(c) && c != '-') return false;
    }
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool IsHostname(std::string_view text) {
  if (text.size() > 253) return false;
  if (text.starts_with("*.")) text.remove_prefix(2);
  return IsDnsSubdomain(text) && !IsIpAddress(text);
}

bool IsLabelKey(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return IsQualifiedName(text);
  return IsDnsSubdomain(text.substr(0, slash)) && IsQualifiedName(text.substr(slash + 1));
}

bool IsLabelValue(std::string_view text) { return text.empty() || IsQualifiedName(text); }

bool IsDataKey(std::string_view text) {
  if (text.empty() || text.size() > 253 || text == "." || text.starts_with("..")) return false;
  for (char c : text) {
    if (!IsAlnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

bool IsGroup(std::string_view text) { return text.empty() || IsDnsSubdomain(text); }

bool IsKind(std::string_view text) {
  if (text.empty() || text.size() > 63 || !IsAlpha(text.front()) || text.back() == '-') {
    return false;
  }
  for (char c : text) {
    if (!IsAlnum(c) && c != '-') return false;
  }
  return true;
}

bool IsControllerName(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || text.size() > 253) return false;
  const std::string_view path = text.substr(slash + 1);
  if (!IsDnsSubdomain(text.substr(0, slash)) || path.empty()) return false;
  for (char c : path) {
    if (!IsAlnum(c) && std::string_view("/-._~%!$&'()*+,;=:").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool IsHttpToken(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (!IsAlnum(c) && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool IsIpAddress(std::string_view text) {
  if (text.size() > 45) return false;
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return false;
  unsigned char bytes[16];
  return inet_pton(AF_INET, terminated.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, terminated.c_str(), bytes) == 1;
}

std::string CanonicalIp(const std::string& text) {
  unsigned char bytes[16];
  char out[INET6_ADDRSTRLEN] = {};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), bytes) != 1) continue;
    return inet_ntop(family, bytes, out, sizeof(out));
  }
  CHECK(false);
}

std::optional<Duration> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Duration total{};
  for (int parts = 0; !text.empty(); ++parts) {
    if (parts == 4) return std::nullopt;
    int64_t value = 0;
    size_t digits = 0;
    while (digits < text.size() && digits <= 5 && IsDigit(text[digits])) {
      value = value * 10 + (text[digits++] - '0');
    }
    if (digits == 0 || digits > 5) return std::nullopt;
    text.remove_prefix(digits);
    if (text.starts_with("ms")) {
      total += std::chrono::milliseconds(value);
      text.remove_prefix(2);
    } else if (TakeChar(&text, 'h')) {
      total += std::chrono::hours(value);
    } else if (TakeChar(&text, 'm')) {
      total += std::chrono::minutes(value);
    } else if (TakeChar(&text, 's')) {
      total += std::chrono::seconds(value);
    } else {
      return std::nullopt;
    }
  }
  return total;
}

std::optional<Duration> ParseStreamKeepalive(std::string_view text) {
  const std::optional<Duration> interval = ParseDuration(text);
  const bool fits =
      interval && *interval >= std::chrono::milliseconds(100) && *interval <= std::chrono::hours(1);
  return fits ? interval : std::nullopt;
}

std::optional<int64_t> ParseTime(std::string_view text) {
  const auto year = TakeNumber(&text, 4);
  if (!year || !TakeChar(&text, '-')) return std::nullopt;
  const auto month = TakeNumber(&text, 2);
  if (!month || *month < 1 || *month > 12 || !TakeChar(&text, '-')) return std::nullopt;
  const auto day = TakeNumber(&text, 2);
  if (!day || *day < 1 || *day > DaysInMonth(*year, *month)) return std::nullopt;
  if (!TakeChar(&text, 'T') && !TakeChar(&text, 't')) return std::nullopt;
  const auto hour = TakeNumber(&text, 2);
  if (!hour || *hour > 23 || !TakeChar(&text, ':')) return std::nullopt;
  const auto minute = TakeNumber(&text, 2);
  if (!minute || *minute > 59 || !TakeChar(&text, ':')) return std::nullopt;
  const auto second = TakeNumber(&text, 2);
  if (!second || *second > 60) return std::nullopt;
  if (TakeChar(&text, '.')) {
    if (text.empty() || !IsDigit(text.front())) return std::nullopt;
    while (!text.empty() && IsDigit(text.front())) text.remove_prefix(1);
  }
  const auto offset = TakeOffset(text);
  if (!offset) return std::nullopt;
  return DaysFromCivil(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second -
         *offset;
}

}  // namespace gw::api
