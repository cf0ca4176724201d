// BackendTLSPolicy.

#include <algorithm>

#include "api/kinds.h"
#include "api/names.h"

namespace gw::api {
namespace {

using Policy = BackendTlsPolicy;

// An absolute URI (RFC 3986 4.3) with an authority: "spiffe://example.com/ns/a".
bool IsAbsoluteUri(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == text.npos || colon == 0 || colon + 3 == text.size() || text.size() > 253) {
    return false;
  }
  return std::none_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                      [](char c) { return c == ':' || c == '/' || c == '?' || c == '#'; }) &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool IsPreciseHostname(std::string_view text) { return IsDnsSubdomain(text) && !IsIpAddress(text); }

bool SameObject(const Policy::Target& a, const Policy::Target& b) {
  return a.group == b.group && a.kind == b.kind && a.name == b.name;
}

void ReadTargets(const Value& field, Policy* policy) {
  for (const Value& item : field.List(1, 16)) {
    item.Keep();
    MapReader map = item.Map();
    Policy::Target target;
    target.group = map.Require("group").Group();
    target.kind = map.Require("kind").Kind();
    target.name = map.Require("name").Text(1, 253);
    const Value section = map.Get("sectionName");
    if (section.present()) target.section = section.DnsSubdomain();
    for (const Policy::Target& other : policy->targets) {
      if (!SameObject(target, other)) continue;
      if (target.section.empty() || other.section.empty() || target.section == other.section) {
        item.Error(
            "names what another entry names: those of one object must have a sectionName "
            "each, and different ones");
        break;
      }
    }
    policy->targets.push_back(std::move(target));
  }
}

void ReadAuthorities(MapReader& in, const std::string& ns, Policy* policy) {
  const Value refs = in.Get("caCertificateRefs");
  for (const Value& item : refs.List(0, 8)) {
    item.Keep();
    MapReader map = item.Map();
    CaRef ref;
    ref.ns = ns;
    ref.group = map.Require("group").Group();
    ref.kind = map.Require("kind").Kind();
    ref.name = map.Require("name").Text(1, 253);
    policy->ca_refs.push_back(std::move(ref));
  }
  const Value known = in.Get("wellKnownCACertificates");
  if (known.present()) {
    known.OneOf({"System"}, 0);
    known.Keep();
    policy->system_cas = true;
  }
  if (policy->system_cas && !policy->ca_refs.empty()) {
    known.Error("must not be given beside caCertificateRefs");
  } else if (!policy->system_cas && policy->ca_refs.empty()) {
    refs.Error("is required where wellKnownCACertificates is not given");
  }
}

Policy::AltName ReadAltName(const Value& item) {
  using Type = Policy::AltName::Type;
  MapReader map = item.Map();
  Policy::AltName name;
  const bool is_uri = map.Require("type").OneOf({"Hostname", "URI"}, 0) == 1;
  name.type = is_uri ? Type::kUri : Type::kHostname;
  const Value hostname = map.Get("hostname");
  const Value uri = map.Get("uri");
  const Value& wanted = is_uri ? uri : hostname;
  const Value& other = is_uri ? hostname : uri;
  if (other.present()) {
    other.Error(std::string("must not be given for type ") + (is_uri ? "URI" : "Hostname"));
  }
  if (!wanted.present()) {
    wanted.Error(std::string("is required for type ") + (is_uri ? "URI" : "Hostname"));
  } else if (is_uri) {
    name.value = uri.TextLike(IsAbsoluteUri, "a URI such as \"spiffe://example.com/ns/a\"");
  } else {
    name.value = hostname.Hostname();
  }
  return name;
}

}  // namespace

BackendTlsPolicy ReadBackendTlsPolicy(ObjectInput& in) {
  Policy policy;
  MapReader spec = in.top.Require("spec").Map();
  ReadTargets(spec.Require("targetRefs"), &policy);
  if (const Value field = spec.Require("validation"); field.present()) {
    field.Keep();
    MapReader validation = field.Map();
    ReadAuthorities(validation, in.meta.ns, &policy);
    policy.hostname = validation.Require("hostname")
                          .TextLike(IsPreciseHostname, "a host name such as \"models.internal\"");
    for (const Value& item : validation.Get("subjectAltNames").List(0, 5)) {
      policy.alt_names.push_back(ReadAltName(item));
    }
  }
  // The API names none; each would ask for TLS of another kind.
  const Value options = spec.Get("options");
  for (const auto& [key, value] : options.Strings()) {
    NoteUnsupported(options.At(key), -1, &policy.unsupported);
  }
  policy.version = in.version;
  policy.meta = std::move(in.meta);
  return policy;
}

}  // namespace gw::api
