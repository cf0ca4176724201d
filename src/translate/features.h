// What a GatewayClass says of us in status.supportedFeatures.

#pragma once

#include <string>
#include <vector>

#include "translate/translate.h"

namespace gw::internal {

// Sorted.
std::vector<std::string> SupportedFeatures(const TranslateOptions& options);

}  // namespace gw::internal
