// How the endpoints of a pool are spoken to: what its annotations ask for, with the Secret that
// they name.

#pragma once

#include <memory>
#include <string>

#include "pool/endpoint_access.h"
#include "translate/context.h"
#include "translate/pool_settings.h"

namespace gw::internal {

struct AccessRead {
  std::shared_ptr<const EndpointAccess> access;  // nullptr: plain, with nothing added
  // What is wrong, "" if nothing is; otherwise the access is closed: nothing is ever sent with less
  // than was asked for.
  std::string error = {};       // with the pool, or this machine
  std::string unresolved = {};  // with what the pool refers to
};
AccessRead AccessOf(const Context& context, const api::InferencePool& pool,
                    const PoolSettings& settings);

}  // namespace gw::internal
