#include "api/read_filters.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "api/kinds.h"
#include "api/names.h"
#include "base/text.h"

namespace gw::api {
namespace {

constexpr size_t kHeadersMax = 16;
constexpr size_t kPathMax = 1024;
constexpr size_t kCorsListMax = 64;

// Fields that belong to one connection or frame a message, and Host, which urlRewrite.hostname
// replaces: the gateway writes them itself.
constexpr std::string_view kGatewaysOwn[] = {
    "connection",     "content-length",    "expect",           "host",
    "http2-settings", "keep-alive",        "proxy-connection", "te",
    "trailer",        "transfer-encoding", "upgrade",
};

bool IsFieldValue(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  if (text.empty() || is_space(text.front()) || is_space(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
  });
}

// The names of one modifier: only one action is permitted for each.
class ModifiedNames {
 public:
  ModifiedNames(int rule, std::vector<Unsupported>* unsupported)
      : rule_(rule), unsupported_(unsupported) {}

  // Of the next list. Names that differ only in case are one name, of which the first counts.
  void NextList() {
    written_.clear();
    in_list_.clear();
  }
  // Whether the action on that name is to be kept.
  bool Take(const Value& field, const std::string& name) {
    if (name.empty()) return false;
    if (!written_.insert(name).second) field.Error("is given twice");
    const std::string lower = ToLower(name);
    if (!in_list_.insert(lower).second) return false;
    if (IsGatewaysOwn(lower)) {
      std::string message = name + " is written by the gateway itself and cannot be modified";
      if (lower == "host") message += ", but by a URLRewrite with a hostname";
      Refuse(field, rule_, message, unsupported_);
    } else if (!all_.insert(lower).second) {
      Refuse(field, rule_, name + " has more than one action, and only one is permitted",
             unsupported_);
    }
    return true;
  }

