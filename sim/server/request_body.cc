#include "sim/server/request_body.h"

#include <simdjson.h>

#include <algorithm>

#include "sim/server/text.h"
#include "sim/server/transfer_reader.h"

namespace gw::sim {
namespace {

namespace od = simdjson::ondemand;
constexpr uint32_t kSequencesMax = 256;
static_assert(RequestBodyReader::kPadding >= simdjson::SIMDJSON_PADDING);

// Reads the members of one body. Members may stand in any order, so what the prompt begins with
// (tools, the system's words) is collected apart from the messages.
class Reader {
 public:
  Reader(Dialect dialect, RequestBody* request, Refusal* refusal)
      : dialect_(dialect), request_(*request), refusal_(*refusal) {}

  bool Read(od::object& object) {
    for (auto field : object) {
      std::string_view key;
      od::value value;
      if (field.unescaped_key().get(key) || field.value().get(value)) return Malformed();
      if (!ReadMember(key, value)) return false;
    }
    return Finish();
  }

  bool Malformed() {
    refusal_ = {400, "Bad Request", "",
                "1 validation error:\n  {'type': 'json_invalid', 'loc': "
                "'body', 'msg': 'JSON decode error'}"};
    return false;
  }

 private:
  bool BadType(std::string_view name, std::string_view wanted) {
    refusal_ = {400, "Bad Request", Concat({"body.", name}),
                Concat({"1 validation error:\n  {'type': 'type_error', 'loc': 'body.", name,
                        "', 'msg': 'Input should be ", wanted, "'}"})};
    return false;
  }

  bool Accept(std::string_view name, std::string_view wanted) {
    return wanted.empty() || BadType(name, wanted);
  }

  bool ReadMember(std::string_view key, od::value value) {
    if (key == "model") return ReadString(key, value, &request_.model);
    if (key == "cache_salt") return ReadString(key, value, &request_.cache_salt);
    if (key == "stream") return ReadBool(key, value, &request_.stream);
    if (key == "ignore_eos") return ReadBool(key, value, &request_.ignore_eos);
    if (key == "n") return ReadChoices(value);
    if (key == "stream_options") return ReadStreamOptions(value);
    if (key == "max_tokens" || key == "max_completion_tokens" || key == "max_output_tokens") {
      return ReadLimit(key, value);
    }
    if (key == "kv_transfer_params") {
      return Accept(key, internal::ReadNixlParams(value, &request_.nixl));
    }
    if (internal::IsBootstrapMember(key)) {
      return Accept(key, internal::ReadBootstrapMember(key, value, &request_.bootstrap));
    }
    if (key == "tools") return ReadTools(value);
    if (key == "system" || key == "instructions") return ReadSystem(key, value);
    if (key == "messages" && takes_messages()) return ReadMessages(key, value);
    if (key == "prompt" && dialect_ == Dialect::kCompletion) return ReadPrompt(key, value);
    if (key == "input" && dialect_ == Dialect::kEmbedding) return ReadPrompt(key, value);
    if (key == "input" && dialect_ == Dialect::kResponses) return ReadInput(value);
    return true;
  }

  bool takes_messages() const {
    return dialect_ == Dialect::kChat || dialect_ == Dialect::kMessages;
  }

  static bool IsNull(od::value& value) {
    bool is_null = false;
    return !value.is_null().get(is_null) && is_null;
  }

  bool ReadString(std::string_view key, od::value& value, std::string* out) {
    if (IsNull(value)) return true;
    std::string_view text;
    if (value.get_string().get(text)) return BadType(key, "a valid string");
    out->assign(text);
    return true;
  }

  bool ReadBool(std::string_view key, od::value& value, bool* out) {
    if (IsNull(value)) return true;
    if (value.get_bool().get(*out)) return BadType(key, "a valid boolean");
    return true;
  }

  bool ReadLimit(std::string_view key, od::value& value) {
    if (IsNull(value)) return true;
    uint64_t limit = 0;
    if (value.get_uint64().get(limit) || limit == 0 || limit > UINT32_MAX) {
      return BadType(key, "an integer above 0");
    }
    request_.output_tokens_max = static_cast<uint32_t>(limit);
    return true;
  }

  bool ReadChoices(od::value& value) {
    if (IsNull(value)) return true;
    uint64_t n = 0;
    if (value.get_uint64().get(n) || n == 0) return BadType("n", "an integer above 0");
    request_.samples = static_cast<uint32_t>(std::min<uint64_t>(n, kSequencesMax + 1));
    return true;
  }

