// Objects of kinds that are not served: what they ask of the others, and their own conditions.

#pragma once

#include <string>
#include <string_view>

#include "translate/context.h"

namespace gw::internal {

// What policies of kinds that are not served ask of this object, so that requests to it must not be
// served without it: "BackendTLSPolicy tls is not supported yet (a.yaml:3)". "" if nothing.
// `section`: of the object, the rule, listener or port that is meant.
std::string ForeignText(const Context& context, std::string_view group, std::string_view kind,
                        const api::ObjectMeta& meta, std::string_view section = "");

// Writes their conditions. Those that change nothing here are warnings.
void WriteForeign(Context& context);

}  // namespace gw::internal
