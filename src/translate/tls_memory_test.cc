// What stays from one translation to the next: last good certificates, and what has not changed.

#include "translate/tls_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "translate/test_tls.h"
#include "translate/translator.h"

namespace gw {
namespace {

using testing::HasSubstr;

struct Following : ClientScenario {
  Translator translator{options, endpoints};
  uint64_t generation = 0;

  Translation Next(int64_t now_unix_s = kNow) {
    translator.SetNow(now_unix_s);
    Translator::Update update = translator.TranslateAll(resources, ++generation);
    return {update.snapshot, std::move(update.status), std::move(update.warnings), {}, {}, 0};
  }
  std::shared_ptr<const ServerTls> ServerOf(const Translation& translation) {
    return translation.snapshot->FindListener({443})->tls;
  }
};

TEST(LastGoodCertificate, IsServedWhileTheNewOneIsBad) {
  const TestCertificate good = ServerCertificate("a.example.com");
  const TestCertificate expired = MakeCertificate({.common_name = "expired",
                                                   .key = TestKey::kP256,
                                                   .issuer = &TestAuthority(),
                                                   .not_after = "20260101000000Z"});
  const std::pair<api::StringMap, std::string> kBad[] = {
      {{{"tls.crt", "nothing"}, {"tls.key", good.key_pem()}}, "must be a certificate in PEM"},
      {{{"tls.crt", good.pem}, {"tls.key", KeyPemForTest(TestKey::kOtherP256)}},
       "tls.key: must be the key of"},
      {{{"tls.crt", expired.pem}, {"tls.key", expired.key_pem()}},
       "tls.crt: expired on 2026-01-01T00:00:00Z"},
  };
  for (const auto& [data, said] : kBad) {
    Following scenario;
    const auto server = scenario.ServerOf(scenario.Next());
    scenario.secret->data = data;
    Translation translation = scenario.Next();
    EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/InvalidCertificateRef");
    const std::string message = ListenerMessage(translation, "https", "ResolvedRefs");
    EXPECT_THAT(message, HasSubstr(said));
    EXPECT_THAT(message, HasSubstr("; its last good certificate is served: CN=a.example.com"));
    EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "True/Programmed");
    EXPECT_EQ(scenario.ServerOf(translation), server);
    scenario.SetSecret(ServerCertificate("new.example.com"));
    translation = scenario.Next();
    EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "True/ResolvedRefs");
    EXPECT_EQ(Shown(*translation.snapshot), "*: CN=new.example.com");
  }
}

TEST(LastGoodCertificate, GoesWithItsSecret) {
  Following scenario;
  scenario.Next();
  const api::Secret secret = *scenario.secret;
  scenario.resources.secrets.clear();
  Translation translation = scenario.Next();
  EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "False/Invalid");
  EXPECT_EQ(Shown(*translation.snapshot), "none");
  scenario.resources.secrets[{"default", "cert"}] = secret;
  scenario.resources.secrets.begin()->second.data["tls.crt"] = "nothing";
  EXPECT_EQ(Shown(*scenario.Next().snapshot), "none") << "that of a deleted one is forgotten";
}

TEST(LastGoodCertificate, IsServedBeyondItsEnd) {
  Following scenario;
  scenario.SetSecret(MakeCertificate({.common_name = "short",
                                      .names = "DNS:a.example.com",
                                      .issuer = &TestAuthority(),
                                      .not_after = "20270115090000Z"}));
  Translation translation = scenario.Next();
  EXPECT_EQ(scenario.translator.next_change_unix_s(), kNow + 3601);
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "True/ResolvedRefs");
  translation = scenario.Next(kNow + 3601);
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/InvalidCertificateRef");
  EXPECT_EQ(ListenerSaid(translation, "https", "Programmed"), "True/Programmed");
  EXPECT_EQ(Shown(*translation.snapshot), "*: CN=short");
}

TEST(CertificateFiles, AreServedAndTheLastGoodOnesGoOn) {
  Following scenario;
  const TestCertificate good = ServerCertificate("files.example.com");
  scenario.https->tls->certificate_refs.clear();
  scenario.https->tls->files = api::CertificateFiles{.certificate = "/tls/a.crt",
                                                     .key = "/tls/a.key",
                                                     .path = "spec.listeners[0].tls.options",
                                                     .read = true,
                                                     .certificate_pem = good.pem,
                                                     .key_pem = good.key_pem()};
  Translation translation = scenario.Next();
  EXPECT_EQ(Shown(*translation.snapshot), "*: CN=files.example.com");
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "True/ResolvedRefs");
  EXPECT_THAT(ListenerMessage(translation, "https", "ResolvedRefs"),
              HasSubstr("files /tls/a.crt and /tls/a.key: CN=files.example.com"));
  const auto server = scenario.ServerOf(translation);
  api::CertificateFiles gone = *scenario.https->tls->files;
  gone.certificate_pem.clear();
  gone.fault = "/tls/a.crt: cannot read: No such file or directory";
  api::CertificateFiles half = *scenario.https->tls->files;
  half.key_pem = KeyPemForTest(TestKey::kOtherP256);
  const std::pair<api::CertificateFiles, std::string> kBad[] = {
      {gone, "/tls/a.crt: cannot read"}, {half, "tls.key: must be the key of"}};
  for (const auto& [files, said] : kBad) {
    scenario.https->tls->files = files;
    translation = scenario.Next();
    EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/InvalidCertificateRef");
    EXPECT_THAT(ListenerMessage(translation, "https", "ResolvedRefs"), HasSubstr(said));
    EXPECT_THAT(ListenerMessage(translation, "https", "ResolvedRefs"),
                HasSubstr("spec.listeners[0].tls.options: "));
    EXPECT_THAT(ListenerMessage(translation, "https", "ResolvedRefs"),
                HasSubstr("its last good certificate is served: CN=files.example.com"));
    EXPECT_EQ(scenario.ServerOf(translation), server);
  }
  Following fresh;
  fresh.https->tls->certificate_refs.clear();
  fresh.https->tls->files = gone;
  EXPECT_EQ(Shown(*fresh.Next().snapshot), "none") << "there was none before";
}