 private:
  const int rule_;
  std::vector<Unsupported>* const unsupported_;
  std::set<std::string> written_;
  std::set<std::string> in_list_;
  std::set<std::string> all_;
};

std::vector<HeaderModifier::Header> ReadHeaders(const Value& value, ModifiedNames* names) {
  std::vector<HeaderModifier::Header> headers;
  names->NextList();
  for (const Value& item : value.List(0, kHeadersMax)) {
    MapReader in = item.Map();
    const Value name = in.Require("name");
    const Value text = in.Require("value");
    HeaderModifier::Header header;
    header.name = name.TextLike(IsHttpToken, "the name of a header");
    header.value = text.Text(1, 4096);
    if (text.IsText() && !header.value.empty() && !IsFieldValue(header.value)) {
      text.Error("must be the value of a header: no control characters, no space around it");
    }
    if (names->Take(name, header.name)) headers.push_back(std::move(header));
  }
  return headers;
}

HeaderModifier ReadModifier(const Value& value, int rule, std::vector<Unsupported>* unsupported) {
  MapReader in = value.Map();
  ModifiedNames names(rule, unsupported);
  HeaderModifier modifier;
  modifier.set = ReadHeaders(in.Get("set"), &names);
  modifier.add = ReadHeaders(in.Get("add"), &names);
  names.NextList();
  for (const Value& item : in.Get("remove").List(0, kHeadersMax)) {
    std::string name = item.TextLike(IsHttpToken, "the name of a header");
    if (names.Take(item, name)) modifier.remove.push_back(std::move(name));
  }
  return modifier;
}

bool IsOnePrefix(const std::vector<RouteMatch>& matches) {
  return matches.size() == 1 && matches.front().path_type == PathMatchType::kPathPrefix;
}

std::optional<PathModifier> ReadPath(const Value& value, const std::vector<RouteMatch>& matches) {
  static constexpr const char* kFields[] = {"replaceFullPath", "replacePrefixMatch"};
  if (!value.present()) return std::nullopt;
  MapReader in = value.Map();
  PathModifier modifier;
  const size_t chosen =
      in.Require("type").OneOf({"ReplaceFullPath", "ReplacePrefixMatch"}, std::size(kFields));
  for (size_t i = 0; i < std::size(kFields); ++i) {
    const Value field = in.Get(kFields[i]);
    if (chosen == std::size(kFields)) continue;
    if (i != chosen) {
      if (field.present()) field.Error("does not belong to this type of path");
      continue;
    }
    if (!field.present()) field.Error("is required for this type of path");
    modifier.value = field.Text(0, kPathMax);
    const std::string_view fault = modifier.value.empty() ? "" : PathFault(modifier.value);
    if (!fault.empty()) field.Error(std::string(fault) + ", got " + Quoted(modifier.value));
  }
  if (chosen == 1) {
    modifier.type = PathModifier::Type::kPrefixMatch;
    if (!IsOnePrefix(matches))
      value.Error(
          "a prefix is replaced only in a rule of one match, of "
          "type PathPrefix");
  }
  return modifier;
}

std::string ReadHostname(const Value& value) {
  const std::string hostname = value.Hostname();
  if (hostname.starts_with('*')) value.Error("must be one host, not a wildcard");
  return hostname;
}

RequestRedirect ReadRedirect(const Value& value, const std::vector<RouteMatch>& matches) {
  static constexpr int64_t kCodes[] = {301, 302, 303, 307, 308};
  MapReader in = value.Map();
  RequestRedirect redirect;
  if (const Value scheme = in.Get("scheme"); scheme.present()) {
    redirect.scheme = scheme.OneOf({"http", "https"}, 0) == 0 ? "http" : "https";
  }
  redirect.hostname = ReadHostname(in.Get("hostname"));
  redirect.path = ReadPath(in.Get("path"), matches);
  redirect.port = in.Get("port").Port();
  const Value status = in.Get("statusCode");
  const int64_t code = status.Integer(301, 308).value_or(302);
  if (std::ranges::find(kCodes, code) == std::end(kCodes)) {
    status.Error("must be one of 301, 302, 303, 307, 308, got " + std::to_string(code));
  }
  redirect.status_code = static_cast<int>(code);
  return redirect;
}

UrlRewrite ReadRewrite(const Value& value, const std::vector<RouteMatch>& matches) {
  MapReader in = value.Map();
  UrlRewrite rewrite;
  rewrite.hostname = ReadHostname(in.Get("hostname"));
  rewrite.path = ReadPath(in.Get("path"), matches);
  return rewrite;
}

// "https://*.example.com:8443": a scheme, a host of which the wildcard may be any part, a port.
bool IsOrigin(std::string_view text) {
  if (text == "*") return true;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos || !IsHttpToken(text.substr(0, colon))) return false;
  std::string_view host = text.substr(colon + 3);
  const size_t port_at = host.rfind(':');
  if (port_at != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view port = host.substr(port_at + 1);
    host = host.substr(0, port_at);
    const bool digits =
        !port.empty() && port.size() <= 5 && port.front() != '0' &&
        std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || (port.size() == 5 && port > "65535")) return false;
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("*.-_[:]").find(c) != std::string_view::npos;
  });
}

