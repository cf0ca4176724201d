#include "inference/response_json.h"

#include <algorithm>
#include <cstring>

#include "inference/json_bytes.h"

namespace gw::internal {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// No model server reports more; a longer number is noise that must not overflow.
constexpr size_t kCountDigitsMax = 18;

// The finish_reason of OpenAI, the stop_reason of Anthropic. A name that none of them has is no end
// that a model comes to by itself.
FinishReason FinishOfReason(std::string_view reason) {
  for (const std::string_view stop : {"stop", "tool_calls", "function_call", "end_turn",
                                      "stop_sequence", "tool_use", "pause_turn"}) {
    if (reason == stop) return FinishReason::kStop;
  }
  for (const std::string_view length : {"length", "max_tokens", "model_context_window_exceeded"}) {
    if (reason == length) return FinishReason::kLength;
  }
  return FinishReason::kAbnormal;
}

// The status of a response of the Responses API; others are none of an end.
FinishReason FinishOfStatus(std::string_view status) {
  if (status == "completed") return FinishReason::kStop;
  if (status == "incomplete") return FinishReason::kLength;
  if (status == "failed" || status == "cancelled") return FinishReason::kAbnormal;
  return FinishReason::kUnknown;
}

}  // namespace

void ResponseJson::Reset() {
  facts_ = ResponseFacts();
  state_ = State::kValue;
  ExpectNode(Node::kTop);
  depth_ = 0;
  escaped_ = false;
  output_array_ = false;
}

void ResponseJson::Feed(std::string_view bytes) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p < end) {
    const char c = *p;
    switch (state_) {
      case State::kValue:
        if (c == '"') {
          BeginToken(State::kInString);
          p = ConsumeString(p + 1, end);
          break;
        }
        if (c == '{' || c == '[') {
          Open(c == '[');
        } else if (c == ']' || c == '}') {
          Close();
        } else if (!IsSpace(c)) {
          BeginToken(State::kInScalar);
          break;  // the scalar has no opening byte to pass
        }
        ++p;
        break;
      case State::kKey:
        ++p;
        if (c == '"') {
          BeginToken(State::kInKey);
          p = ConsumeString(p, end);
        } else if (c == '}' || c == ']') {
          Close();
        }
        break;
      case State::kInKey:
      case State::kInString:
        p = ConsumeString(p, end);
        break;
      case State::kColon:
        ++p;
        if (c == ':') state_ = State::kValue;
        break;
      case State::kInScalar:
        p = ConsumeScalar(p, end);
        break;
      case State::kAfterValue:
        ++p;
        if (c == ',') {
          const bool array = path_[depth_ - 1] == Node::kChoices;
          state_ = array ? State::kValue : State::kKey;
          if (array) ExpectNode(Node::kChoice);
        } else if (c == '}' || c == ']') {
          Close();
        }
        break;
      case State::kSkipping:
      case State::kSkippingString:
        p = Skip(p, end);
        break;
      case State::kEnd:
        return;
    }
  }
}

void ResponseJson::Open(bool array) {
  if (role_ == Role::kError) facts_.error = true;
  if (role_ == Role::kOutput && !array) facts_.output = true;
  const bool expected = role_ == Role::kNode && array == (node_ == Node::kChoices);
  if (!expected || depth_ == kDepthMax) {
    output_array_ = role_ == Role::kOutput && array;
    skipped_depth_ = 1;
    state_ = State::kSkipping;
    return;
  }
  path_[depth_++] = node_;
  state_ = array ? State::kValue : State::kKey;
  if (array) ExpectNode(Node::kChoice);
}

void ResponseJson::Close() {
  if (depth_ > 0 && --depth_ == 0) facts_.complete = true;
  EndValue();
}

void ResponseJson::OnKey(std::string_view key) {
  role_ = Role::kNone;
  switch (path_[depth_ - 1]) {
    case Node::kTop:
    case Node::kEnvelope:
      OnTopKey(key);
      break;
    case Node::kChoice:
      OnChoiceKey(key);
      break;
    case Node::kDelta:
      OnDeltaKey(key);
      break;
    case Node::kUsage:
      OnUsageKey(key);
      break;
    case Node::kUsageDetails:
      if (key == "cached_tokens") ExpectCount(&facts_.cached_tokens);
      break;
    case Node::kChoices:
      break;  // an array has no keys
  }
}

