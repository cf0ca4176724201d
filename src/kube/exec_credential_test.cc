#include "kube/exec_credential.h"

#include <gtest/gtest.h>

namespace gw::kube {
namespace {

std::string Answer(const std::string& status) {
  return R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":)" +
         status + "}";
}
std::string ErrorOf(const std::string& answer) {
  return std::string(ParseExecCredential(answer, kExecV1).status().message());
}

TEST(ExecInfo, SaysTheVersionAndThatNobodyIsThere) {
  AccessOptions access;
  access.exec.emplace();
  access.exec->api_version = kExecV1Beta1;
  EXPECT_EQ(ExecInfo(access, "ca"),
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1",)"
            R"("spec":{"interactive":false}})");
}

TEST(ExecInfo, TellsOfTheClusterIfItIsToldTo) {
  AccessOptions access;
  access.exec.emplace();
  access.exec->api_version = kExecV1;
  access.exec->provide_cluster_info = true;
  access.exec->cluster_config_json = R"({"audience":"a"})";
  access.server = {true, "::1", 6443, "/k8s"};
  access.tls_server_name = "api";
  access.insecure_skip_tls_verify = true;
  access.disable_compression = true;
  EXPECT_EQ(ExecInfo(access, "ca"),
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
            R"("spec":{"interactive":false,"cluster":{"server":"https://[::1]:6443/k8s",)"
            R"("tls-server-name":"api","insecure-skip-tls-verify":true,)"
            R"("disable-compression":true,"certificate-authority-data":"Y2E=",)"
            R"("config":{"audience":"a"}}}})");
}

TEST(ParseExecCredential, ReadsATokenAndItsExpiry) {
  const auto parsed = ParseExecCredential(
      Answer(
          R"({"token":"abc","expirationTimestamp":"2026-01-02T03:04:05Z","clientKeyData":null})"),
      kExecV1);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, (ExecCredential{"abc", "", "", 1767323045}));
}

TEST(ParseExecCredential, ReadsACertificateWithoutExpiry) {
  const auto parsed = ParseExecCredential(
      Answer(R"({"clientCertificateData":"cert\n","clientKeyData":"key\n"})"), kExecV1);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, (ExecCredential{"", "cert\n", "key\n", std::nullopt}));
}

TEST(ParseExecCredential, RefusesWhatIsNoCredential) {
  EXPECT_EQ(ErrorOf(Answer("{}")),
            "status must have a token, or clientCertificateData and clientKeyData");
  EXPECT_EQ(ErrorOf(Answer(R"({"token":""})")),
            "status must have a token, or clientCertificateData and clientKeyData");
  EXPECT_EQ(ErrorOf(Answer(R"({"token":12345})")), "status.token must be text");
  EXPECT_EQ(ErrorOf(Answer(R"({"token":"secret\r\nHost: a"})")),
            "status.token must be visible ASCII characters without spaces");
  EXPECT_EQ(ErrorOf(Answer(R"({"token":"secret","clientKeyData":"key"})")),
            "status.clientCertificateData and status.clientKeyData must be given together");
  EXPECT_EQ(ErrorOf(Answer(R"({"token":"secret","expirationTimestamp":"soon"})")),
            "status.expirationTimestamp must be a time such as 2026-01-02T03:04:05Z, got "
            "\"soon\"");
  EXPECT_EQ(ErrorOf(Answer("[]")), "status must be an object");
  EXPECT_EQ(ErrorOf(R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"})"),
            "status must be an object");
}

TEST(ParseExecCredential, RefusesOtherVersionsAndKinds) {
  EXPECT_EQ(
      std::string(ParseExecCredential(Answer(R"({"token":"a"})"), kExecV1Beta1).status().message()),
      "apiVersion must be client.authentication.k8s.io/v1beta1, got "
      "\"client.authentication.k8s.io/v1\"");
  EXPECT_EQ(ErrorOf(R"({"apiVersion":"v1","kind":"Secret"})"),
            "kind must be ExecCredential, got \"Secret\"");
  EXPECT_EQ(ErrorOf("[]"), "the answer must be a JSON object");
}

TEST(ParseExecCredential, ShowsNothingOfWhatIsNoJson) {
  for (const std::string answer : {"", "secret-token", R"({"token":"secret)", "\xff\xfesecret"}) {
    const std::string error = ErrorOf(answer);
    EXPECT_EQ(error.rfind("the answer must be JSON, got ", 0), 0u) << error;
    EXPECT_EQ(error.find("secret"), error.npos) << error;
  }
}

TEST(IsToken, TakesNothingThatWouldEndTheField) {
  EXPECT_TRUE(IsToken("k8s-aws-v1.aHR0~+/="));
  EXPECT_FALSE(IsToken("a b"));
  EXPECT_FALSE(IsToken("a\n"));
  EXPECT_FALSE(IsToken("\x7f"));
  EXPECT_FALSE(IsToken("\xc3\xa4"));
}

}  // namespace
}  // namespace gw::kube
