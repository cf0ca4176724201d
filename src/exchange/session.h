// Session: what a request has of a session of its rule (routing/session.h).

#pragma once

#include <optional>
#include <string_view>

#include "routing/session.h"

namespace gw {

struct Session {
  std::optional<SessionToken> given;  // by the client, and valid
  std::string_view result;            // for record and metrics; empty: there is no session

  static constexpr std::string_view kBegun = "begun";
  static constexpr std::string_view kHeld = "held";    // at its endpoint
  static constexpr std::string_view kMoved = "moved";  // that endpoint could not have it
};

}  // namespace gw
