#include "sim/server/answer.h"

#include "base/log.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

constexpr std::string_view kFingerprint = "vllm-0.32.0-sim";
constexpr std::string_view kLastChoiceEnd =
    R"(,"stop_reason":null,"token_ids":null}],"system_fingerprint":"vllm-0.32.0-sim"})";
constexpr uint32_t kEmbeddingSize = 16;

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  out += '"';
  return out;
}

std::string_view ReasonText(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "null";
    case FinishReason::kStop:
      return "\"stop\"";
    case FinishReason::kLength:
      return "\"length\"";
    case FinishReason::kAbort:
      return "\"abort\"";
  }
  return "null";
}

// Anthropic's words.
std::string_view StopReasonText(FinishReason reason) {
  return reason == FinishReason::kLength ? "\"max_tokens\"" : "\"end_turn\"";
}

std::string_view TextOf(const Answer& answer) {
  return std::string_view(answer.text).substr(0, answer.output_tokens * kTokenBytes);
}

std::string_view LastTokenOf(const Answer& answer) {
  return std::string_view(answer.text)
      .substr((answer.output_tokens - 1) * kTokenBytes, kTokenBytes);
}

std::string UsageOf(const Answer& a) {
  const uint32_t output = a.output_tokens * a.choices;
  return Concat({R"({"prompt_tokens":)", Digits(a.prompt_tokens), R"(,"total_tokens":)",
                 Digits(a.prompt_tokens + output), R"(,"completion_tokens":)", Digits(output),
                 R"(,"prompt_tokens_details":{"cached_tokens":)", Digits(a.cached_tokens),
                 R"(,"created_cache_tokens":null,"multimodal_tokens":null},)"
                 R"("completion_tokens_details":null})"});
}

// In the last event of a stream.
std::string StreamUsageOf(const Answer& a) {
  const uint32_t output = a.output_tokens * a.choices;
  return Concat({R"({"prompt_tokens":)", Digits(a.prompt_tokens), R"(,"total_tokens":)",
                 Digits(a.prompt_tokens + output), R"(,"completion_tokens":)", Digits(output),
                 R"(,"prompt_tokens_details":{"cached_tokens":)", Digits(a.cached_tokens),
                 a.dialect == Dialect::kChat ? R"(,"created_cache_tokens":0}})" : "}}"});
}

std::string MessagesUsageOf(const Answer& a) {
  // Anthropic counts what was read from the cache apart.
  return Concat({R"({"input_tokens":)", Digits(a.prompt_tokens - a.cached_tokens),
                 R"(,"output_tokens":)", Digits(a.output_tokens),
                 R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)",
                 Digits(a.cached_tokens), "}"});
}

std::string ResponsesUsageOf(const Answer& a) {
  return Concat({R"({"input_tokens":)", Digits(a.prompt_tokens),
                 R"(,"input_tokens_details":{"cached_tokens":)", Digits(a.cached_tokens),
                 R"(},"output_tokens":)", Digits(a.output_tokens),
                 R"(,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":)",
                 Digits(a.prompt_tokens + a.output_tokens), "}"});
}

std::string ResponsesItemOf(const Answer& a, std::string_view status, std::string_view text) {
  std::string item = Concat({R"({"id":"msg_)", a.id, R"(","type":"message","role":"assistant",)",
                             R"("status":")", status, R"(","content":[)"});
  if (status == "completed") {
    Append(&item,
           {R"({"type":"output_text","text":")", text, R"(","annotations":[],"logprobs":null})"});
  }
  item += "]}";
  return item;
}

// The Response object: `status` "in_progress" has neither output nor usage.
std::string ResponsesObjectOf(const Answer& a, FinishReason reason, bool in_progress,
                              std::string_view text) {
  const std::string_view status = in_progress                     ? "in_progress"
                                  : reason == FinishReason::kStop ? "completed"
                                                                  : "incomplete";
  std::string out = Concat({R"({"id":"resp_)", a.id, R"(","object":"response","created_at":)",
                            Digits(a.created_s), R"(,"status":")", status, R"(","model":)",
                            Quoted(a.model), R"(,"error":null,"incomplete_details":)"});
  if (status == "incomplete") {
    out += reason == FinishReason::kLength ? R"({"reason":"max_output_tokens"})"
                                           : R"({"reason":"abort"})";
  } else {
    out += "null";
  }
  out += R"(,"instructions":null,"metadata":null,"output":[)";
  if (!in_progress) out += ResponsesItemOf(a, "completed", text);
  Append(&out, {R"(],"parallel_tool_calls":true,"tool_choice":"none","tools":[],"usage":)",
                in_progress ? "null" : std::string_view(ResponsesUsageOf(a)), "}"});
  return out;
}

