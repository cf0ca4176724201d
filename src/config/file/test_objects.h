// For tests: objects from YAML text.

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/parse.h"
#include "config/file/last_good.h"
#include "config/file/yaml.h"

namespace gw::config {

// Objects of a text that reads as YAML; it is called a.yaml in messages.
inline api::ResourceSet ObjectsOf(std::string_view text) {
  const YamlDocuments yaml = ReadYaml(text);
  EXPECT_EQ(yaml.error, "") << text;
  api::Parser parser;
  for (const api::Node& document : yaml.documents) parser.Add(document, "a.yaml");
  LoadResult loaded;
  loaded.parsed = parser.Take();
  return ResourcesOf(loaded);
}

// The same of a text in which nothing is refused.
inline api::ResourceSet Good(std::string_view text) {
  api::ResourceSet set = ObjectsOf(text);
  for (const api::InvalidObject& invalid : set.invalid) {
    for (const std::string& message : invalid.Messages()) ADD_FAILURE() << message;
  }
  return set;
}

// What is said about the objects of a text that are refused.
inline std::vector<std::string> ErrorsOf(std::string_view text) {
  std::vector<std::string> out;
  for (const api::InvalidObject& invalid : ObjectsOf(text).invalid) {
    for (std::string& message : invalid.Messages()) out.push_back(std::move(message));
  }
  return out;
}

struct BadObject {
  std::string text;
  std::string error;
};

// Each text, put into a frame that is otherwise valid, has exactly its one error.
inline void ExpectErrors(const std::vector<BadObject>& rows, const std::string& frame) {
  for (const BadObject& row : rows) {
    EXPECT_THAT(ErrorsOf(frame + row.text), testing::ElementsAre(row.error)) << row.text;
  }
}

}  // namespace gw::config
