#include "inference/render.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>
#include <cstring>

namespace gw::internal {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

// Claude Code begins its system prompt with a block that changes on every request; vLLM leaves it
// out of the prompt so that prefixes stay equal, and so must we.
constexpr std::string_view kAttributionBlock = "x-anthropic-billing-header";

std::optional<element> MemberOf(const object& o, std::string_view key) {
  element value;
  if (o.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

std::string_view TextOf(const std::optional<element>& value) {
  std::string_view text;
  if (value && value->get(text) != simdjson::SUCCESS) return {};
  return text;
}

template <typename Number>
std::string_view Format(Number number, char (&buffer)[40]) {
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), number).ptr;
  return std::string_view(buffer, static_cast<size_t>(end - buffer));
}

// Hands the text of a whole value to `sink`, piece by piece, with enough punctuation to keep
// different values apart. Recursion is bounded by the parser's depth limit.
template <typename Sink>
void Walk(const element& value, Sink& sink) {
  char buffer[40];
  switch (value.type()) {
    case element_type::OBJECT:
      sink("{");
      for (const auto& field : object(value)) {
        // A marker that clients move from one message to the next without changing the prompt.
        if (field.key == "cache_control") continue;
        sink(field.key);
        sink(":");
        Walk(field.value, sink);
        sink(",");
      }
      sink("}");
      break;
    case element_type::ARRAY:
      sink("[");
      for (const element& item : array(value)) {
        Walk(item, sink);
        sink(",");
      }
      sink("]");
      break;
    case element_type::STRING:
      sink("\"");
      sink(std::string_view(value));
      sink("\"");
      break;
    case element_type::INT64:
      sink(Format(int64_t(value), buffer));
      break;
    case element_type::UINT64:
      sink(Format(uint64_t(value), buffer));
      break;
    case element_type::DOUBLE:
      sink(Format(double(value), buffer));
      break;
    case element_type::BOOL:
      sink(bool(value) ? "true" : "false");
      break;
    case element_type::NULL_VALUE:
      sink("null");
      break;
  }
}

}  // namespace

std::string_view PromptRenderer::Render(const PromptFields& fields, InferenceRequest* request) {
  std::string_view bad_field;
  switch (request->api) {
    case ApiKind::kChatCompletions:
      bad_field = RenderChat(fields);
      break;
    case ApiKind::kMessages:
      bad_field = RenderChat(fields);
      break;
    case ApiKind::kResponses:
      bad_field = RenderResponses(fields);
      break;
    case ApiKind::kCompletions:
      bad_field = RenderPrompts(fields.prompt, "prompt");
      break;
    case ApiKind::kEmbeddings:
      // vLLM embeds chats too.
      bad_field = fields.input ? RenderPrompts(fields.input, "input") : RenderChat(fields);
      break;
    case ApiKind::kModels:
    case ApiKind::kOther:
      break;
  }
  request->prompts = prompts_;
  request->prompt_chars = chars_;
  // A token id counts as four bytes, which makes this exact where ids were sent.
  request->prompt_tokens_estimate = chars_ / 4;
  return bad_field;
}

std::string_view PromptRenderer::RenderChat(const PromptFields& fields) {
  Append(fields.tools_json);
  if (const std::string_view bad = RenderSystem(fields); !bad.empty()) return bad;
  if (!fields.messages) return {};
  array messages;
  if (fields.messages->get(messages) != simdjson::SUCCESS) return "messages";
  for (const element& item : messages) {
    object message;
    if (item.get(message) != simdjson::SUCCESS) return "messages";
    if (const std::string_view bad = RenderMessage(message); !bad.empty()) return bad;
  }
  return {};
}

std::string_view PromptRenderer::RenderSystem(const PromptFields& fields) {
  if (!fields.system) return {};
  array blocks;
  BeginMessage("system");
  if (fields.system->get(blocks) != simdjson::SUCCESS) {
    if (!AppendContent(*fields.system)) return "system";
  } else {
    for (const element& block : blocks) {
      object members;
      if (block.get(members) == simdjson::SUCCESS &&
          TextOf(MemberOf(members, "text")).starts_with(kAttributionBlock)) {
        continue;
      }
      AppendPart(block);
    }
  }
  EndMessage();
  return {};
}

std::string_view PromptRenderer::RenderMessage(object message) {
  std::optional<element> role, content, tool_calls, function_call;
  for (const auto& field : message) {
    if (field.key == "role") role = field.value;
    if (field.key == "content") content = field.value;
    if (field.key == "tool_calls") tool_calls = field.value;
    if (field.key == "function_call") function_call = field.value;
  }
  BeginMessage(TextOf(role));
  if (content && !AppendContent(*content)) return "messages[].content";
  array calls;
  if (tool_calls && tool_calls->get(calls) == simdjson::SUCCESS) {
    for (const element& call : calls) {
      object members;
      if (call.get(members) != simdjson::SUCCESS) continue;
      if (const auto function = MemberOf(members, "function"); function && function->is_object()) {
        members = object(*function);
      }
      AppendCall(TextOf(MemberOf(members, "name")), MemberOf(members, "arguments"));
    }
  }
  if (function_call && function_call->is_object()) {
    const object members(*function_call);
    AppendCall(TextOf(MemberOf(members, "name")), MemberOf(members, "arguments"));
  }
  EndMessage();
  return {};
}

