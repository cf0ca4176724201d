#include "inference/render.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <iterator>

namespace gw::internal {
namespace {

// Claude Code begins its system prompt with a block that changes on every request; vLLM leaves it
// out of the prompt so that prefixes stay equal, and so must we.
constexpr std::string_view kAttributionBlock = "x-anthropic-billing-header";

std::string_view TextOf(const PromptFields::Field& value) {
  return value && value->is_string() ? value->Canonical() : std::string_view();
}

// Hands the text of a whole value to `sink`, piece by piece, with enough punctuation to keep
// different values apart. Recursion is bounded by the parser's depth limit.
template <typename Sink>
void Walk(const JsonValue& value, Sink& sink) {
  switch (value.type()) {
    case JsonType::kObject:
      sink("{");
      for (JsonValue::Iterator member = value.begin(); member != value.end(); ++member) {
        const std::string_view key = (*member).Canonical();
        const JsonValue item = *++member;
        // A marker that clients move from one message to the next without changing the prompt.
        if (key == "cache_control") continue;
        sink(key);
        sink(":");
        Walk(item, sink);
        sink(",");
      }
      sink("}");
      break;
    case JsonType::kArray:
      sink("[");
      for (const JsonValue item : value) {
        Walk(item, sink);
        sink(",");
      }
      sink("]");
      break;
    case JsonType::kString:
      sink("\"");
      sink(value.Canonical());
      sink("\"");
      break;
    default:
      sink(value.raw());
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
  if (!fields.messages->is_array()) return "messages";
  for (const JsonValue message : *fields.messages) {
    if (!message.is_object()) return "messages";
    if (const std::string_view bad = RenderMessage(message); !bad.empty()) return bad;
  }
  return {};
}

std::string_view PromptRenderer::RenderSystem(const PromptFields& fields) {
  if (!fields.system) return {};
  BeginMessage("system");
  if (!fields.system->is_array()) {
    if (!AppendContent(*fields.system)) return "system";
  } else {
    for (const JsonValue block : *fields.system) {
      if (TextOf(block.Member("text")).starts_with(kAttributionBlock)) continue;
      AppendPart(block);
    }
  }
  EndMessage();
  return {};
}

std::string_view PromptRenderer::RenderMessage(const JsonValue& message) {
  Field role, content, tool_calls, function_call;
  for (JsonValue::Iterator member = message.begin(); member != message.end(); ++member) {
    const std::string_view key = (*member).Canonical();
    const JsonValue value = *++member;
    if (key == "role") role = value;
    if (key == "content") content = value;
    if (key == "tool_calls") tool_calls = value;
    if (key == "function_call") function_call = value;
  }
  BeginMessage(TextOf(role));
  if (content && !AppendContent(*content)) return "messages[].content";
  if (tool_calls && tool_calls->is_array()) {
    for (const JsonValue call : *tool_calls) {
      if (!call.is_object()) continue;
      const Field function = call.Member("function");
      const JsonValue& named = function && function->is_object() ? *function : call;
      AppendCall(named.Member("name"), named.Member("arguments"));
    }
  }
  if (function_call && function_call->is_object()) {
    AppendCall(function_call->Member("name"), function_call->Member("arguments"));
  }
  EndMessage();
  return {};
}

std::string_view PromptRenderer::RenderResponses(const PromptFields& fields) {
  // What the server remembers under this id stands before everything else.
  AppendIfString(fields.previous_response_id);
  Append(fields.tools_json);
  if (fields.instructions) {
    BeginMessage("system");
    if (!AppendContent(*fields.instructions)) return "instructions";
    EndMessage();
  }
  if (!fields.input) return {};
  if (fields.input->is_string()) {
    BeginMessage("user");
    AppendString(*fields.input);
    EndMessage();
    return {};
  }
  if (!fields.input->is_array()) return "input";
  for (const JsonValue item : *fields.input) {
    if (!item.is_object()) return "input";
    if (const std::string_view bad = RenderResponsesItem(item); !bad.empty()) return bad;
  }
  return {};
}

std::string_view PromptRenderer::RenderResponsesItem(const JsonValue& item) {
  const std::string_view type = TextOf(item.Member("type"));
  if (type.empty() || type == "message") {
    const std::string_view bad = RenderMessage(item);
    return bad.empty() ? bad : "input[].content";
  }
  if (type == "function_call") {
    BeginMessage("assistant");
    AppendCall(item.Member("name"), item.Member("arguments"));
  } else if (type == "function_call_output") {
    BeginMessage("tool");
    if (const Field output = item.Member("output"); output && !AppendContent(*output)) {
      return "input[].output";
    }
  } else {
    BeginMessage(type);
    AppendHashOf(item);
  }
  EndMessage();
  return {};
}

std::string_view PromptRenderer::RenderPrompts(const Field& field, std::string_view name) {
  if (!field) return {};
  if (field->is_string()) {
    AppendString(*field);
    return {};
  }
  if (!field->is_array()) return name;
  if (field->empty()) return {};
  const JsonValue first = *field->begin();
  if (first.is_number()) return AppendPrompt(*field) ? std::string_view{} : name;
  // A batch: its prompts share no beginning, so the first one stands for it.
  prompts_ = 0;
  size_t room = chars_max_;
  for (const JsonValue item : *field) {
    if (!AppendPrompt(item)) return name;
    ++prompts_;
    chars_max_ = 0;
  }
  chars_max_ = room;
  return {};
}

// One prompt of a batch: a text, token ids, or (multimodal embeddings) an object.
bool PromptRenderer::AppendPrompt(const JsonValue& prompt) {
  if (prompt.is_string()) {
    AppendString(prompt);
  } else if (prompt.is_array()) {
    // Several at once, as there may be a million of them.
    uint32_t ids[64];
    size_t count = 0;
    const auto flush = [&] {
      AppendCopy(std::string_view(reinterpret_cast<const char*>(ids), count * sizeof(ids[0])));
      count = 0;
    };
    for (const JsonValue item : prompt) {
      const std::optional<int64_t> id = item.AsInt64();
      if (!id) return false;
      ids[count++] = static_cast<uint32_t>(*id);
      if (count == std::size(ids)) flush();
    }
    flush();
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
bool PromptRenderer::AppendContent(const JsonValue& content) {
  switch (content.type()) {
    case JsonType::kString:
      AppendString(content);
      return true;
    case JsonType::kArray:
      for (const JsonValue part : content) AppendPart(part);
      return true;
    case JsonType::kObject:
      AppendPart(content);
      return true;
    case JsonType::kNull:
      return true;
    default:
      return false;
  }
}

void PromptRenderer::AppendPart(const JsonValue& part) {
  if (!part.is_object()) return AppendIfString(part);
  if (const Field text = part.Member("text"); text && text->is_string()) {
    return AppendString(*text);
  }
  const std::string_view type = TextOf(part.Member("type"));
  if (type == "tool_use") {
    AppendCall(part.Member("name"), part.Member("input"));
  } else if (type == "tool_result") {
    if (const Field content = part.Member("content")) AppendContent(*content);
  } else if (type == "thinking") {
    AppendIfString(part.Member("thinking"));
  } else {
    AppendHashOf(part);
  }
}

void PromptRenderer::AppendCall(const Field& name, const Field& arguments) {
  AppendIfString(name);
  Append("\n");
  if (arguments && arguments->is_string()) {
    AppendString(*arguments);
  } else if (arguments) {
    auto sink = [this](std::string_view piece) { Append(piece); };
    Walk(*arguments, sink);
  }
  Append("\n");
}

void PromptRenderer::AppendHashOf(const JsonValue& value) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  auto sink = [&state](std::string_view piece) {
    XXH3_64bits_update(&state, piece.data(), piece.size());
  };
  Walk(value, sink);
  const uint64_t hash = XXH3_64bits_digest(&state);
  char hex[17];
  for (int i = 0; i < 16; ++i) hex[i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
  AppendCopy(std::string_view(hex, 16));
}

void PromptRenderer::AppendString(const JsonValue& value) { Add(value.Canonical(), value.chars()); }

void PromptRenderer::AppendIfString(const Field& value) {
  if (value && value->is_string()) AppendString(*value);
}

void PromptRenderer::AppendCopy(std::string_view text) {
  chars_ += text.size();
  text_->AddCopy(Fitting(text));
}

void PromptRenderer::Add(std::string_view text, size_t chars) {
  chars_ += chars;
  text_->Add(Fitting(text));
}

std::string_view PromptRenderer::Fitting(std::string_view text) const {
  return text.substr(0, chars_max_ - std::min(chars_max_, text_->size()));
}

}  // namespace gw::internal
