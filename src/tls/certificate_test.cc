#include "tls/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tls/test_certificates.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string ErrorOf(const std::string& chain, const std::string& key) {
  const auto parsed = Certificate::Parse(chain, key);
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

std::string Encrypted(TestKey kind) {
  const internal::BioPtr out(BIO_new(BIO_s_mem()));
  unsigned char password[] = "secret";
  CHECK(PEM_write_bio_PrivateKey(out.get(), KeyForTest(kind), EVP_aes_256_cbc(), password, 6,
                                 nullptr, nullptr) == 1);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(bytes)};
}

// As older tools write keys: "BEGIN RSA PRIVATE KEY", "BEGIN EC PRIVATE KEY".
std::string Traditional(TestKey kind) {
  const internal::BioPtr out(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_PrivateKey_traditional(out.get(), KeyForTest(kind), nullptr, nullptr, 0,
                                             nullptr, nullptr) == 1);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(bytes)};
}

TEST(Certificate, SaysWhatItIs) {
  const TestCertificate made = MakeCertificate(
      {.common_name = "A Server",
       .names = "DNS:A.Example.com,DNS:*.b.example.com,IP:10.0.0.7,IP:fd00::1,email:a@b.c",
       .issuer = &TestAuthority()});
  const auto parsed = Certificate::Parse(made.pem, made.key_pem());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Certificate& it = **parsed;
  EXPECT_THAT(it.names(), ElementsAre("a.example.com", "*.b.example.com", "10.0.0.7", "fd00::1"));
  EXPECT_EQ(it.key_type(), Certificate::KeyType::kEcdsa);
  EXPECT_EQ(it.subject(), "CN=A Server");
  EXPECT_EQ(it.issuer(), "CN=Test CA");
  EXPECT_EQ(it.not_before_unix_s(), 1577836800);
  EXPECT_EQ(it.not_after_unix_s(), 2524607999);
  EXPECT_EQ(it.fingerprint().size(), 64u);
  EXPECT_EQ(it.FaultAt(1577836799), "not valid before 2020-01-01T00:00:00Z");
  EXPECT_EQ(it.FaultAt(1577836800), "");
  EXPECT_EQ(it.FaultAt(2524607999), "");
  EXPECT_EQ(it.FaultAt(2524608000), "expired on 2049-12-31T23:59:59Z");
}

TEST(Certificate, OfEachTypeOfKeyInEachForm) {
  const std::pair<TestKey, Certificate::KeyType> cases[] = {
      {TestKey::kRsa2048, Certificate::KeyType::kRsa},
      {TestKey::kP256, Certificate::KeyType::kEcdsa},
      {TestKey::kP384, Certificate::KeyType::kEcdsa},
      {TestKey::kEd25519, Certificate::KeyType::kEd25519}};
  for (const auto& [key, type] : cases) {
    const TestCertificate made = ServerCertificate("a.example.com", key);
    const auto parsed = Certificate::Parse(made.pem, made.key_pem());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ((*parsed)->key_type(), type);
    if (key == TestKey::kEd25519) continue;  // it has one form only
    EXPECT_EQ(ErrorOf(made.pem, Traditional(key)), "");
  }
}

TEST(Certificate, AChainIsValidAsLongAsAllOfIt) {
  const TestCertificate middle = MakeCertificate({.common_name = "Middle",
                                                  .key = TestKey::kOtherP256,
                                                  .issuer = &TestAuthority(),
                                                  .authority = true,
                                                  .not_before = "20210101000000Z",
                                                  .not_after = "20300101000000Z"});
  const TestCertificate leaf = MakeCertificate({.names = "DNS:a.example.com", .issuer = &middle});
  const auto parsed = leaf.Parsed(middle.pem + TestAuthority().pem);
  EXPECT_EQ(parsed->chain().size(), 2u);
  EXPECT_EQ(UtcText(parsed->not_before_unix_s()), "2021-01-01T00:00:00Z");
  EXPECT_EQ(UtcText(parsed->not_after_unix_s()), "2030-01-01T00:00:00Z");

  EXPECT_EQ(ErrorOf(leaf.pem + TestAuthority().pem + middle.pem, leaf.key_pem()),
            "tls.crt: certificate 2 must be the issuer of the one before it");
  EXPECT_EQ(ErrorOf(middle.pem + leaf.pem, leaf.key_pem()),
            "tls.crt: certificate 2 must be the issuer of the one before it");
}

TEST(Certificate, WhatStandsAroundThePemIsNotRead) {
  const TestCertificate made = ServerCertificate("a.example.com");
  EXPECT_EQ(ErrorOf("subject=CN = a\n" + made.pem + "\n\n# the end", made.key_pem()), "");
  std::string lines;
  for (const char c : made.pem) lines += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_EQ(ErrorOf(lines, made.key_pem()), "");
}

