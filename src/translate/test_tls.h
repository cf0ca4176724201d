// Gateways with HTTPS listeners and their certificates, for tests of Translate.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tls/test_certificates.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {

inline constexpr int64_t kNow = 1'800'000'000;  // 2027-01-15T08:00:00Z

inline std::string ListenerSaid(const Translation& translation, const std::string& listener,
                                const std::string& type, const std::string& gateway = "gateway") {
  return Said(ListenerOf(translation, listener, gateway).conditions, type);
}
inline std::string ListenerMessage(const Translation& translation, const std::string& listener,
                                   const std::string& type,
                                   const std::string& gateway = "gateway") {
  return MessageOf(ListenerOf(translation, listener, gateway).conditions, type);
}

// "host: CN=a CN=b; ..." of what is served at the port; "plain" or "none".
inline std::string Shown(const Snapshot& snapshot, uint16_t port = 443) {
  const ListenerEntry* listener = snapshot.FindListener({port});
  if (listener == nullptr) return "none";
  if (listener->tls == nullptr) return "plain";
  std::string text;
  for (const TlsListener& each : listener->tls->options().listeners) {
    text += (text.empty() ? "" : "; ") + each.hostname + ":";
    for (const auto& certificate : each.certificates) text += " " + certificate->subject();
  }
  return text;
}

// A Gateway with plain HTTP and one HTTPS listener "https", and a Secret "cert" for a.example.com.
struct TlsScenario : Scenario {
  TestCertificate certificate = ServerCertificate("a.example.com");
  api::Gateway* gateway = &AddGateway();
  api::Listener* https = &AddHttps(*gateway, "https", "cert");
  api::Secret* secret = &AddSecret("cert", certificate.pem, certificate.key_pem());

  TlsScenario() {
    options.now_unix_s = kNow;
    secret->meta.source = {"cert.yaml", 3};
    gateway->meta.lines["spec.listeners[1].tls.certificateRefs[0]"] = 12;
    gateway->meta.source = {"gateway.yaml", 1};
  }
  void SetSecret(const TestCertificate& made) {
    secret->data = {{"tls.crt", made.pem}, {"tls.key", made.key_pem()}};
  }
  // The one that a test changes is of "https"; the other listener goes on.
  void ExpectRefused(const std::string& reason, const std::string& message) {
    AddRoute();
    const Translation translation = Run();
    EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/" + reason);
    EXPECT_EQ(ListenerMessage(translation, "https", "ResolvedRefs"), message);
    EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "False/Invalid");
    const api::ListenerStatus status = ListenerOf(translation, "https");
    ASSERT_EQ(status.supported_kinds.size(), 1u);
    EXPECT_EQ(status.supported_kinds[0].kind, "HTTPRoute");
    EXPECT_EQ(status.attached_routes, 1) << "whatever the listener's own state is";
    EXPECT_EQ(Shown(*translation.snapshot), "none");
    EXPECT_EQ(Shown(*translation.snapshot, 80), "plain");
    EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"), "True/Programmed");
    EXPECT_EQ(Said(StatusOf(translation, "Gateway", "gateway").conditions, "Accepted"),
              "True/ListenersNotValid");
  }
};

struct ClientScenario : TlsScenario {
  ClientScenario() {
    AddAuthorities("ca", TestAuthority().pem);
    gateway->frontend.validation = {.ca_refs = {{"", "ConfigMap", "default", "ca"}},
                                    .path = "spec.tls.frontend.default.validation"};
  }
  const ClientValidation& Clients(const Translation& translation, uint16_t port = 443) {
    return translation.snapshot->FindListener({port})->tls->options().client_validation;
  }
};

}  // namespace gw
