// Judge: what of one object, whatever the others are, keeps all of it from being served. It is
// broken as one is whose fields do not parse; a reference that does not resolve is not judged here.

#pragma once

#include <string>

#include "api/object.h"

namespace gw {

// "" if some of it can be served.
std::string RefusedAlone(const api::Object& object);

}  // namespace gw
