#include "api/managed.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace gw::api {
namespace {

constexpr size_t kLabelMax = 63;  // of DNS, and of a label's value
constexpr size_t kHashDigits = 8;

// FNV-1a of 32 bits. Who can choose names freely can find two of one hash, and so whoever makes
// something of that name asks whose it is.
std::string HashOf(const ObjectKey& gateway) {
  uint32_t hash = 2166136261u;
  for (const char c : gateway.ns + "/" + gateway.name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad8));
}

// With the hash behind it, in 63 characters.
std::string Hashed(std::string text, const ObjectKey& gateway) {
  text.resize(std::min(text.size(), kLabelMax - kHashDigits - 1));
  while (text.ends_with('-') || text.ends_with('.')) text.pop_back();
  return absl::StrCat(text, "-", HashOf(gateway));
}

bool Has(const StringMap& labels, const char* key) {
  const auto found = labels.find(key);
  return found != labels.end() && !found->second.empty();
}

}  // namespace

std::string ManagedName(const ObjectKey& gateway) {
  std::string text = absl::StrCat("penstock-", gateway.ns, "-", gateway.name);
  std::replace(text.begin(), text.end(), '.', '-');
  return Hashed(std::move(text), gateway);
}

StringMap ManagedLabels(const ObjectKey& gateway) {
  const bool fits = gateway.name.size() <= kLabelMax;
  return {{kGatewayNameLabel, fits ? gateway.name : Hashed(gateway.name, gateway)},
          {kGatewayNamespaceLabel, gateway.ns},
          {kManagedByLabel, kManagedBy}};
}

bool HasManagedLabels(const StringMap& labels) {
  const auto by = labels.find(kManagedByLabel);
  return by != labels.end() && by->second == kManagedBy && Has(labels, kGatewayNameLabel) &&
         Has(labels, kGatewayNamespaceLabel);
}

}  // namespace gw::api