void AppendEmbeddings(const Answer& a, std::string* out) {
  Append(out, {R"({"id":"embd-)", a.id, R"(","object":"list","created":)", Digits(a.created_s),
               R"(,"model":)", Quoted(a.model), R"(,"data":[)"});
  for (uint32_t input = 0; input < a.inputs; ++input) {
    Append(out, {input > 0 ? "," : "", R"({"index":)", Digits(input),
                 R"(,"object":"embedding","embedding":[)"});
    for (uint32_t i = 0; i < kEmbeddingSize; ++i) {
      const uint64_t bits = (a.seed + input) * 0x9e3779b97f4a7c15 >> (i % 8 * 8);
      Append(out, {i > 0 ? "," : "", bits & 128 ? "-0." : "0.", Digits(1000 + (bits & 127) * 70)});
    }
    out->append("]}");
  }
  Append(out,
         {R"(],"usage":{"prompt_tokens":)", Digits(a.prompt_tokens), R"(,"total_tokens":)",
          Digits(a.prompt_tokens), R"(,"completion_tokens":0,"prompt_tokens_details":null}})"});
}

// {"index":0,CHOICE,{"index":1,CHOICE: `choice` ends with the brace.
void AppendChoices(const Answer& a, std::string_view choice, std::string* out) {
  for (uint32_t i = 0; i < a.choices; ++i) {
    Append(out, {i > 0 ? "," : "", R"({"index":)", Digits(i), ",", choice});
  }
}

}  // namespace

void AppendAnswerBody(const Answer& a, FinishReason reason, std::string* out) {
  if (a.dialect == Dialect::kEmbedding) return AppendEmbeddings(a, out);
  const std::string_view text = TextOf(a);
  switch (a.dialect) {
    case Dialect::kChat:
      Append(out, {R"({"id":"chatcmpl-)", a.id, R"(","object":"chat.completion","created":)",
                   Digits(a.created_s), R"(,"model":)", Quoted(a.model), R"(,"choices":[)"});
      AppendChoices(a,
                    Concat({R"("message":{"role":"assistant","content":")", text,
                            R"(","refusal":null,"annotations":null,"audio":null,)"
                            R"("function_call":null,"reasoning":null},"logprobs":null,)"
                            R"("finish_reason":)",
                            ReasonText(reason),
                            R"(,"stop_reason":null,"token_ids":null,"routed_experts":null})"}),
                    out);
      Append(out, {R"(],"service_tier":null,"system_fingerprint":")", kFingerprint, R"(","usage":)",
                   UsageOf(a),
                   R"(,"prompt_logprobs":null,"prompt_token_ids":null,"prompt_text":null,)"
                   R"("kv_transfer_params":)",
                   a.kv_transfer_params, R"(,"ec_transfer_params":null,"metrics":null})"});
      break;
    case Dialect::kCompletion:
      Append(out, {R"({"id":"cmpl-)", a.id, R"(","object":"text_completion","created":)",
                   Digits(a.created_s), R"(,"model":)", Quoted(a.model), R"(,"choices":[)"});
      AppendChoices(
          a,
          Concat({R"("text":")", text, R"(","logprobs":null,"finish_reason":)", ReasonText(reason),
                  R"(,"stop_reason":null,"token_ids":null,"prompt_logprobs":null,)"
                  R"("prompt_token_ids":null,"routed_experts":null})"}),
          out);
      Append(out, {R"(],"service_tier":null,"system_fingerprint":")", kFingerprint, R"(","usage":)",
                   UsageOf(a), R"(,"kv_transfer_params":)", a.kv_transfer_params,
                   R"(,"ec_transfer_params":null,"metrics":null})"});
      break;
    case Dialect::kMessages:
      Append(out, {R"({"id":"chatcmpl-)", a.id, R"(","type":"message","role":"assistant",)",
                   R"("content":[{"type":"text","text":")", text, R"("}],"model":)",
                   Quoted(a.model), R"(,"stop_reason":)", StopReasonText(reason), R"(,"usage":)",
                   MessagesUsageOf(a), "}"});
      break;
    case Dialect::kResponses:
      out->append(ResponsesObjectOf(a, reason, false, text));
      break;
    case Dialect::kEmbedding:
      break;
  }
}

