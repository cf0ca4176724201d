// The name that a client asks for, as its ClientHello carries it (RFC 6066 3).

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gw::internal {

// `extension`: the content of the extension server_name. Lower case, without a dot at its end; ""
// if it names no host. False if the content is malformed, or names what is no hostname.
bool ParseServerName(std::span<const unsigned char> extension, std::string* name);

// Whether `name` is of `pattern`: "a.example.com", "*" for any, or "*.example.com" for one label
// more, or for any number of labels more (`deep`). Both in lower case.
bool FitsName(std::string_view pattern, std::string_view name, bool deep);

}  // namespace gw::internal
