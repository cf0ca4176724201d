#include "bench/load/request_body.h"

#include <string_view>

#include "inference/parser.h"

namespace gw::bench {
namespace {

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
  }
  return "";
}

// Of Anthropic's shape; empty: there are none.
std::string SystemTexts(std::span<const Message> messages) {
  std::string text;
  for (const Message& message : messages) {
    if (message.role == Role::kSystem) text += message.text;
  }
  return text;
}

void AppendMessages(std::span<const Message> messages, bool with_system, std::string* body) {
  *body += ",\"messages\":[";
  bool first = true;
  for (const Message& message : messages) {
    if (message.role == Role::kSystem && !with_system) continue;
    if (!first) *body += ',';
    first = false;
    *body += "{\"role\":\"";
    *body += NameOf(message.role);
    *body += "\",\"content\":";
    *body += QuoteJson(message.text);
    *body += '}';
  }
  *body += ']';
}

}  // namespace

absl::Status CheckForm(const RequestForm& form) {
  if (form.api != ApiKind::kChatCompletions && form.api != ApiKind::kCompletions &&
      form.api != ApiKind::kMessages) {
    return absl::InvalidArgumentError("--api: wanted chat, completions or messages");
  }
  if (form.model.empty()) return absl::InvalidArgumentError("--model: wanted a name");
  return absl::OkStatus();
}

std::string_view PathOf(ApiKind api) {
  if (api == ApiKind::kMessages) return "/v1/messages";
  return api == ApiKind::kCompletions ? "/v1/completions" : "/v1/chat/completions";
}

std::string RequestBody(const RequestForm& form, std::span<const Message> messages,
                        uint32_t output_tokens) {
  std::string body = "{\"model\":" + QuoteJson(form.model);
  if (form.api == ApiKind::kCompletions) {
    std::string prompt;
    for (const Message& message : messages) prompt += message.text;
    body += ",\"prompt\":" + QuoteJson(prompt);
  } else if (form.api == ApiKind::kMessages) {
    const std::string system = SystemTexts(messages);
    if (!system.empty()) body += ",\"system\":" + QuoteJson(system);
    AppendMessages(messages, false, &body);
  } else {
    AppendMessages(messages, true, &body);
  }
  body += ",\"max_tokens\":" + std::to_string(output_tokens);
  body += ",\"temperature\":0,\"stream\":true";
  if (form.api != ApiKind::kMessages) {
    body += ",\"stream_options\":{\"include_usage\":true}";
    if (form.ignore_eos) body += ",\"ignore_eos\":true";
  }
  body += '}';
  return body;
}

}  // namespace gw::bench
