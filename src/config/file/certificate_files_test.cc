// Certificates in files beside those of the objects.

#include "config/file/certificate_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/test_folder.h"
#include "config/file/load.h"
#include "config/file/test_objects.h"

namespace gw::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Gateway(const std::string& certificate, const std::string& key) {
  return "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n"
         "spec: {gatewayClassName: c, listeners: [{name: a, port: 443, protocol: HTTPS, tls: "
         "{options: {penstock.dev/certificate-file: '" +
         certificate + "', penstock.dev/key-file: '" + key + "'}}}]}\n";
}

api::CertificateFiles FilesOf(const LoadResult& loaded) {
  const api::ResourceSet set = ResourcesOf(loaded);
  return set.gateways.at({"default", "g"}).listeners.at(0).tls->files.value();
}

TEST(CertificateFiles, AreReadBesideTheirManifest) {
  const TestFolder folder;
  folder.Write("objects/gateway.yaml", Gateway("tls/a.crt", folder / "elsewhere/a.key"));
  folder.Write("objects/tls/a.crt", "chain");
  folder.Write("elsewhere/a.key", "key");
  const LoadResult loaded = LoadFiles({folder / "objects"});
  EXPECT_TRUE(loaded.ok()) << loaded.error();
  const api::CertificateFiles files = FilesOf(loaded);
  EXPECT_TRUE(files.read);
  EXPECT_EQ(files.certificate, folder / "objects/tls/a.crt");
  EXPECT_EQ(files.certificate_pem, "chain");
  EXPECT_EQ(files.key_pem, "key");
  EXPECT_EQ(files.fault, "");
  EXPECT_THAT(loaded.beside, ElementsAre(folder / "objects/tls/a.crt", folder / "elsewhere/a.key"));
}

TEST(CertificateFiles, AnotherContentIsAnotherLoad) {
  const TestFolder folder;
  folder.Write("gateway.yaml", Gateway("a.crt", "a.key"));
  folder.Write("a.crt", "chain");
  folder.Write("a.key", "key");
  const uint64_t hash = LoadFiles({folder / "gateway.yaml"}).hash;
  EXPECT_EQ(LoadFiles({folder / "gateway.yaml"}).hash, hash);
  folder.Write("a.key", "another");
  EXPECT_NE(LoadFiles({folder / "gateway.yaml"}).hash, hash);
  EXPECT_EQ(FilesOf(LoadFiles({folder / "gateway.yaml"})).key_pem, "another");
}

TEST(CertificateFiles, OneThatCannotBeReadIsAFaultOfItsListenerAndOfNothingElse) {
  const TestFolder folder;
  folder.Write("gateway.yaml", Gateway("a.crt", "."));
  const LoadResult loaded = LoadFiles({folder / "gateway.yaml"});
  EXPECT_TRUE(loaded.ok()) << loaded.error();
  const api::CertificateFiles files = FilesOf(loaded);
  EXPECT_TRUE(files.read);
  EXPECT_THAT(files.fault, HasSubstr(folder / "a.crt: cannot read: No such file"));
  EXPECT_THAT(files.fault, HasSubstr("/.: is not a regular file"));
  EXPECT_EQ(files.certificate_pem, "");
}

TEST(CertificateFiles, ThatAreTooLargeReachTheLimit) {
  const TestFolder folder;
  FileLimits limits;
  limits.file_bytes_max = 1000;
  folder.Write("gateway.yaml", Gateway("a.crt", "a.key"));
  folder.Write("a.crt", std::string(1001, 'x'));
  folder.Write("a.key", "key");
  const LoadResult loaded = LoadFiles({folder / "gateway.yaml"}, limits);
  EXPECT_THAT(loaded.limits, ElementsAre("config_file_bytes"));
  EXPECT_THAT(FilesOf(loaded).fault, HasSubstr("larger than 1000 bytes"));
}

TEST(CertificateFiles, AreNotReadOfObjectsThatAreNotOutOfFiles) {
  const api::ResourceSet set = Good(Gateway("a.crt", "a.key"));
  const auto& files = set.gateways.at({"default", "g"}).listeners.at(0).tls->files;
  ASSERT_TRUE(files.has_value());
  EXPECT_FALSE(files->read);
  EXPECT_EQ(files->certificate, "a.crt");
}

