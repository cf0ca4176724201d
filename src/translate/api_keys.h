// API keys of Gateways and HTTPRoutes, from the Secrets that their annotations select.

#pragma once

#include <memory>
#include <string>

#include "api/access.h"
#include "flowcontrol/api_keys.h"
#include "translate/context.h"

namespace gw::internal {

// `scope` names the object for warnings and for what is counted by its defaults: "Gateway ml/gw".
// Never null: where no Secret is selected, or none of its entries can be a key, nobody may ask.
// REQUIRES: !access.open
std::shared_ptr<const ApiKeys> MakeApiKeys(Context& context, const api::KeyAccess& access,
                                           const std::string& ns, const std::string& scope);

}  // namespace gw::internal
