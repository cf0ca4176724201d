// Any bytes as a request body: the parser must not crash, must see what simdjson's own parser sees,
// must say the same of equal bytes, and the body with another model spliced in must be the same
// document but for the model.

#include <simdjson.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/check.h"
#include "inference/body_edit.h"
#include "inference/json_oracle.h"
#include "inference/parser.h"

namespace {

using gw::ApiKind;
using gw::InferenceParser;
using gw::InferenceRequest;
using gw::ParseOutcome;

struct Padded {
  explicit Padded(std::string_view body) : text(body), size(body.size()) {
    text.append(InferenceParser::kPadding, '"');
  }
  std::string_view view() const { return {text.data(), size}; }
  std::string text;
  size_t size;
};

// The document without the model's value; empty if simdjson finds a number too big for it.
std::string WithoutModel(std::string_view body) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(body);
  simdjson::dom::object top;
  if (parser.parse(padded).get(top) != simdjson::SUCCESS) return "";
  std::string members;
  for (const auto& field : top) {
    members += std::string(field.key) + ":";
    members += field.key == "model" ? "?" : simdjson::minify(field.value);
    members += ",";
  }
  return members;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static InferenceParser parser;
  const ApiKind api = static_cast<ApiKind>(data[0] % 7);
  const Padded body({reinterpret_cast<const char*>(data) + 1, size - 1});
  gw::internal::CheckAgainstDom(body.view(), 128);
  InferenceRequest request;
  request.api = api;
  const ParseOutcome outcome = parser.Parse(body.view(), 1000, &request);
  if (outcome != ParseOutcome::kOk) return 0;
  CHECK(parser.prompt().size() <= 1000);
  const std::string prompt = parser.prompt().Joined();

  if (request.requested_model.empty()) return 0;
  request.target_model = "an\"other";
  gw::BodyEdit edit;
  edit.Begin(body.view());
  edit.Replace(request.model_value, gw::QuoteJson(request.target_model));
  const Padded spliced(edit.ToString());
  InferenceRequest again;
  again.api = api;
  CHECK(parser.Parse(spliced.view(), 1000, &again) == ParseOutcome::kOk);
  CHECK(again.requested_model == "an\"other");
  CHECK(again.stream == request.stream);
  CHECK(again.cache_salt == request.cache_salt);
  CHECK(parser.prompt().Joined() == prompt);
  CHECK(WithoutModel(body.view()) == WithoutModel(spliced.view()));
  return 0;
}
