// Secret and ConfigMap. No error shows a byte of their data.

#include <absl/strings/escaping.h>

#include <algorithm>

#include "api/kinds.h"
#include "api/names.h"
#include "api/read_access.h"

namespace gw::api {
namespace {

constexpr size_t kDataBytesMax = 1u << 20;  // as the API server has it

void CheckSize(const Value& field, const StringMap& data) {
  size_t bytes = 0;
  for (const auto& [key, value] : data) bytes += value.size();
  if (bytes > kDataBytesMax) {
    field.Error("must have at most " + std::to_string(kDataBytesMax) + " bytes, got " +
                std::to_string(bytes));
  }
}

// As the API server reads it: lines may be broken, the padding must be there.
bool Decode(std::string text, std::string* out) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r'; });
  return text.size() % 4 == 0 && absl::Base64Unescape(text, out);
}

StringMap ReadBase64(const Value& field) {
  StringMap decoded;
  for (const auto& [key, text] : field.HiddenTexts()) {
    if (!Decode(text, &decoded[key])) {
      field.At(key).Error("must be base64, got " + std::to_string(text.size()) +
                          " characters that are not; plain text goes into stringData");
    }
  }
  return decoded;
}

}  // namespace

Secret ReadSecret(ObjectInput& in) {
  Secret secret;
  ReadInto(in.top.Get("type"), &secret.type);
  in.top.Get("immutable").Bool();
  const Value data = in.top.Get("data");
  secret.data = ReadBase64(data);
  for (auto& [key, text] : in.top.Get("stringData").HiddenTexts()) {
    secret.data.insert_or_assign(key, text);
  }
  CheckSize(data, secret.data);
  if (secret.type == kTlsSecretType) {
    for (const char* key : {kTlsCertificateKey, kTlsPrivateKeyKey}) {
      if (!secret.data.contains(key)) {
        data.At(key).Error(std::string("is required for type ") + kTlsSecretType);
      }
    }
  }
  secret.limits = ReadRateLimits(in);
  secret.queue_terms = ReadQueueTerms(in);
  secret.meta = std::move(in.meta);
  return secret;
}

ConfigMap ReadConfigMap(ObjectInput& in) {
  ConfigMap map;
  const Value data = in.top.Get("data");
  map.data = data.HiddenTexts();
  CheckSize(data, map.data);
  in.top.Get("immutable").Bool();
  in.top.Ignore({"binaryData"});
  map.meta = std::move(in.meta);
  return map;
}

}  // namespace gw::api
