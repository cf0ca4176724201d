// What becomes of fields that an API server holds and that are not known here. Internal to api.
//
// A rule of an HTTPRoute, a listener of a Gateway and a BackendTLSPolicy say which requests go
// where, who may come in and what is believed of endpoints: without a part of it they would serve
// what nobody allowed, so that the field stands in `unsupported`, and that rule or listener alone
// is not served. Elsewhere an object means the same without what its kind did not have before: it
// is served, with a warning. Of the core kinds little is read anyway; nothing is said of their
// fields.

#pragma once

#include <string>
#include <vector>

#include "api/object.h"

namespace gw::api {

// `paths`: "spec.rules[0].filters[1].foo".
void NoteUnknownFields(std::vector<std::string> paths, Object* object);

}  // namespace gw::api
