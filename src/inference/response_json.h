// Picks the few facts routing wants out of a model server's JSON, as its bytes pass by.
//
// A push parser: it may be stopped after any byte, holds one short token and a short path, and
// takes values only where the path says so ("usage" counts at the top of an answer, not in a tool's
// schema, and never inside a string). It does not validate: text that is not JSON yields nothing
// useful and does no harm.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inference/response.h"

namespace gw::internal {

// What one JSON text said. Counts are -1 where it said nothing.
struct ResponseFacts {
  int64_t prompt_tokens = -1;
  int64_t completion_tokens = -1;
  int64_t cached_tokens = -1;
  // Anthropic's, which come on top of its input_tokens.
  int64_t cache_read_tokens = -1;
  int64_t cache_creation_tokens = -1;
  bool output = false;   // carries generated text, reasoning, a tool call or token ids
  bool aborted = false;  // finish_reason (stop_reason) is "abort"
  FinishReason finish = FinishReason::kUnknown;
  bool error = false;     // has an error that is not null, or is of a type that says so
  bool done = false;      // of a type that ends a stream: message_stop, response.completed, ...
  bool complete = false;  // the outermost value was closed
};

class ResponseJson {
 public:
  // Keys and short values are compared up to this length; a longer one is none we know.
  static constexpr size_t kTokenBytesMax = 64;

  // For the next text of the same response.
  void Reset();
  // Of a response of the Responses API: its id is kept, from whichever text has it first.
  void TakeId() { takes_id_ = true; }
  void Feed(std::string_view bytes);
  const ResponseFacts& facts() const { return facts_; }
  std::string_view id() const { return {id_, id_bytes_}; }

 private:
  // Where in the answer a container stands.
  enum class Node : uint8_t {
    kTop,
    kEnvelope,  // "response" (Responses) and "message" (Anthropic): what they wrap is an answer
    kChoices,
    kChoice,
    kDelta,  // also "message" of a choice
    kUsage,
    kUsageDetails,
  };
  // What a value means.
  enum class Role : uint8_t {
    kNone,
    kNode,    // a container: node_ says which
    kOutput,  // output if a string or array that is not empty, or an object
    kFinishReason,
    kStatus,  // of the Responses API
    kType,
    kError,  // an error if not null
    kCount,  // a number, stored at count_
    kId,     // the response's
  };
  enum class State : uint8_t {
    kValue,  // before a value
    kKey,    // before a key
    kInKey,
    kColon,
    kInString,
    kInScalar,
    kAfterValue,
    kSkipping,  // inside a container that says nothing to us
    kSkippingString,
    kEnd,  // after the outermost value
  };
  static constexpr size_t kDepthMax = 8;

  void Open(bool array);
  void Close();
  void OnKey(std::string_view key);
  void OnTopKey(std::string_view key);
  void OnChoiceKey(std::string_view key);
  void OnDeltaKey(std::string_view key);
  void OnUsageKey(std::string_view key);
  void OnString(std::string_view value, bool empty);
  void OnType(std::string_view value);
  void OnScalar();
  const char* ConsumeString(const char* p, const char* end);
  const char* ConsumeScalar(const char* p, const char* end);
  const char* Skip(const char* p, const char* end);
  void ExpectNode(Node node) {
    role_ = Role::kNode;
    node_ = node;
  }
  void ExpectCount(int64_t* count) {
    role_ = Role::kCount;
    count_ = count;
  }
  void BeginToken(State state) {
    state_ = state;
    token_bytes_ = 0;
    token_escapes_ = false;
  }
  void KeepToken(const char* start, const char* end);
  void EndValue() { state_ = depth_ == 0 ? State::kEnd : State::kAfterValue; }

  ResponseFacts facts_;
  State state_ = State::kValue;
  Role role_ = Role::kNode;
  Node node_ = Node::kTop;
  int64_t* count_ = nullptr;

  Node path_[kDepthMax];
  size_t depth_ = 0;
  size_t skipped_depth_ = 0;
  bool output_array_ = false;  // the skipped array is output if it has an element

  bool escaped_ = false;  // the last byte was a backslash inside a string
  bool token_escapes_ = false;
  size_t token_bytes_ = 0;  // of the whole token, also what was not kept
  char token_[kTokenBytesMax];
  bool takes_id_ = false;
  size_t id_bytes_ = 0;
  char id_[kTokenBytesMax];
};

}  // namespace gw::internal
