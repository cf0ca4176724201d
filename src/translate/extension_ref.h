// Who picks the endpoints of an InferencePool: its reference to an extension.

#pragma once

#include "api/inference.h"
#include "translate/context.h"

namespace gw::internal {

// `builtin`: an annotation asks for the built-in picker, whatever the reference is.
Verdict ExtensionVerdict(const Context& context, const api::InferencePool& pool, bool builtin);

}  // namespace gw::internal
