// For tests of workloads: the texts in a request's body.

#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

namespace gw::bench {

struct BodyText {
  std::string role;
  std::string text;

  bool operator==(const BodyText&) const = default;
};

// Of a chat.
inline std::vector<BodyText> TextsOf(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array messages;
  if (parser.parse(body).get(root) || root["messages"].get(messages)) {
    ADD_FAILURE() << "no chat: " << body;
    return {};
  }
  std::vector<BodyText> texts;
  for (const simdjson::dom::element message : messages) {
    std::string_view role;
    std::string_view text;
    EXPECT_FALSE(message["role"].get(role));
    EXPECT_FALSE(message["content"].get(text));
    texts.push_back({std::string(role), std::string(text)});
  }
  return texts;
}

inline uint64_t OutputTokensOf(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  uint64_t tokens = 0;
  EXPECT_FALSE(parser.parse(body).get(root) || root["max_tokens"].get(tokens));
  return tokens;
}

}  // namespace gw::bench