TEST(Certificate, ErrorsSayWhatIsWrongWithWhich) {
  const TestCertificate good = ServerCertificate("a.example.com");
  const std::string key = good.key_pem();
  EXPECT_EQ(ErrorOf("", key), "tls.crt: must be a certificate in PEM, has none");
  EXPECT_EQ(ErrorOf("no PEM", key), "tls.crt: must be a certificate in PEM, has none");
  EXPECT_EQ(ErrorOf(key, key), "tls.crt: must be a certificate in PEM, has none");
  EXPECT_THAT(ErrorOf(good.pem.substr(0, good.pem.size() / 2), key),
              StartsWith("tls.crt: certificate 1 cannot be read: "));
  EXPECT_THAT(ErrorOf("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key),
              StartsWith("tls.crt: certificate 1 cannot be read: "));
  EXPECT_THAT(ErrorOf(good.pem + good.pem.substr(0, good.pem.size() / 2), key),
              StartsWith("tls.crt: certificate 2 cannot be read: "));
  std::string many;
  for (int i = 0; i < 17; ++i) many += TestAuthority().pem;
  EXPECT_EQ(ErrorOf(good.pem + many, key), "tls.crt: must have at most 16 certificates");

  EXPECT_EQ(ErrorOf(good.pem, ""), "tls.key: must be a private key in PEM, has none");
  EXPECT_EQ(ErrorOf(good.pem, good.pem), "tls.key: must be a private key in PEM, has none");
  EXPECT_THAT(ErrorOf(good.pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
              StartsWith("tls.key: cannot be read: "));
  EXPECT_EQ(ErrorOf(good.pem, Encrypted(TestKey::kP256)), "tls.key: must not be encrypted");
  const std::string mismatch = "tls.key: must be the key of the first certificate of tls.crt";
  EXPECT_EQ(ErrorOf(good.pem, KeyPemForTest(TestKey::kOtherP256)), mismatch);
  EXPECT_EQ(ErrorOf(good.pem, KeyPemForTest(TestKey::kRsa2048)), mismatch);
}

TEST(Certificate, WeakKeysAndSignaturesAreRefused) {
  const TestCertificate weak = ServerCertificate("a.example.com", TestKey::kRsa1024);
  EXPECT_EQ(ErrorOf(weak.pem, weak.key_pem()),
            "tls.key: must be an RSA key of at least 2048 bits, has 1024");
  const TestCertificate curve = ServerCertificate("a.example.com", TestKey::kSecp256k1);
  EXPECT_EQ(ErrorOf(curve.pem, curve.key_pem()),
            "tls.key: must be of the curve P-256, P-384 or P-521, is of secp256k1");
  const TestCertificate sha1 = MakeCertificate({.issuer = &TestAuthority(), .digest = "SHA1"});
  EXPECT_EQ(ErrorOf(sha1.pem, sha1.key_pem()),
            "tls.crt: certificate 1 must not be signed with MD5 or SHA-1");
  const TestCertificate middle = MakeCertificate({.common_name = "Weak",
                                                  .key = TestKey::kRsa1024,
                                                  .issuer = &TestAuthority(),
                                                  .authority = true});
  const TestCertificate below = MakeCertificate({.issuer = &middle});
  EXPECT_THAT(ErrorOf(below.pem + middle.pem, below.key_pem()), HasSubstr("key too small"));
}

// An error goes into logs and conditions.
TEST(Certificate, NoErrorShowsAByteOfTheKey) {
  const TestCertificate good = ServerCertificate("a.example.com");
  const std::string key = KeyPemForTest(TestKey::kOtherP256);
  const std::string secret = key.substr(key.find('\n') + 1, 16);
  for (size_t cut = 1; cut < key.size(); cut += 7) {
    EXPECT_EQ(ErrorOf(good.pem, key.substr(0, cut)).find(secret), std::string::npos);
  }
}

// A certificate may name what nobody can ask for; the names that can be asked for still hold.
TEST(Certificate, NamesThatAreNoHostnamesAreLeftOut) {
  const TestCertificate made = MakeCertificate(
      {.names = "DNS:a b,DNS:a*.example.com,DNS:ok.example.com", .issuer = &TestAuthority()});
  EXPECT_THAT(made.Parsed()->names(), ElementsAre("ok.example.com"));
}

TEST(Trust, CountsWhatItTrustsAndKnowsWhetherItIsTheSame) {
  const TestCertificate other = MakeCertificate({.common_name = "Other", .authority = true});
  const auto one = Trust::Parse(TestAuthority().pem);
  const auto two = Trust::Parse(TestAuthority().pem + other.pem);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ((*one)->size(), 1u);
  EXPECT_EQ((*two)->size(), 2u);
  EXPECT_NE((*one)->fingerprint(), (*two)->fingerprint());
  EXPECT_EQ((*one)->fingerprint(), (*Trust::Parse(TestAuthority().pem))->fingerprint());
}

TEST(Trust, ErrorsSayWhatIsWrongWithWhich) {
  const auto error = [](const std::string& pem) {
    const auto parsed = Trust::Parse(pem);
    return parsed.ok() ? "" : std::string(parsed.status().message());
  };
  const std::string& good = TestAuthority().pem;
  EXPECT_EQ(error(""), "must have a certificate in PEM, has none");
  EXPECT_EQ(error("text"), "must have a certificate in PEM, has none");
  EXPECT_EQ(error(KeyPemForTest(TestKey::kP256)), "must have a certificate in PEM, has none");
  EXPECT_THAT(error(good.substr(0, 100)), StartsWith("certificate 1 cannot be read: "));
  EXPECT_THAT(error(good + good.substr(0, 100)), StartsWith("certificate 2 cannot be read: "));
}

}  // namespace
}  // namespace gw
