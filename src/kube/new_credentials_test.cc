#include "kube/new_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "kube/exec_credential.h"
#include "tls/test_certificates.h"

namespace gw::kube {
namespace {

using testing::HasSubstr;

class NewCredentialsTest : public testing::Test {
 protected:
  NewCredentialsTest() {
    options_.server.host = "10.0.0.1";
    options_.ca = {TestAuthority().pem, "", "ca"};
  }

  std::unique_ptr<Credentials> New() { return NewCredentials(options_, clock_); }
  std::string Authorization() { return New()->Get()->authorization; }
  // A plug-in that gives what stands in the file "status".
  void Plugin(const std::string& status) {
    files_.Write("status", status);
    options_.exec.emplace();
    options_.exec->api_version = kExecV1;
    options_.exec->command = files_.WriteProgram(
        "plugin",
        R"(echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
        R"("status":'; cat ')" +
            (files_ / "status") + "'; echo '}'\n");
  }

  TestFolder files_;
  ManualClock clock_;
  AccessOptions options_;
};

std::string Json(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\n' ? "\\n" : std::string(1, c);
  return '"' + out + '"';
}

TEST_F(NewCredentialsTest, WithoutAnythingNobodyIsNamed) {
  const auto credential = New()->Get();
  ASSERT_TRUE(credential.ok()) << credential.status();
  EXPECT_EQ(credential->authorization, "");
  EXPECT_EQ(credential->tls->options().server_name, "10.0.0.1");
  EXPECT_EQ(credential->tls->options().certificate, nullptr);
}

TEST_F(NewCredentialsTest, ATokenIsBearerAndANameWithPasswordBasic) {
  options_.token = "abc";
  EXPECT_EQ(Authorization(), "Bearer abc");
  options_.token = "";
  options_.username = "Aladdin";
  options_.password = "open sesame";
  EXPECT_EQ(Authorization(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_F(NewCredentialsTest, PlainHttpHasNoTls) {
  options_ = {};
  options_.server = {false, "localhost", 8001, ""};
  const auto credential = New()->Get();
  ASSERT_TRUE(credential.ok());
  EXPECT_EQ(credential->tls, nullptr);
}

TEST_F(NewCredentialsTest, PlainHttpRefusesACertificate) {
  options_.server = {false, "localhost", 8001, ""};
  options_.client_certificate = {"pem", "", "users[a].client-certificate-data"};
  EXPECT_EQ(New()->Get().status().message(),
            "users[a].client-certificate-data: http://localhost:8001 is plain HTTP, which carries "
            "no certificate");
}

TEST_F(NewCredentialsTest, TheNameInTheCertificateMayBeAnother) {
  options_.tls_server_name = "kubernetes.default";
  EXPECT_EQ(New()->Get()->tls->options().server_name, "kubernetes.default");
}

TEST_F(NewCredentialsTest, ATokenThatIsRotatedIsSeenAfterAMinute) {
  options_.token_file = files_.Write("token", "one\n");
  const auto credentials = New();
  EXPECT_EQ(credentials->Get()->authorization, "Bearer one");
  files_.Write("token", "two\n");
  EXPECT_EQ(credentials->Get()->authorization, "Bearer one");
  clock_.Advance(std::chrono::seconds(60));
  EXPECT_EQ(credentials->Get()->authorization, "Bearer two");
}

TEST_F(NewCredentialsTest, ARefusedTokenIsReadAnewAndTheTlsStays) {
  options_.token_file = files_.Write("token", "one");
  const auto credentials = New();
  const auto before = credentials->Get();
  files_.Write("token", "two");
  credentials->Refused();
  const auto after = credentials->Get();
  EXPECT_EQ(after->authorization, "Bearer two");
  EXPECT_EQ(after->tls, before->tls);
}

TEST_F(NewCredentialsTest, ATokenFileWinsOverATokenThatStandsInForIt) {
  options_.token = "stands-in";
  options_.token_file = files_ / "token";
  const auto credentials = New();
  EXPECT_EQ(credentials->Get()->authorization, "Bearer stands-in");
  files_.Write("token", "file");
  EXPECT_EQ(credentials->Get()->authorization, "Bearer file");
}

TEST_F(NewCredentialsTest, ATokenFileThatHoldsNoTokenIsAnErrorWithoutIt) {
  options_.token_file = files_.Write("token", "secret\nsecret");
  const std::string error(New()->Get().status().message());
  EXPECT_EQ(error, files_ / "token" +
                       ": must be a token of visible ASCII characters without spaces, is not");
}

TEST_F(NewCredentialsTest, AnAuthorityThatIsRotatedMakesNewTls) {
  options_.ca = {"", files_.Write("ca.crt", TestAuthority().pem), ""};
  const auto credentials = New();
  const auto before = credentials->Get();
  ASSERT_TRUE(before.ok());
  files_.Write("ca.crt", TestAuthority().pem + MakeCertificate({.authority = true}).pem);
  EXPECT_EQ(credentials->Get()->tls, before->tls);
  clock_.Advance(std::chrono::seconds(60));
  const auto after = credentials->Get();
  EXPECT_NE(after->tls, before->tls);
  EXPECT_EQ(after->tls->options().trust->size(), 2u);
  files_.Write("ca.crt", "half a certifi");
  clock_.Advance(std::chrono::seconds(60));
  EXPECT_EQ(credentials->Get()->tls, after->tls);
}

TEST_F(NewCredentialsTest, AClientCertificateInFilesIsReadAgain) {
  const TestCertificate one = ServerCertificate("one", TestKey::kP256);
  const TestCertificate two = ServerCertificate("two", TestKey::kOtherP256);
  options_.client_certificate = {"", files_.Write("tls.crt", one.pem), ""};
  options_.client_key = {"", files_.Write("tls.key", one.key_pem()), ""};
  const auto credentials = New();
  const auto before = credentials->Get();
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(before->tls->options().certificate->subject(), "CN=one");
  files_.Write("tls.crt", two.pem);
  files_.Write("tls.key", two.key_pem());
  clock_.Advance(std::chrono::seconds(60));
  EXPECT_EQ(credentials->Get()->tls->options().certificate->subject(), "CN=two");
}

TEST_F(NewCredentialsTest, APluginsTokenIsAskedForAnewAfterARefusal) {
  Plugin(R"({"token":"one"})");
  const auto credentials = New();
  EXPECT_EQ(credentials->Get()->authorization, "Bearer one");
  files_.Write("status", R"({"token":"two"})");
  EXPECT_EQ(credentials->Get()->authorization, "Bearer one");
  credentials->Refused();
  EXPECT_EQ(credentials->Get()->authorization, "Bearer two");
}

TEST_F(NewCredentialsTest, APluginsCertificateIsOurs) {
  const TestCertificate one = ServerCertificate("one");
  Plugin(R"({"clientCertificateData":)" + Json(one.pem) + R"(,"clientKeyData":)" +
         Json(one.key_pem()) + "}");
  const auto credentials = New();
  const auto credential = credentials->Get();
  ASSERT_TRUE(credential.ok()) << credential.status();
  EXPECT_EQ(credential->authorization, "");
  EXPECT_EQ(credential->tls->options().certificate->subject(), "CN=one");
  credentials->Refused();  // and asked anew: it is the same
  EXPECT_EQ(credentials->Get()->tls, credential->tls);
}

TEST_F(NewCredentialsTest, APluginsBrokenCertificateIsAnErrorOfThePlugin) {
  Plugin(R"({"clientCertificateData":"a","clientKeyData":"secret"})");
  const std::string error(New()->Get().status().message());
  EXPECT_THAT(error, HasSubstr(options_.exec->command + ": status.clientCertificateData"));
  EXPECT_THAT(error, testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace gw::kube