TEST(CertificateFiles, OfACluster) {
  Following scenario;
  scenario.https->tls->files = api::CertificateFiles{"a.crt", "a.key"};
  const Translation translation = scenario.Next();
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/InvalidCertificateRef");
  EXPECT_THAT(ListenerMessage(translation, "https", "ResolvedRefs"),
              HasSubstr("put the certificate into a Secret"));
  EXPECT_EQ(Shown(*translation.snapshot), "*: CN=a.example.com") << "the Secret's";
}

TEST(LastGoodAuthorities, AreUsedWhileTheNewOnesAreBad) {
  Following scenario;
  const auto server = scenario.ServerOf(scenario.Next());
  scenario.resources.config_maps.begin()->second.data["ca.crt"] = "nothing";
  Translation translation = scenario.Next();
  EXPECT_EQ(ListenerSaid(translation, "https", "ResolvedRefs"), "False/InvalidCACertificateRef");
  EXPECT_EQ(ListenerSaid(translation, "https", "Accepted"), "True/Accepted");
  EXPECT_EQ(scenario.ServerOf(translation), server);
  scenario.resources.config_maps.clear();
  EXPECT_EQ(Shown(*scenario.Next().snapshot), "none");
}

TEST(ServerTls, StaysTheSameWhileNothingOfItChanges) {
  Following scenario;
  const auto server = scenario.ServerOf(scenario.Next());
  scenario.AddRoute();
  scenario.secret->meta.labels["another"] = "label";
  EXPECT_EQ(scenario.ServerOf(scenario.Next()), server);
  scenario.https->hostname = "a.example.com";
  EXPECT_NE(scenario.ServerOf(scenario.Next()), server);
}

TEST(ClientTls, StaysTheSameWhileNothingOfItChanges) {
  internal::TlsMemory memory;
  const auto read = memory.ReadAuthorities("ConfigMap default/ca", TestAuthority().pem);
  const ClientTls::Options options{.server_name = "a.example.com",
                                   .trust = memory.TrustOf(read.pem)};
  const auto client = memory.ClientOf("one", options);
  ASSERT_TRUE(client.ok()) << client.status();
  memory.ForgetUnused();
  EXPECT_EQ(*memory.ClientOf("one", options), *client);
  ClientTls::Options changed = options;
  changed.server_name = "b.example.com";
  const auto other = memory.ClientOf("one", changed);
  EXPECT_NE(*other, *client);
  EXPECT_EQ((*other)->options().server_name, "b.example.com");
  memory.ForgetUnused();
  memory.ForgetUnused();
  EXPECT_NE(*memory.ClientOf("one", changed), *other) << "what nobody asked for is forgotten";
}

TEST(SystemTrust, IsReadOnceAndAskedForAgainAfterAFailure) {
  internal::TlsMemory memory;
  int reads = 0;
  TranslateOptions options;
  options.read_system_trust = [&]() -> absl::StatusOr<std::shared_ptr<const Trust>> {
    if (++reads == 1) return absl::NotFoundError("none can be read");
    return Trust::Parse(TestAuthority().pem);
  };
  EXPECT_EQ(memory.SystemTrust(options).status().message(), "none can be read");
  const auto trust = memory.SystemTrust(options);
  ASSERT_TRUE(trust.ok());
  memory.ForgetUnused();
  memory.ForgetUnused();
  EXPECT_EQ(*memory.SystemTrust(options), *trust);
  EXPECT_EQ(reads, 2);
}

TEST(Translator, TranslatesAllWhenACertificateEnds) {
  Following scenario;
  scenario.SetSecret(MakeCertificate(
      {.names = "DNS:a.example.com", .issuer = &TestAuthority(), .not_after = "20270115090000Z"}));
  scenario.Next();
  scenario.translator.SetNow(kNow + 3600);
  EXPECT_FALSE(scenario.translator.Follow(scenario.resources, {}, 2).whole);
  scenario.translator.SetNow(kNow + 3601);
  EXPECT_TRUE(scenario.translator.Follow(scenario.resources, {}, 3).whole);
  EXPECT_FALSE(scenario.translator.Follow(scenario.resources, {}, 4).whole) << "once";
}

}  // namespace
}  // namespace gw