  bool ReadStreamOptions(od::value& value) {
    if (IsNull(value)) return true;
    od::object options;
    if (value.get_object().get(options)) return BadType("stream_options", "an object");
    has_stream_options_ = true;
    for (auto field : options) {
      std::string_view key;
      od::value member;
      if (field.unescaped_key().get(key) || field.value().get(member)) return Malformed();
      if (key == "include_usage" && !ReadBool(key, member, &request_.include_usage)) return false;
    }
    return true;
  }

  bool ReadTools(od::value& value) {
    std::string_view text;
    if (!Raw(value, &text)) return Malformed();
    if (text != "null" && text != "[]") tools_.AddSegment(text);
    return true;
  }

  // The text of any value as it stands.
  static bool Raw(od::value& value, std::string_view* out) {
    od::json_type type;
    if (value.type().get(type)) return false;
    if (type == od::json_type::array) {
      od::array array;
      return !value.get_array().get(array) && !array.raw_json().get(*out);
    }
    if (type == od::json_type::object) {
      od::object object;
      return !value.get_object().get(object) && !object.raw_json().get(*out);
    }
    *out = value.raw_json_token();
    return true;
  }

  bool ReadSystem(std::string_view key, od::value& value) {
    if (IsNull(value)) return true;
    system_.AddSegment("<|im_start|>system\n");
    if (!ReadContent(key, value, &system_)) return false;
    system_.AddSegment("<|im_end|>\n");
    return true;
  }

  // A string, or a list of parts whose texts follow one another.
  bool ReadContent(std::string_view key, od::value& value, PromptTokens* out) {
    if (IsNull(value)) return true;
    od::json_type type;
    if (value.type().get(type)) return Malformed();
    if (type == od::json_type::string) {
      std::string_view text;
      if (value.get_string().get(text)) return Malformed();
      out->AddSegment(text);
      return true;
    }
    od::array parts;
    if (value.get_array().get(parts)) return BadType(key, "a valid string or list");
    for (auto element : parts) {
      od::value part;
      if (element.get(part)) return Malformed();
      if (!ReadPart(part, out)) return false;
    }
    return true;
  }

  bool ReadPart(od::value& part, PromptTokens* out) {
    od::json_type type;
    if (part.type().get(type)) return Malformed();
    if (type != od::json_type::object) {
      std::string_view text;
      if (!Raw(part, &text)) return Malformed();
      out->AddSegment(text);
      return true;
    }
    od::object object;
    if (part.get_object().get(object)) return Malformed();
    for (auto field : object) {
      std::string_view key;
      od::value value;
      if (field.unescaped_key().get(key) || field.value().get(value)) return Malformed();
      std::string_view text;
      if (key == "text" && !value.get_string().get(text)) {
        out->AddSegment(text);
      } else if (key != "type" && key != "text" && key != "cache_control") {
        if (!Raw(value, &text)) return Malformed();
        out->AddSegment(text);
      }
    }
    return true;
  }

  bool ReadMessages(std::string_view key, od::value& value) {
    od::array messages;
    if (value.get_array().get(messages)) return BadType(key, "a valid list");
    has_prompt_ = true;
    for (auto element : messages) {
      od::object message;
      if (element.get_object().get(message)) return BadType(key, "a list of objects");
      if (!ReadMessage(message)) return false;
    }
    return true;
  }

  bool ReadMessage(od::object& message) {
    // The role is written first, wherever it stands.
    content_.Clear();
    role_ = "user";
    for (auto field : message) {
      std::string_view key;
      od::value value;
      if (field.unescaped_key().get(key) || field.value().get(value)) return Malformed();
      if (key == "role" && !ReadString("messages.role", value, &role_)) return false;
      if (key == "content" && !ReadContent("messages.content", value, &content_)) return false;
      if (key == "tool_calls") {
        std::string_view calls;
        if (!Raw(value, &calls)) return Malformed();
        content_.AddSegment(calls);
      }
    }
    request_.prompt.AddSegment(Concat({"<|im_start|>", role_, "\n"}));
    request_.prompt.Append(content_);
    request_.prompt.AddSegment("<|im_end|>\n");
    return true;
  }

