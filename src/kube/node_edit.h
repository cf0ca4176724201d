// Nodes that are made, and looked into, by hand: bodies of requests, and parts of answers that are
// no object of a kind that is read. Values and functions; any thread.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/node.h"

namespace gw::kube {

api::Node TextNode(std::string_view text);
api::Node NumberNode(int64_t value);
api::Node ListNode();
api::Node MapNode();
// In place of the value that the key has, or behind all others.
void SetMember(api::Node* map, std::string_view key, api::Node value);
// The same, for a value that stays empty if there is none.
void SetText(api::Node* map, std::string_view key, std::string_view text);

// They say the same, in whatever order their maps' keys stand.
bool SaysTheSame(const api::Node& a, const api::Node& b);

// What a map has under a key. `map` may be null, and anything but a map: then it has nothing. A
// value of another type is none.
std::string TextAt(const api::Node* map, std::string_view key);
std::optional<int64_t> IntegerAt(const api::Node* map, std::string_view key);
const api::Node* MapAt(const api::Node* map, std::string_view key);  // null: none
const std::vector<api::Node>& ItemsAt(const api::Node* map, std::string_view key);

}  // namespace gw::kube
