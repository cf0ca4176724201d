#include "exchange/response_homes.h"

#include <utility>

#include "absl/hash/hash.h"

namespace gw {
namespace {

uint64_t HashOf(std::string_view id) { return absl::Hash<std::string_view>()(id); }

}  // namespace

bool ResponseHomes::Put(std::string_view id, const std::shared_ptr<EndpointState>& endpoint) {
  const uint64_t hash = HashOf(id);
  const MutexLock lock(mutex_);
  bool forgets = false;
  if (young_.size() >= ids_max_ / 2) {
    forgets = !old_.empty();
    old_ = std::exchange(young_, Homes());
  }
  young_[hash] = endpoint;
  return forgets;
}

std::shared_ptr<EndpointState> ResponseHomes::Find(std::string_view id) {
  const uint64_t hash = HashOf(id);
  const MutexLock lock(mutex_);
  for (const Homes* homes : {&young_, &old_}) {
    const auto found = homes->find(hash);
    if (found != homes->end()) return found->second.lock();
  }
  return nullptr;
}

}  // namespace gw