std::string_view PromptRenderer::RenderResponses(const PromptFields& fields) {
  // What the server remembers under this id stands before everything else.
  Append(TextOf(fields.previous_response_id));
  Append(fields.tools_json);
  if (fields.instructions) {
    BeginMessage("system");
    if (!AppendContent(*fields.instructions)) return "instructions";
    EndMessage();
  }
  if (!fields.input) return {};
  if (fields.input->is_string()) {
    BeginMessage("user");
    Append(TextOf(fields.input));
    EndMessage();
    return {};
  }
  array items;
  if (fields.input->get(items) != simdjson::SUCCESS) return "input";
  for (const element& item : items) {
    if (!item.is_object()) return "input";
    if (const std::string_view bad = RenderResponsesItem(item); !bad.empty()) return bad;
  }
  return {};
}

std::string_view PromptRenderer::RenderResponsesItem(element value) {
  const object item(value);
  const std::string_view type = TextOf(MemberOf(item, "type"));
  if (type.empty() || type == "message") {
    const std::string_view bad = RenderMessage(item);
    return bad.empty() ? bad : "input[].content";
  }
  if (type == "function_call") {
    BeginMessage("assistant");
    AppendCall(TextOf(MemberOf(item, "name")), MemberOf(item, "arguments"));
  } else if (type == "function_call_output") {
    BeginMessage("tool");
    if (const auto output = MemberOf(item, "output"); output && !AppendContent(*output)) {
      return "input[].output";
    }
  } else {
    BeginMessage(type);
    AppendHashOf(value);
  }
  EndMessage();
  return {};
}

std::string_view PromptRenderer::RenderPrompts(const PromptFields::Field& field,
                                               std::string_view name) {
  if (!field) return {};
  if (field->is_string()) {
    Append(TextOf(field));
    return {};
  }
  array items;
  if (field->get(items) != simdjson::SUCCESS) return name;
  if (items.size() == 0) return {};
  const element first = items.at(0);
  if (first.is_number()) return AppendPrompt(*field) ? std::string_view{} : name;
  // A batch: its prompts share no beginning, so the first one stands for it.
  prompts_ = 0;
  size_t room = chars_max_;
  for (const element& item : items) {
    if (!AppendPrompt(item)) return name;
    ++prompts_;
    chars_max_ = 0;
  }
  chars_max_ = room;
  return {};
}

// One prompt of a batch: a text, token ids, or (multimodal embeddings) an object.
bool PromptRenderer::AppendPrompt(element prompt) {
  array ids;
  if (prompt.is_string()) {
    Append(std::string_view(prompt));
  } else if (prompt.get(ids) == simdjson::SUCCESS) {
    for (const element& item : ids) {
      int64_t id;
      if (item.get(id) != simdjson::SUCCESS) return false;
      const uint32_t bytes = static_cast<uint32_t>(id);
      char buffer[sizeof(bytes)];
      std::memcpy(buffer, &bytes, sizeof(bytes));
      Append(std::string_view(buffer, sizeof(buffer)));
    }
  } else if (prompt.is_object()) {
    AppendHashOf(prompt);
  } else {
    return false;
  }
  return true;
}

void PromptRenderer::BeginMessage(std::string_view role) {
  Append("<|im_start|>");
  Append(role);
  Append("\n");
}

void PromptRenderer::EndMessage() { Append("<|im_end|>\n"); }

// Returns false if no dialect has such content.
bool PromptRenderer::AppendContent(element content) {
  switch (content.type()) {
    case element_type::STRING:
      Append(std::string_view(content));
      return true;
    case element_type::ARRAY:
      for (const element& part : array(content)) AppendPart(part);
      return true;
    case element_type::OBJECT:
      AppendPart(content);
      return true;
    case element_type::NULL_VALUE:
      return true;
    default:
      return false;
  }
}

void PromptRenderer::AppendPart(element part) {
  object members;
  if (part.get(members) != simdjson::SUCCESS) {
    if (part.is_string()) Append(std::string_view(part));
    return;
  }
  const auto text = MemberOf(members, "text");
  if (text && text->is_string()) {
    Append(std::string_view(*text));
    return;
  }
  const std::string_view type = TextOf(MemberOf(members, "type"));
  if (type == "tool_use") {
    AppendCall(TextOf(MemberOf(members, "name")), MemberOf(members, "input"));
  } else if (type == "tool_result") {
    if (const auto content = MemberOf(members, "content")) AppendContent(*content);
  } else if (type == "thinking") {
    Append(TextOf(MemberOf(members, "thinking")));
  } else {
    AppendHashOf(part);
  }
}

void PromptRenderer::AppendCall(std::string_view name, std::optional<element> arguments) {
  Append(name);
  Append("\n");
  if (arguments && arguments->is_string()) {
    Append(std::string_view(*arguments));
  } else if (arguments) {
    auto sink = [this](std::string_view piece) { Append(piece); };
    Walk(*arguments, sink);
  }
  Append("\n");
}

void PromptRenderer::AppendHashOf(element value) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  auto sink = [&state](std::string_view piece) {
    XXH3_64bits_update(&state, piece.data(), piece.size());
  };
  Walk(value, sink);
  const uint64_t hash = XXH3_64bits_digest(&state);
  char hex[17];
  for (int i = 0; i < 16; ++i) hex[i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
  Append(std::string_view(hex, 16));
}

void PromptRenderer::Append(std::string_view text) {
  chars_ += text.size();
  if (text_->size() < chars_max_) text_->append(text.substr(0, chars_max_ - text_->size()));
}

}  // namespace gw::internal