std::string Options(const std::string& options) {
  return "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n"
         "spec: {gatewayClassName: c, listeners: [{name: a, port: 443, protocol: HTTPS, tls: "
         "{options: " +
         options + "}}]}\n";
}

TEST(BadObjects, CertificateFiles) {
  const std::string path = "Gateway default/g: spec.listeners[0].tls.options";
  ExpectErrors(
      {
          {Options("{penstock.dev/certificate-file: a}"),
           path + "[\"penstock.dev/key-file\"]: is required beside penstock.dev/certificate-file "
                  "(a.yaml:4)"},
          {Options("{penstock.dev/key-file: a}"),
           path + "[\"penstock.dev/certificate-file\"]: is required beside penstock.dev/key-file "
                  "(a.yaml:4)"},
      },
      "");
}

std::string Annotated(const std::string& annotations, const std::string& listeners) {
  return "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
         "metadata: {name: g, annotations: {" +
         annotations + "}}\nspec: {gatewayClassName: c, listeners: [" + listeners + "]}\n";
}
constexpr char kBoth[] = "penstock.dev/certificate-file: g.crt, penstock.dev/key-file: g.key";

TEST(CertificateFiles, OfTheGatewayAreForListenersThatNameNoCertificate) {
  const api::ResourceSet set = Good(Annotated(
      kBoth,
      "{name: none, port: 443, protocol: HTTPS}, "
      "{name: mode, port: 444, protocol: HTTPS, tls: {mode: Terminate}}, "
      "{name: other, port: 445, protocol: HTTPS, tls: {options: {x.io/min: '1.3'}}}, "
      "{name: plain, port: 80, protocol: HTTP}, "
      "{name: secret, port: 446, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}, "
      "{name: own, port: 447, protocol: HTTPS, tls: {options: {penstock.dev/certificate-file: a, "
      "penstock.dev/key-file: b}}}"));
  const auto& listeners = set.gateways.at({"default", "g"}).listeners;
  ASSERT_EQ(listeners.size(), 6u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(listeners[i].tls && listeners[i].tls->files) << listeners[i].name;
    EXPECT_EQ(listeners[i].tls->files->certificate, "g.crt");
    EXPECT_EQ(listeners[i].tls->files->key, "g.key");
    EXPECT_EQ(listeners[i].tls->files->path, "metadata.annotations");
  }
  EXPECT_FALSE(listeners[3].tls);
  EXPECT_FALSE(listeners[4].tls->files);
  EXPECT_EQ(listeners[5].tls->files->certificate, "a");
}

TEST(BadObjects, CertificateFilesInAnnotations) {
  const std::string path = "Gateway default/g: metadata.annotations[\"penstock.dev/";
  const std::string https = "{name: a, port: 443, protocol: HTTPS}";
  ExpectErrors(
      {
          {Annotated("penstock.dev/certificate-file: a", https),
           path + "key-file\"]: is required beside penstock.dev/certificate-file (a.yaml:3)"},
          {Annotated("penstock.dev/certificate-file: a, penstock.dev/key-file: ''", https),
           path + "key-file\"]: must be the path of a file (a.yaml:3)"},
          {Annotated(kBoth, "{name: a, port: 80, protocol: HTTP}"),
           path + "certificate-file\"]: no HTTPS listener uses it: all have a certificate of their "
                  "own (a.yaml:3)"},
      },
      "");
}

TEST(GoodObjects, OtherTlsOptionsAreNotPassedOver) {
  const api::ResourceSet set = Good(
      Options("{penstock.dev/certificate-file: a, penstock.dev/key-file: b, x.io/min: '1.3'}"));
  const auto& unsupported = set.gateways.at({"default", "g"}).unsupported;
  ASSERT_EQ(unsupported.size(), 1u);
  EXPECT_EQ(unsupported[0].path, "spec.listeners[0].tls.options[\"x.io/min\"]");
  EXPECT_EQ(unsupported[0].index, 0);
}

}  // namespace
}  // namespace gw::config