void ResponseJson::OnTopKey(std::string_view key) {
  const bool top = path_[depth_ - 1] == Node::kTop;
  switch (key.size()) {
    case 2:
      if (takes_id_ && id_bytes_ == 0 && key == "id") role_ = Role::kId;
      break;
    case 4:
      if (top && key == "type") role_ = Role::kType;
      break;
    case 5:
      if (key == "usage") ExpectNode(Node::kUsage);
      if (key == "error") role_ = Role::kError;
      // Anthropic's is an object, Responses' a string; both are output if they hold any.
      if (top && key == "delta") ExpectNode(Node::kDelta);
      break;
    case 7:
      if (top && key == "choices") ExpectNode(Node::kChoices);
      if (top && key == "message") ExpectNode(Node::kEnvelope);
      break;
    case 8:
      if (top && key == "response") ExpectNode(Node::kEnvelope);
      break;
    case 6:
      // Old vLLM's errors are of "object" type "error".
      if (top && key == "object") role_ = Role::kType;
      if (key == "status") role_ = Role::kStatus;
      break;
    case 11:
      if (key == "stop_reason") role_ = Role::kFinishReason;
      break;
    default:
      break;
  }
}

void ResponseJson::OnChoiceKey(std::string_view key) {
  if (key == "delta" || key == "message") ExpectNode(Node::kDelta);
  if (key == "text" || key == "token_ids") role_ = Role::kOutput;
  if (key == "finish_reason") role_ = Role::kFinishReason;
}

void ResponseJson::OnDeltaKey(std::string_view key) {
  switch (key.size()) {
    case 4:
      if (key == "text") role_ = Role::kOutput;
      break;
    case 5:
      if (key == "audio") role_ = Role::kOutput;
      break;
    case 7:
      if (key == "content" || key == "refusal") role_ = Role::kOutput;
      break;
    case 8:
      if (key == "thinking") role_ = Role::kOutput;
      break;
    case 9:
      if (key == "reasoning") role_ = Role::kOutput;
      break;
    case 10:
      if (key == "tool_calls") role_ = Role::kOutput;
      break;
    case 11:
      if (key == "stop_reason") role_ = Role::kFinishReason;
      break;
    case 12:
      if (key == "partial_json") role_ = Role::kOutput;
      break;
    case 13:
      if (key == "function_call") role_ = Role::kOutput;
      break;
    case 17:
      if (key == "reasoning_content") role_ = Role::kOutput;
      break;
    default:
      break;
  }
}

void ResponseJson::OnUsageKey(std::string_view key) {
  if (key == "prompt_tokens" || key == "input_tokens") {
    ExpectCount(&facts_.prompt_tokens);
  } else if (key == "completion_tokens" || key == "output_tokens") {
    ExpectCount(&facts_.completion_tokens);
  } else if (key == "prompt_tokens_details" || key == "input_tokens_details") {
    ExpectNode(Node::kUsageDetails);
  } else if (key == "cache_read_input_tokens") {
    ExpectCount(&facts_.cache_read_tokens);
  } else if (key == "cache_creation_input_tokens") {
    ExpectCount(&facts_.cache_creation_tokens);
  }
}

void ResponseJson::OnString(std::string_view value, bool empty) {
  switch (role_) {
    case Role::kOutput:
      facts_.output |= !empty;
      break;
    case Role::kNode:
      // The delta of a Responses event; other nodes are never strings.
      if (node_ == Node::kDelta) facts_.output |= !empty;
      break;
    case Role::kFinishReason:
      facts_.aborted |= value == "abort";
      if (!empty) facts_.finish = std::max(facts_.finish, FinishOfReason(value));
      break;
    case Role::kStatus:
      facts_.finish = std::max(facts_.finish, FinishOfStatus(value));
      break;
    case Role::kType:
      OnType(value);
      break;
    case Role::kError:
      facts_.error = true;
      break;
    case Role::kId:
      id_bytes_ = value.copy(id_, kTokenBytesMax);
      break;
    case Role::kCount:
    case Role::kNone:
      break;
  }
}

