#include "tls/shared_identity.h"

#include <gtest/gtest.h>

#include "tls/certificate.h"
#include "tls/trust.h"

namespace gw {
namespace {

TEST(SharedIdentity, IsTheSameForWhoeverKnowsTheSecret) {
  const auto one = SharedIdentity::FromSecret("sixteen bytes or more");
  const auto two = SharedIdentity::FromSecret("sixteen bytes or more");
  const auto other = SharedIdentity::FromSecret("sixteen bytes or morf");
  ASSERT_TRUE(one.ok() && two.ok() && other.ok());
  EXPECT_EQ(one->certificate_pem, two->certificate_pem);
  EXPECT_EQ(one->key_pem, two->key_pem);
  EXPECT_NE(one->certificate_pem, other->certificate_pem);
  EXPECT_NE(one->key_pem, other->key_pem);
}

TEST(SharedIdentity, IsACertificateThatIsServed) {
  const auto identity = SharedIdentity::FromSecret("sixteen bytes or more");
  ASSERT_TRUE(identity.ok());
  const auto certificate = Certificate::Parse(identity->certificate_pem, identity->key_pem);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ((*certificate)->names(), std::vector<std::string>{identity->name});
  EXPECT_EQ((*certificate)->FaultAt(2'000'000'000), "");
  EXPECT_EQ((*certificate)->FaultAt(40'000'000'000), "") << "in a thousand years";
  EXPECT_TRUE(Trust::Parse(identity->certificate_pem).ok());
}

TEST(SharedIdentity, AShortSecretIsRefused) {
  const auto identity = SharedIdentity::FromSecret("fifteen bytes..");
  EXPECT_EQ(identity.status().message(), "a secret of 15 bytes: at least 16 are wanted");
}

TEST(SharedIdentity, NumbersOfOneSecretTellNothingOfEachOther) {
  EXPECT_EQ(NumberFromSecret("a secret", "blocks"), NumberFromSecret("a secret", "blocks"));
  EXPECT_NE(NumberFromSecret("a secret", "blocks"), NumberFromSecret("a secret", "sessions"));
  EXPECT_NE(NumberFromSecret("a secret", "blocks"), NumberFromSecret("b secret", "blocks"));
}

}  // namespace
}  // namespace gw
