#include "api/read_tls.h"

#include "api/kinds.h"

namespace gw::api {
namespace {

// tls.frontend.default and tls.frontend.perPort[].tls
std::optional<FrontendValidation> ReadValidation(const Value& value, const std::string& ns) {
  MapReader config = value.Map();
  const Value field = config.Get("validation");
  if (!field.present()) return std::nullopt;
  FrontendValidation validation;
  validation.path = field.path();
  MapReader in = field.Map();
  for (const Value& item : in.Require("caCertificateRefs").List(1, 8)) {
    item.Keep();
    MapReader map = item.Map();
    CaRef ref;
    ref.ns = ns;
    ref.group = map.Require("group").Group();
    ref.kind = map.Require("kind").Kind();
    if (const Value other = map.Get("namespace"); other.present()) ref.ns = other.DnsLabel();
    ref.name = map.Require("name").Text(1, 253);
    validation.ca_refs.push_back(std::move(ref));
  }
  const Value mode = in.Get("mode");
  mode.Keep();
  if (mode.OneOf({"AllowValidOnly", "AllowInsecureFallback"}, 0) == 1) {
    validation.mode = FrontendValidation::Mode::kAllowInsecureFallback;
  }
  return validation;
}

SecretRef ReadSecretRef(const Value& value, const std::string& ns) {
  value.Keep();
  MapReader map = value.Map();
  SecretRef ref;
  ref.ns = ns;
  ref.group = map.Get("group").Group();
  if (const Value kind = map.Get("kind"); kind.present()) ref.kind = kind.Kind();
  if (const Value other = map.Get("namespace"); other.present()) ref.ns = other.DnsLabel();
  ref.name = map.Require("name").Text(1, 253);
  return ref;
}

FrontendTls ReadFrontendTls(const Value& value, const std::string& ns) {
  FrontendTls frontend;
  if (!value.present()) return frontend;
  MapReader in = value.Map();
  frontend.validation = ReadValidation(in.Require("default"), ns);
  for (const Value& item : in.Get("perPort").List(0, 64)) {
    MapReader map = item.Map();
    const int port = map.Require("port").Port().value_or(0);
    std::optional<FrontendValidation> of_port = ReadValidation(map.Require("tls"), ns);
    if (!frontend.by_port.emplace(port, std::move(of_port)).second) {
      item.Error("port " + std::to_string(port) + " is given twice");
    }
  }
  return frontend;
}

}  // namespace

ListenerTls ReadListenerTls(const Value& value, const std::string& ns, int index,
                            std::vector<Unsupported>* unsupported) {
  ListenerTls tls;
  MapReader in = value.Map();
  const Value mode = in.Get("mode");
  if (mode.OneOf({"Terminate", "Passthrough"}, 0) == 1) {
    tls.mode = ListenerTls::Mode::kPassthrough;
    NoteUnsupported(mode, index, unsupported);
  }
  const Value references = in.Get("certificateRefs");
  for (const Value& item : references.List(0, 64)) {
    tls.certificate_refs.push_back(ReadSecretRef(item, ns));
  }
  const Value options = in.Get("options");
  const bool has_options = !options.Strings().empty();
  NoteUnsupported(options, index, unsupported);
  NoteUnsupported(in.Get("frontendValidation"), index, unsupported);
  if (tls.mode == ListenerTls::Mode::kTerminate && tls.certificate_refs.empty() && !has_options) {
    references.Error("is required when mode is Terminate");
  }
  return tls;
}

GatewayTls ReadGatewayTls(const Value& value, const std::string& ns) {
  GatewayTls tls;
  MapReader in = value.Map();
  tls.frontend = ReadFrontendTls(in.Get("frontend"), ns);
  MapReader backend = in.Get("backend").Map();
  if (const Value ref = backend.Get("clientCertificateRef"); ref.present()) {
    tls.backend.client_certificate = ReadSecretRef(ref, ns);
  }
  return tls;
}

}  // namespace gw::api