void ResponseJson::OnType(std::string_view type) {
  const bool failed = type == "response.failed";
  facts_.done |= failed || type == "message_stop" || type == "response.completed" ||
                 type == "response.incomplete";
  facts_.error |= failed || type == "error";
}

void ResponseJson::OnScalar() {
  if (token_bytes_ == 0) return;
  if (role_ == Role::kError) facts_.error |= token_[0] != 'n';  // null
  if (role_ != Role::kCount || token_bytes_ > kCountDigitsMax) return;
  int64_t count = 0;
  for (size_t i = 0; i < token_bytes_; ++i) {
    if (token_[i] < '0' || token_[i] > '9') return;
    count = count * 10 + (token_[i] - '0');
  }
  *count_ = count;
}

void ResponseJson::KeepToken(const char* start, const char* end) {
  const size_t bytes = static_cast<size_t>(end - start);
  if (token_bytes_ < kTokenBytesMax) {
    std::memcpy(token_ + token_bytes_, start, std::min(bytes, kTokenBytesMax - token_bytes_));
  }
  token_bytes_ += bytes;
}

// Reads on inside a key or string value; at the closing quote hands it over and moves on.
const char* ResponseJson::ConsumeString(const char* p, const char* end) {
  const char* start = p;
  if (escaped_) {
    escaped_ = false;
    ++p;
  }
  while (true) {
    p = FindQuoteOrBackslash(p, end);
    if (p < end && *p == '"') break;
    if (p < end) {
      token_escapes_ = true;
      escaped_ = p + 1 == end;
      p = std::min(p + 2, end);
    }
    if (p == end) {
      KeepToken(start, end);
      return end;
    }
  }
  std::string_view token(start, static_cast<size_t>(p - start));
  if (token_bytes_ > 0) {
    KeepToken(start, p);
    // A longer token than fits is none we know, but it is not empty.
    token = std::string_view(token_, token_bytes_ <= kTokenBytesMax ? token_bytes_ : 0);
  }
  const bool empty = token.empty() && token_bytes_ == 0;
  // No name we look for is ever written with escapes.
  if (token_escapes_) token = {};
  ++p;
  if (state_ == State::kInString) {
    if (role_ != Role::kNone) OnString(token, empty);
    EndValue();
    return p;
  }
  OnKey(token);
  state_ = State::kColon;
  // What mostly comes next, at once.
  if (p < end && *p == ':') {
    state_ = State::kValue;
    ++p;
  }
  return p;
}

const char* ResponseJson::ConsumeScalar(const char* p, const char* end) {
  const char* start = p;
  while (p < end && *p != ',' && *p != '}' && *p != ']' && !IsSpace(*p)) ++p;
  KeepToken(start, p);
  if (p < end) {
    OnScalar();
    EndValue();
  }
  return p;
}

// Passes over a container by counting brackets outside strings.
const char* ResponseJson::Skip(const char* p, const char* end) {
  while (p < end) {
    if (state_ == State::kSkippingString) {
      if (escaped_) {
        escaped_ = false;
        ++p;
      }
      p = FindQuoteOrBackslash(p, end);
      if (p == end) return end;
      escaped_ = *p == '\\';
      if (!escaped_) state_ = State::kSkipping;
      ++p;
      continue;
    }
    const char c = *p++;
    if (output_array_ && !IsSpace(c)) {
      facts_.output |= c != ']';
      output_array_ = false;
    }
    if (c == '"') {
      state_ = State::kSkippingString;
    } else if (c == '{' || c == '[') {
      ++skipped_depth_;
    } else if ((c == '}' || c == ']') && --skipped_depth_ == 0) {
      EndValue();
      facts_.complete |= depth_ == 0;
      return p;
    }
  }
  return p;
}

}  // namespace gw::internal
