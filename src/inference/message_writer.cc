#include "inference/message_writer.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "inference/parser.h"

namespace gw::internal {
namespace {

using Field = PromptFields::Field;

// Of roles, types, ids and names: a longer one is left out.
constexpr size_t kWordBytesMax = 64;
// The most that stands around a text: three words, the keys and brackets of message and part.
constexpr size_t kFrameBytesMax = 320;

// What stands between the quotes, as it is written there.
std::string_view InsideOf(const Field& value) {
  if (!value || !value->is_string()) return "";
  return value->raw().substr(1, value->raw().size() - 2);
}

std::string_view WordOf(const Field& value) {
  const std::string_view word = InsideOf(value);
  return word.size() <= kWordBytesMax ? word : std::string_view();
}

// The bytes of the character at the front, an escape or two of them included.
size_t CharacterBytes(std::string_view inside) {
  if (inside.front() != '\\') return std::max<size_t>(1, Utf8CharacterBytes(inside));
  if (inside[1] != 'u') return 2;
  const bool is_high = (inside[2] == 'd' || inside[2] == 'D') &&
                       std::string_view("89abAB").find(inside[3]) != std::string_view::npos;
  return is_high ? 12 : 6;
}

// The longest beginning of a string's inside that fits and cuts no character.
std::string_view Beginning(std::string_view inside, size_t bytes_max) {
  if (inside.size() <= bytes_max) return inside;
  size_t end = 0;
  for (;;) {
    const size_t next = end + CharacterBytes(inside.substr(end));
    if (next > bytes_max) return inside.substr(0, end);
    end = next;
  }
}

class MessageWriter {
 public:
  explicit MessageWriter(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Chat(const PromptFields& fields);
  void Responses(const PromptFields& fields);
  void Prompts(const Field& field);
  PromptMessages Finish();

 private:
  void System(const Field& content);
  void Message(const JsonValue& message);
  void ResponsesItem(const JsonValue& item);
  void Content(const Field& content);
  void Part(const JsonValue& part);
  void Call(const Field& id, const Field& name, const Field& arguments);
  void Output(const Field& id, const Field& output);
  void Text(std::string_view inside);
  void Untold(std::string_view type);
  // A message lasts until the next one begins; it is written with its first part.
  void BeginMessage(std::string_view role);
  void EndMessage();
  // False, and counted, if there is no room for a part and some of its text.
  bool BeginPart(std::string_view type, size_t text_bytes);
  void Key(std::string_view key, std::string_view inside);
  void Last(std::string_view key, std::string_view inside);
  // A value as a string: what it says, or of what is none its JSON.
  static std::string_view AsText(const Field& value, std::string* quoted);

  const size_t bytes_max_;
  PromptMessages written_;
  std::string* out_ = &written_.messages;
  std::string_view role_;
  bool open_ = false;  // the message is written so far
};

void MessageWriter::BeginMessage(std::string_view role) {
  EndMessage();
  role_ = role;
}

void MessageWriter::EndMessage() {
  if (open_) *out_ += "]}";
  open_ = false;
}

bool MessageWriter::BeginPart(std::string_view type, size_t text_bytes) {
  if (written_.bytes() + kFrameBytesMax > bytes_max_) {
    written_.cut_bytes += text_bytes;
    return false;
  }
  std::string& out = *out_;
  if (out_ == &written_.messages && !open_) {
    out.append(out.empty() ? "[" : ",").append(R"({"role":")").append(role_);
    out += R"(","parts":[)";
    open_ = true;
  } else {
    out += out.empty() ? '[' : ',';
  }
  out.append(R"({"type":")").append(type).append("\"");
  return true;
}

void MessageWriter::Key(std::string_view key, std::string_view inside) {
  if (inside.empty()) return;
  out_->append(",\"").append(key).append("\":\"").append(inside).append("\"");
}

// The part's text, and its end.
void MessageWriter::Last(std::string_view key, std::string_view inside) {
  const size_t room = bytes_max_ - std::min(bytes_max_, written_.bytes() + key.size() + 16);
  const std::string_view kept = Beginning(inside, room);
  written_.cut_bytes += inside.size() - kept.size();
  out_->append(",\"").append(key).append("\":\"").append(kept).append("\"}");
}

void MessageWriter::Text(std::string_view inside) {
  if (BeginPart("text", inside.size())) Last("content", inside);
}

void MessageWriter::Untold(std::string_view type) {
  if (BeginPart(type.empty() ? "unknown" : type, 0)) *out_ += '}';
}

std::string_view MessageWriter::AsText(const Field& value, std::string* quoted) {
  if (!value || value->is_string()) return InsideOf(value);
  *quoted = QuoteJson(value->raw());
  return std::string_view(*quoted).substr(1, quoted->size() - 2);
}

void MessageWriter::Call(const Field& id, const Field& name, const Field& arguments) {
  std::string quoted;
  const std::string_view text = AsText(arguments, &quoted);
  if (!BeginPart("tool_call", text.size())) return;
  Key("id", WordOf(id));
  Key("name", WordOf(name));
  Last("arguments", text);
}

void MessageWriter::Output(const Field& id, const Field& output) {
  std::string quoted;
  const std::string_view text = AsText(output, &quoted);
  if (!BeginPart("tool_call_response", text.size())) return;
  Key("id", WordOf(id));
  Last("response", text);
}

void MessageWriter::Part(const JsonValue& part) {
  if (part.is_string()) return Text(InsideOf(part));
  if (const Field text = part.Member("text"); text && text->is_string()) {
    return Text(InsideOf(text));
  }
  const std::string_view type = WordOf(part.Member("type"));
  if (type == "tool_use") {
    Call(part.Member("id"), part.Member("name"), part.Member("input"));
  } else if (type == "tool_result") {
    Output(part.Member("tool_use_id"), part.Member("content"));
  } else if (const Field thinking = part.Member("thinking"); thinking && thinking->is_string()) {
    const std::string_view inside = InsideOf(thinking);
    if (BeginPart("reasoning", inside.size())) Last("content", inside);
  } else {
    Untold(type);
  }
}

void MessageWriter::Content(const Field& content) {
  if (!content) return;
  if (!content->is_array()) return Part(*content);
  for (const JsonValue part : *content) Part(part);
}

void MessageWriter::System(const Field& content) {
  if (!content) return;
  out_ = &written_.system;
  Content(content);
  out_ = &written_.messages;
}

void MessageWriter::Message(const JsonValue& message) {
  const std::string_view role = WordOf(message.Member("role"));
  BeginMessage(role);
  if (role == "tool") return Output(message.Member("tool_call_id"), message.Member("content"));
  Content(message.Member("content"));
  if (const Field calls = message.Member("tool_calls"); calls && calls->is_array()) {
    for (const JsonValue call : *calls) {
      const Field function = call.Member("function");
      const JsonValue named = function && function->is_object() ? *function : call;
      Call(call.Member("id"), named.Member("name"), named.Member("arguments"));
    }
  }
  if (const Field call = message.Member("function_call")) {
    Call(std::nullopt, call->Member("name"), call->Member("arguments"));
  }
}

void MessageWriter::Chat(const PromptFields& fields) {
  System(fields.system);
  if (!fields.messages) return;
  for (const JsonValue message : *fields.messages) Message(message);
}

void MessageWriter::ResponsesItem(const JsonValue& item) {
  const std::string_view type = WordOf(item.Member("type"));
  if (type.empty() || type == "message") return Message(item);
  if (type == "function_call") {
    BeginMessage("assistant");
    Call(item.Member("call_id"), item.Member("name"), item.Member("arguments"));
  } else if (type == "function_call_output") {
    BeginMessage("tool");
    Output(item.Member("call_id"), item.Member("output"));
  } else {
    BeginMessage("assistant");
    Untold(type);
  }
}

void MessageWriter::Responses(const PromptFields& fields) {
  System(fields.instructions);
  if (!fields.input) return;
  if (fields.input->is_string()) return Prompts(fields.input);
  for (const JsonValue item : *fields.input) ResponsesItem(item);
}

// Each prompt of a batch is a message of its own.
void MessageWriter::Prompts(const Field& field) {
  if (!field) return;
  const bool is_batch = field->is_array() && !field->empty() && !(*field->begin()).is_number();
  const auto add = [this](const JsonValue& prompt) {
    BeginMessage("user");
    if (prompt.is_string()) return Text(InsideOf(prompt));
    Untold(prompt.is_array() ? "token_ids" : "");
  };
  if (!is_batch) return add(*field);
  for (const JsonValue prompt : *field) add(prompt);
}

PromptMessages MessageWriter::Finish() {
  EndMessage();
  if (!written_.messages.empty()) written_.messages += ']';
  if (!written_.system.empty()) written_.system += ']';
  return std::move(written_);
}

}  // namespace

PromptMessages WriteMessages(const PromptFields& fields, ApiKind api, size_t bytes_max) {
  MessageWriter writer(bytes_max);
  switch (api) {
    case ApiKind::kChatCompletions:
    case ApiKind::kMessages:
      writer.Chat(fields);
      break;
    case ApiKind::kResponses:
      writer.Responses(fields);
      break;
    case ApiKind::kCompletions:
      writer.Prompts(fields.prompt);
      break;
    case ApiKind::kEmbeddings:
      if (fields.input) {
        writer.Prompts(fields.input);
      } else {
        writer.Chat(fields);
      }
      break;
    case ApiKind::kModels:
    case ApiKind::kOther:
      break;
  }
  return writer.Finish();
}

}  // namespace gw::internal
