// JsonDocument beside simdjson's own parser, which decodes everything. For tests and fuzzing.

#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "inference/json_bytes.h"
#include "inference/json_document.h"
#include "inference/parser.h"

namespace gw::internal {

inline void CheckSame(const simdjson::dom::element& expected, const JsonValue& value,
                      bool simplified) {
  using simdjson::dom::element_type;
  switch (expected.type()) {
    case element_type::OBJECT: {
      CHECK(value.is_object());
      JsonValue::Iterator member = value.begin();
      for (const auto& field : simdjson::dom::object(expected)) {
        CHECK(member != value.end());
        CHECK((*member).Decoded() == field.key);
        CheckSame(field.value, *++member, simplified);
        ++member;
      }
      CHECK(member == value.end());
      break;
    }
    case element_type::ARRAY: {
      CHECK(value.is_array());
      JsonValue::Iterator item = value.begin();
      for (const simdjson::dom::element& one : simdjson::dom::array(expected)) {
        CHECK(item != value.end());
        CheckSame(one, *item, simplified);
        ++item;
      }
      CHECK(item == value.end());
      break;
    }
    case element_type::STRING: {
      const std::string_view text(expected);
      CHECK(value.Decoded() == text);
      CHECK(value.chars() == text.size());
      // However it was written: the canonical form is that of the text.
      std::string quoted = QuoteJson(text);
      const size_t size = quoted.size();
      quoted.append(InferenceParser::kPadding, ' ');
      JsonDocument again;
      CHECK(again.Read(std::string_view(quoted.data(), size), 1));
      CHECK(again.root().Canonical() == value.Canonical());
      break;
    }
    case element_type::INT64:
      CHECK(simplified || value.AsInt64() == int64_t(expected));
      break;
    case element_type::UINT64:
      CHECK(simplified || value.AsUint64() == uint64_t(expected));
      break;
    case element_type::DOUBLE:
      CHECK(simplified || value.AsDouble() == double(expected));
      CHECK(!value.AsInt64() || simplified);
      break;
    case element_type::BOOL:
      CHECK(value.type() == (bool(expected) ? JsonType::kTrue : JsonType::kFalse));
      break;
    case element_type::NULL_VALUE:
      CHECK(value.is_null());
      break;
  }
}

// Stops the program if the two do not see the same in `text`, which need not be JSON. True if both
// read it. REQUIRES: InferenceParser::kPadding readable bytes after text.end()
inline bool CheckAgainstDom(std::string_view text, size_t depth_max) {
  if (text.empty()) return false;
  simdjson::dom::parser parser;
  CHECK(parser.allocate(text.size() + 64, depth_max + 1) == simdjson::SUCCESS);
  simdjson::dom::element root;
  simdjson::error_code error = parser.parse(text.data(), text.size(), false).get(root);
  const bool simplified = error == simdjson::NUMBER_ERROR || error == simdjson::TAPE_ERROR ||
                          error == simdjson::N_ATOM_ERROR;
  std::string copy;
  if (simplified) {
    copy = Simplified(text, InferenceParser::kPadding);
    error = parser.parse(copy.data(), copy.size(), false).get(root);
  }
  static JsonDocument document;
  const bool read = document.Read(text, depth_max);
  CHECK(read == (error == simdjson::SUCCESS));
  if (read) CheckSame(root, document.root(), simplified);
  return read;
}

}  // namespace gw::internal
