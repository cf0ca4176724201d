#include "flowcontrol/api_keys.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw {

ApiKeys::Digest ApiKeys::DigestOf(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

bool ApiKeys::Add(std::string_view key, std::shared_ptr<const KeyOwner> owner) {
  CHECK(IsApiKey(key));
  return owners_.try_emplace(DigestOf(key), std::move(owner)).second;
}

const KeyOwner* ApiKeys::Find(std::string_view key) const {
  if (!IsApiKey(key)) return nullptr;
  const auto found = owners_.find(DigestOf(key));
  return found == owners_.end() ? nullptr : found->second.get();
}

bool IsApiKey(std::string_view text) {
  constexpr size_t kBytesMax = 512;
  return !text.empty() && text.size() <= kBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string_view BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return "";
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = authorization[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kScheme[i]) return "";
  }
  std::string_view token = authorization.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  while (token.ends_with(' ')) token.remove_suffix(1);
  return token;
}

}  // namespace gw
