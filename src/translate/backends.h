// Backends: model servers that serve elsewhere, as pools of the addresses that their names stand
// for.

#pragma once

#include <memory>
#include <string>

#include "api/backend.h"
#include "pool/endpoint_access.h"
#include "routing/model_table.h"
#include "translate/context.h"

namespace gw::internal {

struct BackendParts {
  std::shared_ptr<const EndpointAccess> access;  // nullptr unless `resolved` holds
  ModelRewrites rewrites;
  Verdict resolved;  // whether what it refers to is there and good
};
BackendParts ReadBackend(const Context& context, const api::Backend& backend);

// Writes the Backend's conditions: what ReadBackend found, and what is known of its name.
void WriteBackendStatus(Context& context, const api::Backend& backend, const Verdict& resolved);

}  // namespace gw::internal
