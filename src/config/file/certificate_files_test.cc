// Certificates in files beside those of the objects.

#include "config/file/certificate_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/file/load.h"
#include "config/file/test_folder.h"
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
           path + "[\"penstock.dev/key-file\"]: is required beside the other file's option "
                  "(a.yaml:4)"},
          {Options("{penstock.dev/key-file: a}"),
           path + "[\"penstock.dev/certificate-file\"]: is required beside the other file's option "
                  "(a.yaml:4)"},
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
