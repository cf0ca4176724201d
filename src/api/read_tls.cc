#include "api/read_tls.h"

#include <optional>
#include <string>

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

bool NamesFile(std::string_view key) {
  return key == kCertificateFileOption || key == kKeyFileOption;
}

// Of `all`, a map of text: both files or none.
std::optional<CertificateFiles> ReadFiles(const Value& all, const StringMap& texts) {
  constexpr size_t kPathMax = 4096;
  const auto read = [&](const char* key, const char* other) -> std::string {
    const auto found = texts.find(key);
    if (found == texts.end()) {
      if (texts.contains(other)) all.At(key).Error(std::string("is required beside ") + other);
      return "";
    }
    const std::string& path = found->second;
    if (path.empty() || path.size() > kPathMax || path.find('\0') != path.npos) {
      all.At(key).Error("must be the path of a file");
    }
    return path;
  };
  CertificateFiles files;
  files.certificate = read(kCertificateFileOption, kKeyFileOption);
  files.key = read(kKeyFileOption, kCertificateFileOption);
  if (files.certificate.empty() && files.key.empty()) return std::nullopt;
  files.path = all.path();
  all.Keep();
  return files;
}

// The files that the options name; all other options are unsupported.
std::optional<CertificateFiles> ReadOptions(const Value& options, int index,
                                            std::vector<Unsupported>* unsupported) {
  const StringMap texts = options.Strings();
  for (const auto& [key, text] : texts) {
    if (!NamesFile(key)) NoteUnsupported(options.At(key), index, unsupported);
  }
  return ReadFiles(options, texts);
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

std::optional<CertificateFiles> ReadCertificateFiles(const ObjectInput& in) {
  return ReadFiles(in.top.Get("metadata").At("annotations"), in.meta.annotations);
}

ListenerTls ReadListenerTls(const Value& value, const std::string& ns, int index,
                            const std::optional<CertificateFiles>& otherwise,
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
  const bool has_options = options.present();
  tls.files = ReadOptions(options, index, unsupported);
  NoteUnsupported(in.Get("frontendValidation"), index, unsupported);
  if (tls.files && tls.mode == ListenerTls::Mode::kPassthrough) {
    options.Error("must not name files when mode is Passthrough");
  }
  const bool terminates = tls.mode == ListenerTls::Mode::kTerminate;
  if (terminates && !tls.files && tls.certificate_refs.empty()) tls.files = otherwise;
  if (terminates && !tls.files && tls.certificate_refs.empty() && !has_options) {
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
