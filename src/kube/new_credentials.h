// The Credentials that AccessOptions ask for: what is in them, what is in files, what a plug-in
// says.

#pragma once

#include <memory>

#include "base/clock.h"
#include "kube/access_options.h"
#include "kube/credentials.h"

namespace gw::kube {

// Reads nothing and runs nothing yet: what is wrong with a file or a plug-in is for Get to say. A
// token of a plug-in goes before the file's, that before the one in the options, that before the
// user name. `clock` outlives them.
std::unique_ptr<Credentials> NewCredentials(AccessOptions options, const Clock& clock);

}  // namespace gw::kube
