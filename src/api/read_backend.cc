#include <algorithm>

#include "api/kinds.h"
#include "api/names.h"
#include "base/text.h"

namespace gw::api {
namespace {

constexpr int kHttpPort = 80;
constexpr int kHttpsPort = 443;

bool IsHost(std::string_view text) {
  return IsIpAddress(text) || (IsHostname(text) && !text.starts_with('*'));
}
constexpr char kHostWanted[] = "a host name in lower case, or an IP address";

// As it stands in a request line: no query, no fragment, nothing that has to be encoded.
bool IsPathPrefix(std::string_view text) {
  static constexpr std::string_view kRefused = "?#\\\"<>`{}|^";
  return text.size() > 1 && text.size() <= 1024 && text.starts_with('/') && !text.ends_with('/') &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return c > ' ' && c < '\x7f' && kRefused.find(c) == kRefused.npos;
         });
}

// What may stand in a header field's value, also at its end: "Bearer ".
bool IsFieldText(std::string_view text) {
  return text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
}

Backend::Tls ReadTls(const Value& value, const std::string& ns) {
  Backend::Tls tls;
  MapReader in = value.Map();
  if (const Value name = in.Get("hostname"); name.present()) {
    tls.hostname = name.TextLike(IsHost, kHostWanted);
  }
  const Value refs = in.Get("caCertificateRefs");
  for (const Value& item : refs.List(0, 8)) {
    item.Keep();
    MapReader map = item.Map();
    CaRef ref;
    ref.ns = ns;
    ref.group = map.Get("group").Group();
    ref.kind = "ConfigMap";
    if (const Value kind = map.Get("kind"); kind.present()) ref.kind = kind.Kind();
    ref.name = map.Require("name").Text(1, 253);
    if (!ref.group.empty() || ref.kind != "ConfigMap") item.Error("must be a ConfigMap");
    tls.ca_refs.push_back(std::move(ref));
  }
  const Value skip = in.Get("insecureSkipVerify");
  tls.insecure_skip_verify = skip.Bool().value_or(false);
  if (tls.insecure_skip_verify && !tls.ca_refs.empty()) {
    skip.Error("must not be true beside caCertificateRefs");
  }
  return tls;
}

Backend::Credentials ReadCredentials(const Value& value) {
  Backend::Credentials credentials;
  MapReader in = value.Map();
  const Value ref = in.Require("secretRef");
  ref.Keep();
  if (ref.present()) credentials.secret = ref.Map().Require("name").Text(1, 253);
  if (const Value key = in.Get("key"); key.present()) {
    credentials.key = key.TextLike(IsDataKey, "a key of a Secret's data");
  }
  if (const Value header = in.Get("header"); header.present()) {
    credentials.header = ToLower(header.TextLike(IsHttpToken, "the name of a header field"));
    constexpr std::string_view kOurs[] = {
        "host", "content-length", "transfer-encoding", "connection", "te", "upgrade"};
    if (std::find(std::begin(kOurs), std::end(kOurs), credentials.header) != std::end(kOurs)) {
      header.Error("must not be " + credentials.header);
    }
  }
  if (credentials.header == "authorization") credentials.prefix = "Bearer ";
  if (const Value prefix = in.Get("prefix"); prefix.present()) {
    credentials.prefix = prefix.TextLike(IsFieldText, "up to 64 visible ASCII characters");
  }
  return credentials;
}

std::vector<Backend::Model> ReadModels(const Value& value) {
  std::vector<Backend::Model> models;
  for (const Value& item : value.List(0, 256)) {
    MapReader in = item.Map();
    Backend::Model model;
    const Value name = in.Require("name");
    model.name = name.Text(1, 256);
    model.target = in.Require("target").Text(1, 256);
    const bool again = std::any_of(models.begin(), models.end(), [&](const Backend::Model& other) {
      return other.name == model.name;
    });
    if (again) name.Error("\"" + model.name + "\" is given twice");
    models.push_back(std::move(model));
  }
  return models;
}

// As a client writes it that asks there directly.
std::string AuthorityOf(const Backend& backend) {
  const bool v6 = backend.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + backend.host + "]" : backend.host;
  const int usual = backend.tls ? kHttpsPort : kHttpPort;
  return backend.port == usual ? host : host + ":" + std::to_string(backend.port);
}

}  // namespace

Backend ReadBackend(ObjectInput& in) {
  Backend backend;
  MapReader spec = in.top.Require("spec").Map();
  const Value host = spec.Require("host");
  backend.host = host.TextLike(IsHost, kHostWanted);
  host.Keep();
  if (IsIpAddress(backend.host)) backend.host = CanonicalIp(backend.host);
  const Value tls = spec.Get("tls");
  tls.Keep();
  if (tls.present()) backend.tls = ReadTls(tls, in.meta.ns);
  if (backend.tls && backend.tls->hostname.empty()) backend.tls->hostname = backend.host;
  backend.port = spec.Get("port").Port().value_or(backend.tls ? kHttpsPort : kHttpPort);
  backend.authority = AuthorityOf(backend);
  if (const Value name = spec.Get("hostname"); name.present()) {
    backend.authority = name.TextLike(IsHost, kHostWanted);
  }
  if (const Value prefix = spec.Get("pathPrefix"); prefix.present()) {
    backend.path_prefix = prefix.TextLike(
        IsPathPrefix, "a path such as \"/v1beta/openai\", without \"/\" at its end");
  }
  if (const Value credentials = spec.Get("credentials"); credentials.present()) {
    backend.credentials = ReadCredentials(credentials);
  }
  backend.models = ReadModels(spec.Get("models"));
  backend.meta = std::move(in.meta);
  return backend;
}

}  // namespace gw::api
