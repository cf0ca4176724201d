// JSON text of an API server as a Node, and back. Strict (RFC 8259, UTF-8 only): what is not JSON
// is refused as a whole, and so is what is larger or deeper than it may be. Strings are `quoted`;
// lines are not known. Numbers stand as the shortest text that reads back as the same number.
//
// Any thread.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "api/node.h"
#include "base/status.h"

namespace gw::kube {

struct JsonLimits {
  size_t bytes_max = 256 << 20;
  size_t depth_max = 500;  // lists and maps inside each other: Nodes are walked by recursion
};

// The error says what is wrong and where: "not JSON at byte 17 of 40, before \"}, ...\": ...".
absl::StatusOr<api::Node> ParseJson(std::string_view text, const JsonLimits& limits = {});

// What ParseJson made comes out as it was, but for white space and the form of numbers.
using api::ToJson;

}  // namespace gw::kube
