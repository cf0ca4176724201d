#include "kube/tls_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/test_certificates.h"

namespace gw::kube {
namespace {

TestCertificate OtherAuthority() {
  return MakeCertificate({.common_name = "Other CA", .authority = true});
}

NamedPem Ca(const TestCertificate& authority) { return {"ca", authority.pem}; }

TEST(TlsSource, TheSameTextsGiveTheSameObject) {
  TlsSource source("api.example.com", false);
  const TestCertificate client = ServerCertificate("client");
  const TlsSource::Texts texts{
      Ca(TestAuthority()), {"cert", client.pem}, {"key", client.key_pem()}};
  const auto tls = source.Get(texts);
  ASSERT_TRUE(tls.ok());
  EXPECT_EQ((*tls)->options().server_name, "api.example.com");
  EXPECT_EQ((*tls)->options().trust->fingerprint(), TestAuthority().Trusted()->fingerprint());
  EXPECT_EQ((*tls)->options().certificate->subject(), "CN=client");
  EXPECT_EQ(*source.Get(texts), *tls);
}

TEST(TlsSource, AnotherAuthorityGivesAnotherObject) {
  TlsSource source("a", false);
  const auto before = source.Get({Ca(TestAuthority()), {}, {}});
  const TestCertificate other = OtherAuthority();
  const auto after = source.Get({Ca(other), {}, {}});
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_NE(*before, *after);
  EXPECT_EQ((*after)->options().trust->fingerprint(), other.Trusted()->fingerprint());
}

TEST(TlsSource, ACertificateThatCameBeforeItsKeyLeavesThatOfBefore) {
  TlsSource source("a", false);
  const TestCertificate one = ServerCertificate("one", TestKey::kP256);
  const TestCertificate two = ServerCertificate("two", TestKey::kOtherP256);
  const auto before = source.Get({Ca(TestAuthority()), {"cert", one.pem}, {"key", one.key_pem()}});
  ASSERT_TRUE(before.ok());
  const auto between = source.Get({Ca(TestAuthority()), {"cert", two.pem}, {"key", one.key_pem()}});
  ASSERT_TRUE(between.ok());
  EXPECT_EQ(*between, *before);
  const auto after = source.Get({Ca(TestAuthority()), {"cert", two.pem}, {"key", two.key_pem()}});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ((*after)->options().certificate->subject(), "CN=two");
}

TEST(TlsSource, ErrorsNameTheText) {
  TlsSource source("a", false);
  EXPECT_EQ(source.Get({{"/ca.crt", "nothing"}, {}, {}}).status().message(),
            "/ca.crt: must have a certificate in PEM, has none");
  const TestCertificate one = ServerCertificate("one");
  const std::string error(source
                              .Get({Ca(TestAuthority()),
                                    {"/tls.crt", one.pem},
                                    {"/tls.key", KeyPemForTest(TestKey::kOtherP256)}})
                              .status()
                              .message());
  EXPECT_THAT(error, testing::StartsWith("/tls.crt and /tls.key: "));
  EXPECT_THAT(error, testing::Not(testing::HasSubstr("PRIVATE")));
}

TEST(TlsSource, AnInsecureOneTrustsWhateverItIsShown) {
  TlsSource source("a", true);
  const auto tls = source.Get({});
  ASSERT_TRUE(tls.ok());
  EXPECT_EQ((*tls)->options().trust, nullptr);
}

}  // namespace
}  // namespace gw::kube
