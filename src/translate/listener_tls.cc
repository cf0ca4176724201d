#include "translate/listener_tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "translate/tls_memory.h"
#include "translate/tls_refs.h"

namespace gw::internal {
namespace {

// Reads the references of one listener and gathers what is wrong with them.
class Reader {
 public:
  Reader(Context& context, const api::Gateway& gateway, int index)
      : context_(context),
        gateway_(gateway),
        listener_(gateway.listeners[static_cast<size_t>(index)]),
        path_(fmt::format("spec.listeners[{}].tls", index)),
        name_(gateway.meta.ns + "/" + gateway.meta.name + "/" + listener_.name) {
    tls_.accepted = Holds("Accepted");
  }

  ListenerTls Read();

 private:
  void ReadCertificate(const api::SecretRef& ref, const std::string& path);
  void ReadFiles(const api::CertificateFiles& files);
  void Use(const std::string& source, const std::shared_ptr<const Certificate>& certificate);
  void ReadClients(const api::FrontendValidation& validation);
  // The PEM that the reference leads to; "" with what is wrong noted.
  std::string ReadAuthorities(const api::CaRef& ref, const std::string& path);
  void Note(const RefFault& fault, const std::string& path);
  void WarnOfHostname();

  Context& context_;
  const api::Gateway& gateway_;
  const api::Listener& listener_;
  const Referrer referrer_{api::kGatewayGroup, "Gateway", gateway_.meta.ns};
  const std::string path_;
  const std::string name_;
  ListenerTls tls_;
  std::string reason_;  // of the first thing that is wrong
  std::vector<std::string> wrong_;
  std::vector<std::string> used_;
};

void Reader::Note(const RefFault& fault, const std::string& path) {
  if (reason_.empty()) reason_ = fault.reason;
  wrong_.push_back(path + ": " + fault.message + gateway_.meta.Where(path));
}

void Reader::ReadCertificate(const api::SecretRef& ref, const std::string& path) {
  const CertificateRef read = ReadCertificateRef(context_, referrer_, ref, "InvalidCertificateRef");
  if (read.fault) Note(read.fault, path);
  Use(read.source, read.certificate);
}

void Reader::ReadFiles(const api::CertificateFiles& files) {
  constexpr char kReason[] = "InvalidCertificateRef";
  const std::string& path = files.path;
  if (!files.read) {
    Note({kReason,
          "files are read only where the objects are read out of files, too: put the "
          "certificate into a Secret"},
         path);
    return;
  }
  const std::string source = fmt::format("files {} and {}", files.certificate, files.key);
  const TlsMemory::CertificateRead read = context_.tls_memory.ReadCertificate(
      source, {files.certificate_pem, files.key_pem, files.fault}, context_.options.now_unix_s);
  if (!read.fault.empty()) Note({kReason, WithLastGood(source + ": " + read.fault, read)}, path);
  Use(source, read.served);
}

void Reader::Use(const std::string& source, const std::shared_ptr<const Certificate>& certificate) {
  // One that is named twice is one.
  const auto& all = tls_.certificates;
  if (certificate == nullptr || std::find(all.begin(), all.end(), certificate) != all.end()) return;
  tls_.certificates.push_back(certificate);
  used_.push_back(source + ": " + Described(*certificate));
  context_.certificates.push_back({name_, source, certificate->not_after_unix_s()});
}

std::string Reader::ReadAuthorities(const api::CaRef& ref, const std::string& path) {
  AuthoritiesRef read = ReadAuthoritiesRef(context_, referrer_, ref, "InvalidCACertificateKind",
                                           /*keep_last_good=*/true);
  if (read.fault) Note(read.fault, path);
  return std::move(read.pem);
}

void Reader::ReadClients(const api::FrontendValidation& validation) {
  std::string pem;
  for (size_t i = 0; i < validation.ca_refs.size(); ++i) {
    pem += ReadAuthorities(validation.ca_refs[i],
                           fmt::format("{}.caCertificateRefs[{}]", validation.path, i));
  }
  if (pem.empty()) {
    tls_.accepted = Refused("NoValidCACertificate",
                            fmt::format("{}: clients have to show certificates, and there is no "
                                        "authority to check them by",
                                        validation.path));
    return;
  }
  using Mode = api::FrontendValidation::Mode;
  tls_.clients.mode = validation.mode == Mode::kAllowValidOnly
                          ? ClientValidation::Mode::kAllowValidOnly
                          : ClientValidation::Mode::kAllowInsecureFallback;
  tls_.clients.trust = context_.tls_memory.TrustOf(pem);
}

// A wildcard of a certificate stands for one label, one of a listener for any number.
bool Covers(const std::string& name, const std::string& hostname) {
  if (name == hostname) return true;
  if (!name.starts_with("*.") || hostname.starts_with("*.")) return false;
  const size_t dot = hostname.find('.');
  return dot != hostname.npos && std::string_view(hostname).substr(dot) == name.substr(1);
}

void Reader::WarnOfHostname() {
  if (listener_.hostname.empty() || tls_.certificates.empty()) return;
  for (const auto& certificate : tls_.certificates) {
    for (const std::string& name : certificate->names()) {
      if (Covers(name, listener_.hostname)) return;
    }
  }
  context_.warnings.push_back(fmt::format(
      "{}: listener {}: none of its certificates is for the hostname {}{}",
      RefOf(gateway_).ToString(), listener_.name, listener_.hostname, gateway_.meta.Where(path_)));
}

ListenerTls Reader::Read() {
  const size_t count = listener_.tls ? listener_.tls->certificate_refs.size() : 0;
  for (size_t i = 0; i < count; ++i) {
    ReadCertificate(listener_.tls->certificate_refs[i],
                    fmt::format("{}.certificateRefs[{}]", path_, i));
  }
  const bool has_files = listener_.tls && listener_.tls->files;
  if (has_files) ReadFiles(*listener_.tls->files);
  if (count == 0 && !has_files) {
    Note({"InvalidCertificateRef", "is required for protocol HTTPS"}, path_ + ".certificateRefs");
  }
  const auto of_port = gateway_.frontend.by_port.find(listener_.port);
  const std::optional<api::FrontendValidation>& validation =
      of_port == gateway_.frontend.by_port.end() ? gateway_.frontend.validation : of_port->second;
  if (validation) ReadClients(*validation);
  WarnOfHostname();
  tls_.resolved =
      wrong_.empty() ? Holds("ResolvedRefs", Join(used_)) : Refused(reason_, Join(wrong_));
  return std::move(tls_);
}

struct Port {
  ServerTls::Options options;
  std::vector<ListenerState*> listeners;
};

// The narrowest wildcard of `by_hostname` around the hostname, or the listener for any.
ListenerState* WiderThan(const std::string& hostname,
                         const std::map<std::string, ListenerState*>& by_hostname) {
  std::string_view rest = hostname;
  if (rest.starts_with("*.")) rest.remove_prefix(2);
  for (size_t dot = rest.find('.'); dot != rest.npos; dot = rest.find('.')) {
    rest.remove_prefix(dot + 1);
    const auto wider = by_hostname.find("*." + std::string(rest));
    if (wider != by_hostname.end()) return wider->second;
  }
  const auto any = by_hostname.find("");
  return any == by_hostname.end() || hostname.empty() ? nullptr : any->second;
}

}  // namespace

ListenerTls ReadListenerTls(Context& context, const api::Gateway& gateway, int index) {
  return Reader(context, gateway, index).Read();
}

void FindOverlaps(GatewayStates* states) {
  std::map<ListenerKey, std::map<std::string, ListenerState*>> places;
  for (auto& [key, gateway] : *states) {
    for (ListenerState& listener : gateway.listeners) {
      if (listener.spec->protocol != "HTTPS") continue;
      for (const std::string& ip : listener.ips) {
        places[{static_cast<uint16_t>(listener.spec->port), ip}][listener.spec->hostname] =
            &listener;
      }
    }
  }
  for (auto& [place, by_hostname] : places) {
    for (auto& [hostname, listener] : by_hostname) {
      ListenerState* const wider = WiderThan(hostname, by_hostname);
      if (wider == nullptr) continue;
      listener->overlap = fmt::format("hostname \"{}\" is among those of listener {}, \"{}\"",
                                      hostname, wider->name, wider->spec->hostname);
      if (!wider->overlap.empty()) continue;
      wider->overlap = fmt::format("hostname \"{}\" takes in that of listener {}, \"{}\"",
                                   wider->spec->hostname, listener->name, hostname);
    }
  }
}

void MakeServers(Context& context, GatewayStates* states) {
  std::map<ListenerKey, Port> ports;
  for (auto& [key, gateway] : *states) {
    for (ListenerState& listener : gateway.listeners) {
      if (listener.spec->protocol != "HTTPS") continue;
      for (const std::string& ip : listener.ips) {
        Port& port = ports[{static_cast<uint16_t>(listener.spec->port), ip}];
        const std::string& hostname = listener.spec->hostname;
        port.options.listeners.push_back(
            {hostname.empty() ? "*" : hostname, listener.certificates});
        port.options.client_validation = listener.clients;  // all of them have the same
        port.listeners.push_back(&listener);
      }
    }
  }
  for (auto& [key, port] : ports) {
    auto server =
        context.tls_memory.ServerOf(key, std::move(port.options), *context.options.tickets);
    if (server.ok()) {
      context.servers[key] = *std::move(server);
      continue;
    }
    for (ListenerState* listener : port.listeners) {
      std::erase(listener->ips, key.ip);
      listener->resolved = Refused("InvalidCertificateRef",
                                   std::string(server.status().message()) + listener->where);
    }
  }
}

}  // namespace gw::internal
