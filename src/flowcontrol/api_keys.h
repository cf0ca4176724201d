// ApiKeys: who may ask, by the key that a request carries, and whose it is. Immutable but for the
// owners' rate meters; any thread.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "flowcontrol/fair_queue.h"
#include "flowcontrol/rate_limit.h"

namespace gw {

// Whom requests are counted for.
struct KeyOwner {
  std::string name;                  // for logs and metrics
  std::shared_ptr<RateMeter> meter;  // nullptr: unlimited
  FairQueue::Terms queue_terms = {};
};

// Keys are kept and found by their SHA-256 digests: how long a look-up takes tells of digests at
// most, from which nobody gets to a key.
class ApiKeys {
 public:
  // `passes_on`: the fields with keys are sent on to the endpoints.
  explicit ApiKeys(bool passes_on = false) : passes_on_(passes_on) {}

  // False: the key is somebody's already, whose it stays. REQUIRES: IsApiKey(key)
  bool Add(std::string_view key, std::shared_ptr<const KeyOwner> owner);

  // nullptr: nobody's.
  const KeyOwner* Find(std::string_view key) const;
  size_t size() const { return owners_.size(); }
  // Each owner as often as it has keys.
  template <typename Visit>
  void ForEachOwner(Visit&& visit) const {
    for (const auto& [digest, owner] : owners_) visit(*owner);
  }
  bool passes_on() const { return passes_on_; }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct DigestHash {
    size_t operator()(const Digest& digest) const {
      size_t hash;
      std::memcpy(&hash, digest.data(), sizeof(hash));
      return hash;
    }
  };
  static Digest DigestOf(std::string_view key);

  const bool passes_on_;
  absl::flat_hash_map<Digest, std::shared_ptr<const KeyOwner>, DigestHash> owners_;
};

// What can be sent as a Bearer token and in x-api-key alike: 1 to 512 visible characters of ASCII.
bool IsApiKey(std::string_view text);
// The token of `authorization`, whose scheme is Bearer in any case (RFC 6750); "" if it is none.
std::string_view BearerToken(std::string_view authorization);

}  // namespace gw
