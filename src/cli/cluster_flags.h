// What `penstock serve` decides otherwise on a cluster than on files.

#pragma once

#include "translate/translate.h"

namespace gw {

// On a cluster there are other controllers, and objects that are still to come. Pickers that flags
// have named stay.
void DecideAsOnACluster(TranslateOptions* options);

}  // namespace gw
