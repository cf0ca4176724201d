#include "inference/parser.h"

#include <algorithm>

#include "base/check.h"
#include "inference/form.h"
#include "inference/json_bytes.h"
#include "inference/message_writer.h"
#include "inference/render.h"

namespace gw {
namespace {

using internal::JsonDocument;
using internal::JsonValue;
using internal::PromptFields;
using internal::PromptRenderer;

// What reading a larger body made the parser take is given back after the request, so that one
// large body does not stay with each worker for ever.
constexpr size_t kKeptBodyBytes = 2 << 20;

// A longer one is none that a response was kept under (internal::ResponseJson).
constexpr size_t kResponseIdCharsMax = 64;

// The top-level object, read once. Of a key that is there twice the last one counts, as in Python.
struct Members {
  using Field = PromptFields::Field;
  Field model, stream, cache_salt, n;
  PromptFields prompt;
  bool model_twice = false;
  bool stream_twice = false;
};

Members ReadMembers(const JsonValue& body) {
  Members members;
  bool model_seen = false;
  bool stream_seen = false;
  for (JsonValue::Iterator member = body.begin(); member != body.end(); ++member) {
    const std::string_view key = (*member).Canonical();
    const JsonValue item = *++member;
    const Members::Field value = item.is_null() ? std::nullopt : Members::Field(item);
    if (key == "model") {
      members.model_twice |= model_seen;
      members.model = value;
      model_seen = true;
    } else if (key == "stream") {
      members.stream_twice |= stream_seen;
      members.stream = value;
      stream_seen = true;
    } else if (key == "messages") {
      members.prompt.messages = value;
    } else if (key == "prompt") {
      members.prompt.prompt = value;
    } else if (key == "input") {
      members.prompt.input = value;
    } else if (key == "instructions") {
      members.prompt.instructions = value;
    } else if (key == "system") {
      members.prompt.system = value;
    } else if (key == "previous_response_id") {
      members.prompt.previous_response_id = value;
    } else if (key == "cache_salt") {
      members.cache_salt = value;
    } else if (key == "n") {
      members.n = value;
    } else if (key == "tools") {
      const bool some = item.is_array() && !item.empty();
      members.prompt.tools_json = some ? item.raw() : std::string_view();
    }
  }
  return members;
}

ByteRange RangeOf(std::string_view part, std::string_view body) {
  return {static_cast<size_t>(part.data() - body.data()), part.size()};
}

// What pydantic, which reads the bodies of vLLM and SGLang, takes for true. What it takes for
// neither true nor false is the model server's to refuse.
bool IsTrue(const JsonValue& value) {
  if (value.type() == internal::JsonType::kTrue) return true;
  if (value.is_number()) return value.AsDouble() == 1;
  if (!value.is_string() || value.chars() > 4) return false;
  const std::string_view text = value.Decoded();
  char lower[4];
  std::transform(text.begin(), text.end(), lower, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  const std::string_view word(lower, text.size());
  return word == "true" || word == "t" || word == "yes" || word == "y" || word == "on" ||
         word == "1";
}

// A body whose type does not say so may be JSON all the same, and is to some model servers.
bool LooksLikeJson(std::string_view body) {
  const size_t at = internal::WithoutByteOrderMark(body).find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && internal::WithoutByteOrderMark(body)[at] == '{';
}

}  // namespace

std::string_view MessageOf(ParseOutcome outcome) {
  switch (outcome) {
    case ParseOutcome::kOk:
      return "";
    case ParseOutcome::kMalformedJson:
      return "the request body is not valid JSON";
    case ParseOutcome::kTooDeep:
      return "the request body is nested too deep";
    case ParseOutcome::kNotAnObject:
      return "the request body is not a JSON object";
    case ParseOutcome::kBadModel:
      return "\"model\" in the request body is not a string";
    case ParseOutcome::kModelTooLong:
      return "\"model\" in the request body is longer than 1024 bytes";
    case ParseOutcome::kDuplicateKey:
      return "the request body has \"model\" or \"stream\" more than once";
    case ParseOutcome::kBadField:
      return "a field of the request body has the wrong type";
    case ParseOutcome::kUnclearForm:
      return "the form does not name its \"model\" in the one way that all parsers read alike";
  }
  return "";
}

struct InferenceParser::Impl {
  explicit Impl(size_t depth) : depth_max(depth) {}
  ParseOutcome Parse(std::string_view body, size_t prompt_chars_max, InferenceRequest* request,
                     PromptMessages* messages, size_t message_bytes_max);
  ParseOutcome ReadDocument(std::string_view body);
  ParseOutcome FaultOf(std::string_view body) const;
  ParseOutcome ReadRequest(const Members& members, InferenceRequest* request);
  ParseOutcome ReadModel(const Members& members, InferenceRequest* request);
  ParseOutcome FindInJson(std::string_view body, InferenceRequest* request);
  void DropPrompt() {
    prompt.Clear();
    document.DropStrings();
  }