bool IsMethod(std::string_view text) {
  constexpr std::string_view kMethods[] = {"*",      "GET",     "HEAD",    "POST",  "PUT",
                                           "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::ranges::find(kMethods, text) != std::end(kMethods);
}

// Each once; "*" alone unless `with_others`.
std::vector<std::string> ReadNames(const Value& value, size_t max, bool (*valid)(std::string_view),
                                   std::string_view wanted, bool with_others = false) {
  std::vector<std::string> names;
  for (const Value& item : value.List(0, max)) {
    std::string name = item.TextLike(valid, wanted);
    if (name.empty()) continue;
    if (std::ranges::find(names, name) != names.end()) item.Error("is given twice");
    names.push_back(std::move(name));
  }
  const bool wildcard = std::ranges::find(names, "*") != names.end();
  if (wildcard && names.size() > 1 && !with_others) value.Error("\"*\" must stand alone");
  return names;
}

CorsFilter ReadCors(const Value& value) {
  MapReader in = value.Map();
  CorsFilter cors;
  cors.allow_origins = ReadNames(in.Get("allowOrigins"), kCorsListMax, IsOrigin,
                                 "\"*\" or an origin such as https://*.example.com:8443");
  cors.allow_credentials = in.Get("allowCredentials").Bool().value_or(false);
  cors.allow_methods =
      ReadNames(in.Get("allowMethods"), 9, IsMethod, "\"*\" or a method of HTTP in upper case");
  cors.allow_headers =
      ReadNames(in.Get("allowHeaders"), kCorsListMax, IsHttpToken, "the name of a header");
  cors.expose_headers =
      ReadNames(in.Get("exposeHeaders"), kCorsListMax, IsHttpToken, "the name of a header", true);
  cors.max_age_s = in.Get("maxAge").Integer(1, INT32_MAX).value_or(cors.max_age_s);
  return cors;
}

constexpr const char* kBodies[] = {
    "requestHeaderModifier", "responseHeaderModifier", "requestRedirect", "urlRewrite", "cors",
    "requestMirror",         "extensionRef",           "externalAuth"};
constexpr size_t kRedirect = 2;
constexpr size_t kRewrite = 3;
constexpr size_t kOnceEach = 5;  // of those before it there may be one each

void ReadBody(size_t type, const Value& body, int rule, const std::vector<RouteMatch>& matches,
              RouteFilters* filters, std::vector<Unsupported>* unsupported) {
  switch (type) {
    case 0:
      filters->request_headers = ReadModifier(body, rule, unsupported);
      break;
    case 1:
      filters->response_headers = ReadModifier(body, rule, unsupported);
      break;
    case kRedirect:
      filters->redirect = ReadRedirect(body, matches);
      break;
    case kRewrite:
      filters->rewrite = ReadRewrite(body, matches);
      break;
    case 4:
      filters->cors = ReadCors(body);
      break;
    default:
      break;
  }
}

}  // namespace

void Refuse(const Value& field, int rule, std::string message, std::vector<Unsupported>* out) {
  const std::string where = field.where();
  if (!where.empty()) message += " (" + where + ")";
  out->push_back({field.path(), rule, std::move(message)});
}

bool IsGatewaysOwn(std::string_view field_name) {
  return std::ranges::find(kGatewaysOwn, field_name) != std::end(kGatewaysOwn);
}

std::string_view PathFault(std::string_view path) {
  if (!path.starts_with('/')) return "must begin with \"/\"";
  for (std::string_view bad : {"//", "/./", "/../", "%2f", "%2F", "#"}) {
    if (path.find(bad) != std::string_view::npos) {
      return "must not contain \"//\", \"/./\", \"/../\", \"%2f\" or \"#\"";
    }
  }
  if (path.ends_with("/..") || path.ends_with("/.")) return "must not end in \"/.\" or \"/..\"";
  const auto hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%') {
      if (i + 2 >= path.size() || !hex(path[i + 1]) || !hex(path[i + 2])) {
        return "has a \"%\" without two hexadecimal digits";
      }
    } else if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
               std::string_view("-/._~!$&'()*+,;=:@").find(c) == std::string_view::npos) {
      return "has a character that a path cannot have";
    }
  }
  return "";
}

RouteFilters ReadFilters(const Value& filters, int rule, const std::vector<RouteMatch>& matches,
                         std::vector<Unsupported>* unsupported) {
  RouteFilters result;
  bool seen[std::size(kBodies)] = {};
  for (const Value& item : filters.List(0, 16)) {
    MapReader in = item.Map();
    const Value type = in.Require("type");
    const size_t chosen =
        type.OneOf({"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect",
                    "URLRewrite", "CORS", "RequestMirror", "ExtensionRef", "ExternalAuth"},
                   std::size(kBodies));
    for (size_t i = 0; i < std::size(kBodies); ++i) {
      const Value body = in.Get(kBodies[i]);
      if (chosen == std::size(kBodies)) continue;
      if (i == chosen && !body.present()) body.Error("is required for this type of filter");
      if (i != chosen && body.present()) body.Error("does not belong to this type of filter");
      if (i == chosen && !seen[i]) ReadBody(i, body, rule, matches, &result, unsupported);
    }
    if (chosen == std::size(kBodies)) continue;
    if (chosen >= kOnceEach) {
      NoteUnsupported(item, rule, unsupported);
    } else if (seen[chosen]) {
      type.Error("there may be one filter of this type");
    }
    seen[chosen] = true;
  }
  if (seen[kRedirect] && seen[kRewrite]) {
    filters.Error("RequestRedirect and URLRewrite exclude each other");
  }
  return result;
}

}  // namespace gw::api
