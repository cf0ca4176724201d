// Any bytes as what others write: PEM of certificates and keys, authorities, and the name in a
// ClientHello. The first byte says which.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "tls/certificate.h"
#include "tls/server_name.h"
#include "tls/trust.h"

namespace gw {
namespace {

// A chain and its key, one behind the other: where the key begins the input says itself.
void ReadCertificate(std::string_view bytes) {
  const size_t cut = bytes.find("-----BEGIN PRIVATE KEY");
  const std::string_view chain = bytes.substr(0, cut);
  const std::string_view key = cut == bytes.npos ? bytes : bytes.substr(cut);
  const auto parsed = Certificate::Parse(chain, key);
  if (!parsed.ok()) {
    CHECK(parsed.status().message().find("tls.") == 0);
    return;
  }
  CHECK((*parsed)->leaf() != nullptr && (*parsed)->key() != nullptr);
  CHECK((*parsed)->fingerprint().size() == 64);
  for (const std::string& name : (*parsed)->names()) CHECK(!name.empty());
}

void ReadName(std::string_view bytes) {
  std::string name;
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  if (!internal::ParseServerName({data, bytes.size()}, &name)) return;
  CHECK(name.size() <= 253 && !name.ends_with('.'));
  CHECK(internal::FitsName("*", name, true));
  if (!name.empty()) CHECK(internal::FitsName(name, name, false));
  CHECK(!internal::FitsName("*." + name, name, true));
}

}  // namespace
}  // namespace gw

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      gw::ReadCertificate(bytes);
      break;
    case 1:
      if (const auto trust = gw::Trust::Parse(bytes); trust.ok()) CHECK((*trust)->size() > 0);
      break;
    default:
      gw::ReadName(bytes);
  }
  return 0;
}