  const size_t depth_max;
  JsonDocument document;
  PromptText prompt;
  std::string_view detail;
};

ParseOutcome InferenceParser::Impl::Parse(std::string_view body, size_t prompt_chars_max,
                                          InferenceRequest* request, PromptMessages* messages,
                                          size_t message_bytes_max) {
  DropPrompt();
  detail = {};
  const std::string_view text = internal::WithoutByteOrderMark(body);
  if (const ParseOutcome outcome = ReadDocument(text); outcome != ParseOutcome::kOk) {
    return outcome;
  }
  if (!document.root().is_object()) return ParseOutcome::kNotAnObject;
  const Members members = ReadMembers(document.root());
  if (members.model_twice || members.stream_twice) return ParseOutcome::kDuplicateKey;
  if (const ParseOutcome outcome = ReadRequest(members, request); outcome != ParseOutcome::kOk) {
    return outcome;
  }
  if (!request->requested_model.empty()) {
    request->model_value = RangeOf(members.model->raw(), body);
  }
  detail = PromptRenderer(&prompt, prompt_chars_max).Render(members.prompt, request);
  if (!detail.empty()) return ParseOutcome::kBadField;
  if (messages != nullptr) {
    *messages = internal::WriteMessages(members.prompt, request->api, message_bytes_max);
  }
  return ParseOutcome::kOk;
}

ParseOutcome InferenceParser::Impl::ReadDocument(std::string_view body) {
  static_assert(kPadding >= simdjson::SIMDJSON_PADDING);
  return document.Read(body, depth_max) ? ParseOutcome::kOk : FaultOf(body);
}

// Of a body that the document would not read. simdjson's own parser says which fault comes first.
ParseOutcome InferenceParser::Impl::FaultOf(std::string_view body) const {
  simdjson::dom::parser parser;
  // simdjson refuses the container that reaches its number.
  if (body.empty() || parser.allocate(body.size(), depth_max + 1) != simdjson::SUCCESS) {
    return ParseOutcome::kMalformedJson;
  }
  simdjson::error_code error = parser.parse(body.data(), body.size(), false).error();
  if (error == simdjson::NUMBER_ERROR || error == simdjson::TAPE_ERROR ||
      error == simdjson::N_ATOM_ERROR) {
    // JSON puts no limit on numbers, and Python reads NaN; simdjson does not.
    const std::string copy = internal::Simplified(body, kPadding);
    error = parser.parse(copy.data(), copy.size(), false).error();
  }
  DCHECK(error != simdjson::SUCCESS);
  return error == simdjson::DEPTH_ERROR ? ParseOutcome::kTooDeep : ParseOutcome::kMalformedJson;
}

ParseOutcome InferenceParser::Impl::ReadRequest(const Members& members, InferenceRequest* request) {
  if (const ParseOutcome outcome = ReadModel(members, request); outcome != ParseOutcome::kOk) {
    return outcome;
  }
  request->stream = members.stream && IsTrue(*members.stream);
  request->cache_salt.clear();
  if (members.cache_salt) {
    if (!members.cache_salt->is_string()) {
      detail = "cache_salt";
      return ParseOutcome::kBadField;
    }
    request->cache_salt = members.cache_salt->Decoded();
  }
  request->previous_response_id.clear();
  const auto& previous = members.prompt.previous_response_id;
  const bool goes_on = request->api == ApiKind::kResponses && previous && previous->is_string() &&
                       previous->chars() <= kResponseIdCharsMax;
  if (goes_on) request->previous_response_id = previous->Decoded();
  // What is no number above 0 is the model server's to refuse.
  const uint64_t n = members.n ? members.n->AsUint64().value_or(1) : 1;
  request->samples = static_cast<uint32_t>(std::clamp<uint64_t>(n, 1, UINT32_MAX));
  return ParseOutcome::kOk;
}

// vLLM takes a model that is missing, null or empty for its own.
ParseOutcome InferenceParser::Impl::ReadModel(const Members& members, InferenceRequest* request) {
  if (members.model && !members.model->is_string()) return ParseOutcome::kBadModel;
  const std::string_view model = members.model ? members.model->Decoded() : std::string_view();
  static_assert(InferenceParser::model_name_bytes_max == 1024);  // as MessageOf says
  if (model.size() > InferenceParser::model_name_bytes_max) return ParseOutcome::kModelTooLong;
  request->requested_model = model;
  request->target_model = model;
  request->model_value = {};
  request->model_place = ModelPlace::kJson;
  return ParseOutcome::kOk;
}

ParseOutcome InferenceParser::Impl::FindInJson(std::string_view body, InferenceRequest* request) {
  const std::string_view text = internal::WithoutByteOrderMark(body);
  if (const ParseOutcome outcome = ReadDocument(text); outcome != ParseOutcome::kOk) {
    return outcome;
  }
  if (!document.root().is_object()) return ParseOutcome::kOk;
  const Members members = ReadMembers(document.root());
  if (members.model_twice) return ParseOutcome::kDuplicateKey;
  // An API of its own may have a "model" that is no name.
  if (!members.model || !members.model->is_string()) return ParseOutcome::kOk;
  const ParseOutcome outcome = ReadModel(members, request);
  if (outcome == ParseOutcome::kOk && !request->requested_model.empty()) {
    request->model_value = RangeOf(members.model->raw(), body);
  }
  return outcome;
}

InferenceParser::InferenceParser(size_t depth_max) : impl_(std::make_unique<Impl>(depth_max)) {}
InferenceParser::~InferenceParser() = default;

ParseOutcome InferenceParser::Parse(std::string_view body, size_t prompt_chars_max,
                                    InferenceRequest* request, PromptMessages* messages,
                                    size_t message_bytes_max) {
  const ParseOutcome outcome =
      impl_->Parse(body, prompt_chars_max, request, messages, message_bytes_max);
  if (outcome != ParseOutcome::kOk) DropPrompt();
  GiveBack();
  return outcome;
}

void InferenceParser::GiveBack() { impl_->document.Shrink(kKeptBodyBytes); }

ParseOutcome InferenceParser::FindModel(std::string_view content_type, std::string_view body,
                                        InferenceRequest* request) {
  request->requested_model.clear();
  request->target_model.clear();
  request->model_value = {};
  if (body.empty()) return ParseOutcome::kOk;
  const FormKind form = FormKindOf(content_type);
  FormField field;
  if (form != FormKind::kNone) {
    const FormOutcome outcome = FindFormField(content_type, body, "model", &field);
    if (outcome == FormOutcome::kUnclear) return ParseOutcome::kUnclearForm;
    if (field.value.size() > model_name_bytes_max) return ParseOutcome::kModelTooLong;
  }
  // "curl -d" says that it sends a form, whatever it sends.
  const bool says_json =
      IsJsonType(content_type) || content_type.empty() || form == FormKind::kUrlEncoded;
  if (form != FormKind::kMultipart && (IsJsonType(content_type) || LooksLikeJson(body))) {
    const ParseOutcome outcome = impl_->FindInJson(body, request);
    GiveBack();
    if (outcome != ParseOutcome::kOk && (says_json || outcome != ParseOutcome::kMalformedJson)) {
      return outcome;
    }
  }
  if (field.value.empty()) return ParseOutcome::kOk;
  // A form to one server and JSON to another.
  if (!request->requested_model.empty()) return ParseOutcome::kUnclearForm;
  request->requested_model = field.value;
  request->target_model = field.value;
  request->model_value = field.place;
  request->model_place =
      form == FormKind::kMultipart ? ModelPlace::kMultipartForm : ModelPlace::kUrlEncodedForm;
  return ParseOutcome::kOk;
}

std::string ModelText(ModelPlace place, std::string_view model) {
  switch (place) {
    case ModelPlace::kJson:
      return QuoteJson(model);
    case ModelPlace::kUrlEncodedForm:
      return FormText(FormKind::kUrlEncoded, model);
    case ModelPlace::kMultipartForm:
      return FormText(FormKind::kMultipart, model);
  }
  return "";
}

bool InferenceParser::IsObject(std::string_view text) {
  return impl_->document.Read(text, impl_->depth_max) && impl_->document.root().is_object();
}

const PromptText& InferenceParser::prompt() const { return impl_->prompt; }
void InferenceParser::DropPrompt() { impl_->DropPrompt(); }
std::string_view InferenceParser::detail() const { return impl_->detail; }
size_t InferenceParser::depth_max() const { return impl_->depth_max; }

}  // namespace gw
