#include "http/h1_writer.h"

#include <algorithm>
#include <ctime>
#include <iterator>

#include "http/chars.h"

namespace gw::http {
namespace {

// By length first: most names of a request are told apart from all of these by their size alone.
bool IsAlwaysHopByHop(std::string_view name) {
  switch (name.size()) {
    case 2:
      return EqualsIgnoreCase(name, "te");
    case 7:
      return EqualsIgnoreCase(name, "trailer") || EqualsIgnoreCase(name, "upgrade");
    case 10:
      return EqualsIgnoreCase(name, "connection") || EqualsIgnoreCase(name, "keep-alive");
    case 14:  // of an offer of h2c, which named it in Connection or should have
      return EqualsIgnoreCase(name, "http2-settings");
    case 16:
      return EqualsIgnoreCase(name, "proxy-connection");
    case 17:
      return EqualsIgnoreCase(name, "transfer-encoding");
    case 18:
      return EqualsIgnoreCase(name, "proxy-authenticate");
    case 19:
      return EqualsIgnoreCase(name, "proxy-authorization");
    default:
      return false;
  }
}

constexpr std::string_view kNeverTrailing[] = {
    "age",          "authorization", "cache-control", "cookie",   "date",   "expect",
    "expires",      "forwarded",     "host",          "location", "pragma", "max-forwards",
    "range",        "retry-after",   "set-cookie",    "vary",     "via",    "www-authenticate",
    "x-request-id",
};
// Content-Length, If-Match, and the fields that gateways and pools are told about a request by.
constexpr std::string_view kNeverTrailingBegin[] = {"content-", "if-", "x-forwarded-", "x-gateway-",
                                                    "x-llm-d-"};

struct Reason {
  int status;
  std::string_view phrase;
};

// In ascending order.
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};
static_assert(std::is_sorted(std::begin(kReasons), std::end(kReasons),
                             [](const Reason& a, const Reason& b) { return a.status < b.status; }));

char* PutDecimal(uint64_t value, char* end) {
  do {
    *--end = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return end;
}

}  // namespace

HopByHopFields::HopByHopFields(const HeaderList& headers) {
  for (const HeaderField& field : headers) {
    if (field.name.size() != 10 || !EqualsIgnoreCase(field.name, "connection")) continue;
    std::string_view value = field.value;
    while (!value.empty()) {
      const std::string_view token = NextListElement(&value);
      // The two that nearly every Connection field holds name no field of their own.
      if (token.empty() || EqualsIgnoreCase(token, "keep-alive") ||
          EqualsIgnoreCase(token, "close")) {
        continue;
      }
      named_.push_back(token);
    }
  }
}

bool HopByHopFields::Contains(std::string_view name) const {
  if (IsAlwaysHopByHop(name)) return true;
  for (std::string_view named : named_) {
    if (EqualsIgnoreCase(named, name)) return true;
  }
  return false;
}

bool IsHopByHop(std::string_view name, const HeaderList& headers) {
  if (IsAlwaysHopByHop(name)) return true;
  for (const HeaderField& field : headers) {
    if (field.name.size() == 10 && EqualsIgnoreCase(field.name, "connection") &&
        HasListElement(field.value, name)) {
      return true;
    }
  }
  return false;
}

bool MayTrail(std::string_view name) {
  // Servers may take X_Forwarded_For for X-Forwarded-For.
  if (IsAlwaysHopByHop(name) || name.find('_') != name.npos) return false;
  const auto is_name = [name](std::string_view other) { return EqualsIgnoreCase(name, other); };
  const auto begins = [name](std::string_view begin) {
    return EqualsIgnoreCase(name.substr(0, begin.size()), begin);
  };
  return std::ranges::none_of(kNeverTrailing, is_name) &&
         std::ranges::none_of(kNeverTrailingBegin, begins);
}

void AppendRequestLine(std::string* out, std::string_view method, std::string_view target) {
  constexpr std::string_view kRest = " HTTP/1.1\r\n";
  out->append(method);
  out->push_back(' ');
  out->append(target);
  out->append(kRest);
}

void AppendStatusLine(std::string* out, int status, std::string_view reason) {
  char line[] = "HTTP/1.1 000 ";
  line[9] = static_cast<char>('0' + status / 100 % 10);
  line[10] = static_cast<char>('0' + status / 10 % 10);
  line[11] = static_cast<char>('0' + status % 10);
  out->append(line, sizeof(line) - 1);
  out->append(reason.empty() ? ReasonPhrase(status) : reason);
  out->append("\r\n", 2);
}

void AppendHeader(std::string* out, std::string_view name, std::string_view value) {
  out->append(name);
  out->append(": ", 2);
  out->append(value);
  out->append("\r\n", 2);
}

void AppendHeader(std::string* out, std::string_view name, uint64_t value) {
  char digits[20];
  char* const end = digits + sizeof(digits);
  const char* const begin = PutDecimal(value, end);
  AppendHeader(out, name, std::string_view(begin, static_cast<size_t>(end - begin)));
}

void AppendHeadEnd(std::string* out) { out->append("\r\n", 2); }

std::string_view DateText(int64_t unix_nanos) {
  constexpr size_t kBytes = 29;
  thread_local time_t known_second = -1;
  thread_local char text[kBytes + 1] = {};
  const auto second = static_cast<time_t>(unix_nanos / 1'000'000'000);
  if (second != known_second) {
    // By hand: strftime speaks the language of the locale.
    static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
    static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    tm utc{};
    gmtime_r(&second, &utc);
    char* out = text;
    const auto word = [&](std::string_view words, int index) {
      out = std::copy_n(words.data() + static_cast<size_t>(index) * 3, 3, out);
    };
    const auto number = [&](int value, int digits, char behind) {
      for (int i = digits - 1; i >= 0; --i, value /= 10)
        out[i] = static_cast<char>('0' + value % 10);
      out[digits] = behind;
      out += digits + 1;
    };
    word(kDays, utc.tm_wday);
    *out++ = ',';
    *out++ = ' ';
    number(utc.tm_mday, 2, ' ');
    word(kMonths, utc.tm_mon);
    *out++ = ' ';
    number(utc.tm_year + 1900, 4, ' ');
    number(utc.tm_hour, 2, ':');
    number(utc.tm_min, 2, ':');
    number(utc.tm_sec, 2, ' ');
    std::copy_n("GMT", 3, out);
    known_second = second;
  }
  return {text, kBytes};
}

size_t FormatChunkSize(uint64_t bytes, char out[20]) {
  char digits[16];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[bytes & 15];
    bytes >>= 4;
  } while (bytes != 0);
  for (size_t i = 0; i < count; ++i) out[i] = digits[count - 1 - i];
  out[count] = '\r';
  out[count + 1] = '\n';
  return count + 2;
}

std::string_view ReasonPhrase(int status) {
  if (status == 200) return "OK";
  const auto* found =
      std::lower_bound(std::begin(kReasons), std::end(kReasons), status,
                       [](const Reason& reason, int wanted) { return reason.status < wanted; });
  return found != std::end(kReasons) && found->status == status ? found->phrase : "";
}

}  // namespace gw::http
