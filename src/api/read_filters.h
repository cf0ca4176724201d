// How the filters of an HTTPRoute are read. Internal to api: read_route.cc calls this.

#pragma once

#include <string_view>
#include <vector>

#include "api/reader.h"
#include "api/route.h"

namespace gw::api {

// What is wrong with a path of Exact and PathPrefix, or one that takes the place of another, "" if
// nothing is: absolute, normalised, of characters that RFC 3986 has for paths.
std::string_view PathFault(std::string_view path);

// Notes what is valid and will not be honoured: the rule is then not served.
void Refuse(const Value& field, int rule, std::string message, std::vector<Unsupported>* out);

// Whether fields of that name, in lower case, belong to one connection or frame a message.
bool IsGatewaysOwn(std::string_view field_name);

// Filters of rule number `rule` or one of its backendRefs. What is valid and not honoured goes to
// `unsupported`: the rule is then not served. `matches`: the rule's.
RouteFilters ReadFilters(const Value& filters, int rule, const std::vector<RouteMatch>& matches,
                         std::vector<Unsupported>* unsupported);

}  // namespace gw::api