void StreamWriter::NextEvent(std::string_view type, EventSink* sink, std::string_view members) {
  event_ = Concat({"event: ", type, "\ndata: {\"type\":\"", type, "\"", members, "}\n\n"});
  sink->Event(event_);
}

void StreamWriter::ForEachChoice(const Answer& a, EventSink* sink,
                                 std::initializer_list<std::string_view> parts) {
  for (uint32_t i = 0; i < a.choices; ++i) {
    event_.assign(head_);
    Append(&event_, {R"({"index":)", Digits(i), ","});
    Append(&event_, parts);
    event_ += "\n\n";
    sink->Event(event_);
  }
}

void StreamWriter::Begin(const Answer& a, EventSink* sink) {
  begun_ = true;
  switch (a.dialect) {
    case Dialect::kChat:
      head_ = Concat({R"(data: {"id":"chatcmpl-)", a.id,
                      R"(","object":"chat.completion.chunk","created":)", Digits(a.created_s),
                      R"(,"model":)", Quoted(a.model), R"(,"choices":[)"});
      ForEachChoice(a, sink,
                    {R"("delta":{"role":"assistant","content":""},"logprobs":null,)",
                     R"("finish_reason":null}],"prompt_token_ids":null,"prompt_text":null})"});
      break;
    case Dialect::kCompletion:
      head_ = Concat({R"(data: {"id":"cmpl-)", a.id, R"(","object":"text_completion","created":)",
                      Digits(a.created_s), R"(,"model":)", Quoted(a.model), R"(,"choices":[)"});
      break;
    case Dialect::kMessages:
      NextEvent("message_start", sink,
                Concat({R"(,"message":{"id":"chatcmpl-)", a.id, R"(","type":"message",)",
                        R"("role":"assistant","content":[],"model":)", Quoted(a.model),
                        R"(,"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":)",
                        Digits(a.prompt_tokens - a.cached_tokens), R"(,"output_tokens":0}})"}));
      NextEvent("content_block_start", sink,
                R"(,"content_block":{"type":"text","text":""},"index":0)");
      break;
    case Dialect::kResponses: {
      const std::string response = ResponsesObjectOf(a, FinishReason::kNone, true, "");
      for (const std::string_view type : {"response.created", "response.in_progress"}) {
        NextEvent(
            type, sink,
            Concat({R"(,"sequence_number":)", Digits(sequence_++), R"(,"response":)", response}));
      }
      NextEvent("response.output_item.added", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), R"(,"output_index":0,)",
                        R"("item":)", ResponsesItemOf(a, "in_progress", "")}));
      NextEvent("response.content_part.added", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), R"(,"item_id":"msg_)", a.id,
                        R"(","output_index":0,"content_index":0,"part":{"type":"output_text",)",
                        R"("text":"","annotations":[],"logprobs":[]})"}));
      break;
    }
    case Dialect::kEmbedding:
      break;
  }
}

void StreamWriter::Token(const Answer& a, FinishReason reason, EventSink* sink) {
  const std::string_view text = LastTokenOf(a);
  switch (a.dialect) {
    case Dialect::kChat:
      // The fingerprint stands in the last event of a stream; that may be the one with the usage.
      ForEachChoice(a, sink,
                    {R"("delta":{"content":")", text, R"("},"logprobs":null,"finish_reason":)",
                     ReasonText(reason),
                     reason == FinishReason::kNone ? R"(,"token_ids":null}]})"
                     : a.include_usage             ? R"(,"stop_reason":null,"token_ids":null}]})"
                                                   : kLastChoiceEnd});
      break;
    case Dialect::kCompletion:
      ForEachChoice(
          a, sink,
          {R"("text":")", text, R"(","logprobs":null,"finish_reason":)", ReasonText(reason),
           R"(,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]})"});
      break;
    case Dialect::kMessages:
      NextEvent("content_block_delta", sink,
                Concat({R"(,"delta":{"type":"text_delta","text":")", text, R"("},"index":0)"}));
      break;
    case Dialect::kResponses:
      NextEvent("response.output_text.delta", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), R"(,"item_id":"msg_)", a.id,
                        R"(","output_index":0,"content_index":0,"delta":")", text,
                        R"(","logprobs":[])"}));
      break;
    case Dialect::kEmbedding:
      break;
  }
}

