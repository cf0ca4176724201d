// Reads transfer_fields.h out of JSON; a part of request_body.cc.

#pragma once

#include <simdjson.h>

#include <string_view>

#include "sim/server/transfer_fields.h"

namespace gw::sim::internal {

// What is wrong with a value, for the message to the client: "" if nothing is.
std::string_view ReadNixlParams(simdjson::ondemand::value& value, NixlParams* params);

// True for the members that are read by ReadBootstrapMember.
bool IsBootstrapMember(std::string_view key);
std::string_view ReadBootstrapMember(std::string_view key, simdjson::ondemand::value& value,
                                     BootstrapFields* fields);

}  // namespace gw::sim::internal