  // A string, a list of strings, a list of token ids, or a list of those.
  bool ReadPrompt(std::string_view key, od::value& value) {
    has_prompt_ = true;
    od::json_type type;
    if (value.type().get(type)) return Malformed();
    if (type != od::json_type::array) return ReadText(key, value);
    od::array elements;
    if (value.get_array().get(elements)) return Malformed();
    uint32_t inputs = 0;
    bool ids = false;
    for (auto element : elements) {
      od::value item;
      if (element.get(item) || item.type().get(type)) return Malformed();
      if (type == od::json_type::number) {
        ids = true;
        if (!ReadTokenId(key, item)) return false;
      } else {
        ++inputs;
        if (type == od::json_type::array ? !ReadTokenIds(key, item) : !ReadText(key, item)) {
          return false;
        }
      }
    }
    request_.inputs = ids ? 1 : inputs;
    return true;
  }

  bool ReadText(std::string_view key, od::value& value) {
    std::string_view text;
    if (value.get_string().get(text)) return BadType(key, "a valid string or list");
    request_.prompt.AddSegment(text);
    return true;
  }

  bool ReadTokenId(std::string_view key, od::value& value) {
    uint64_t id = 0;
    if (value.get_uint64().get(id) || id > UINT32_MAX) return BadType(key, "a list of token ids");
    request_.prompt.AddTokenId(static_cast<uint32_t>(id));
    return true;
  }

  bool ReadTokenIds(std::string_view key, od::value& value) {
    od::array ids;
    if (value.get_array().get(ids)) return Malformed();
    for (auto element : ids) {
      od::value item;
      if (element.get(item)) return Malformed();
      if (!ReadTokenId(key, item)) return false;
    }
    return true;
  }

  // Responses: a string is one message of the user.
  bool ReadInput(od::value& value) {
    od::json_type type;
    if (value.type().get(type)) return Malformed();
    if (type == od::json_type::array) return ReadMessages("input", value);
    has_prompt_ = true;
    request_.prompt.AddSegment("<|im_start|>user\n");
    if (!ReadText("input", value)) return false;
    request_.prompt.AddSegment("<|im_end|>\n");
    return true;
  }

  bool Finish() {
    if (!has_prompt_) return Missing();
    if (has_stream_options_ && !request_.stream) {
      refusal_ = {400, "BadRequestError", "stream_options",
                  "Stream options can only be defined when `stream=True`. "
                  "(parameter=stream_options)"};
      return false;
    }
    const bool many = dialect_ == Dialect::kChat || dialect_ == Dialect::kCompletion;
    if (dialect_ != Dialect::kEmbedding &&
        (request_.inputs == 0 ||
         uint64_t{request_.inputs} * request_.samples > (many ? kSequencesMax : 1))) {
      refusal_ = {400, "BadRequestError", request_.samples > 1 ? "n" : "prompt",
                  Concat({"the simulated model server answers with 1 to ",
                          Digits(many ? kSequencesMax : 1), " choices"})};
      return false;
    }
    if (tools_.size() > 0 || system_.size() > 0) {
      tools_.Append(system_);
      tools_.Append(request_.prompt);
      std::swap(request_.prompt, tools_);
    }
    if (dialect_ != Dialect::kCompletion && dialect_ != Dialect::kEmbedding) {
      request_.prompt.AddSegment("<|im_start|>assistant\n");
    }
    return true;
  }

  bool Missing() {
    const std::string_view name = takes_messages()                   ? "messages"
                                  : dialect_ == Dialect::kCompletion ? "prompt"
                                                                     : "input";
    refusal_ = {400, "Bad Request", Concat({"body.", name}),
                Concat({"1 validation error:\n  {'type': 'missing', 'loc': 'body.", name,
                        "', 'msg': 'Field required'}"})};
    return false;
  }

  const Dialect dialect_;
  RequestBody& request_;
  Refusal& refusal_;
  PromptTokens tools_;
  PromptTokens system_;
  PromptTokens content_;
  std::string role_;
  bool has_prompt_ = false;
  bool has_stream_options_ = false;
};

}  // namespace

struct RequestBodyReader::Impl {
  od::parser parser;
};

RequestBodyReader::RequestBodyReader() : impl_(std::make_unique<Impl>()) {}
RequestBodyReader::~RequestBodyReader() = default;

bool RequestBodyReader::Read(Dialect dialect, std::string_view body, RequestBody* request,
                             Refusal* refusal) {
  PromptTokens prompt = std::move(request->prompt);
  prompt.Clear();
  *request = {};
  request->prompt = std::move(prompt);
  Reader reader(dialect, request, refusal);
  od::document document;
  od::object object;
  if (impl_->parser.iterate(body.data(), body.size(), body.size() + kPadding).get(document) ||
      document.get_object().get(object)) {
    return reader.Malformed();
  }
  return reader.Read(object);
}

}  // namespace gw::sim
