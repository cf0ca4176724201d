// ResponseHomes: at which endpoint a response of the Responses API was made. Model servers keep
// responses to themselves, so that whoever asks for one, or goes on from it, has to come back.
//
// Ids are remembered by their hash, the last ones of all: of an id that is forgotten, or that
// another gateway has seen, nothing is known and any endpoint may be asked. Thread-safe.

#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "pool/endpoint.h"

namespace gw {

class ResponseHomes {
 public:
  // Limit response_ids: at least half as many of the last ones are known.
  static constexpr size_t kIdsMax = 1 << 16;

  explicit ResponseHomes(size_t ids_max = kIdsMax) : ids_max_(ids_max) {}

  // True: to make room, others were forgotten.
  bool Put(std::string_view id, const std::shared_ptr<EndpointState>& endpoint);
  // nullptr: it is not known, or that endpoint is gone.
  std::shared_ptr<EndpointState> Find(std::string_view id);

 private:
  using Homes = absl::flat_hash_map<uint64_t, std::weak_ptr<EndpointState>>;

  const size_t ids_max_;
  Mutex mutex_;
  // When the young ones are half of all, they become the old ones, and those are forgotten.
  Homes young_ ABSL_GUARDED_BY(mutex_);
  Homes old_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