void StreamWriter::Stop(const Answer& a, FinishReason reason, EventSink* sink) {
  if (a.dialect == Dialect::kChat) {
    ForEachChoice(a, sink,
                  {R"("delta":{"content":""},"logprobs":null,"finish_reason":)", ReasonText(reason),
                   kLastChoiceEnd});
  } else if (a.dialect == Dialect::kCompletion) {
    ForEachChoice(a, sink,
                  {R"("text":"","logprobs":null,"finish_reason":)", ReasonText(reason),
                   R"(,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]})"});
  }
}

void StreamWriter::End(const Answer& a, FinishReason reason, EventSink* sink) {
  switch (a.dialect) {
    case Dialect::kChat:
    case Dialect::kCompletion:
      if (a.include_usage) {
        event_.assign(head_);
        Append(&event_, {R"(],"usage":)", StreamUsageOf(a), R"(,"system_fingerprint":")",
                         kFingerprint, "\"}\n\n"});
        sink->Event(event_);
      }
      sink->Event(kDoneEvent);
      break;
    case Dialect::kMessages:
      NextEvent("content_block_stop", sink, R"(,"index":0)");
      NextEvent("message_delta", sink,
                Concat({R"(,"delta":{"stop_reason":)", StopReasonText(reason),
                        R"(,"stop_sequence":null},"usage":)", MessagesUsageOf(a)}));
      NextEvent("message_stop", sink, "");
      break;
    case Dialect::kResponses: {
      const std::string_view text = TextOf(a);
      const std::string place =
          Concat({R"(,"item_id":"msg_)", a.id, R"(","output_index":0,"content_index":0)"});
      NextEvent("response.output_text.done", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), place, R"(,"text":")", text,
                        R"(","logprobs":[])"}));
      NextEvent("response.content_part.done", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), place,
                        R"(,"part":{"type":"output_text","text":")", text,
                        R"(","annotations":[],"logprobs":null})"}));
      NextEvent("response.output_item.done", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), R"(,"output_index":0,)",
                        R"("item":)", ResponsesItemOf(a, "completed", text)}));
      NextEvent(reason == FinishReason::kStop ? "response.completed" : "response.incomplete", sink,
                Concat({R"(,"sequence_number":)", Digits(sequence_++), R"(,"response":)",
                        ResponsesObjectOf(a, reason, false, text)}));
      break;
    }
    case Dialect::kEmbedding:
      break;
  }
}

void AppendErrorBody(Runtime runtime, Dialect dialect, const Refusal& refusal, std::string* out) {
  if (dialect == Dialect::kMessages) {
    Append(out, {R"({"type":"error","error":{"type":")", refusal.type, R"(","message":)",
                 Quoted(refusal.message), "}}"});
    return;
  }
  const bool vllm = runtime == Runtime::kVllm;
  Append(out, {vllm ? R"({"error":{"message":)" : R"({"object":"error","message":)",
               Quoted(refusal.message), R"(,"type":")", refusal.type, R"(","param":)",
               refusal.param.empty() ? "null" : std::string_view(Quoted(refusal.param)),
               R"(,"code":)", Digits(refusal.status), vllm ? "}}" : "}"});
}

void AppendErrorEvent(Runtime runtime, const Refusal& refusal, std::string* out) {
  Append(out, {runtime == Runtime::kVllm ? R"(data: {"error": {"message": )"
                                         : R"(data: {"error": {"object": "error", "message": )",
               Quoted(refusal.message), R"(, "type": ")", refusal.type,
               R"(", "param": null, "code": )", Digits(refusal.status), "}}\n\n"});
}

}  // namespace gw::sim
