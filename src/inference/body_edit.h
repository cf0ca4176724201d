// BodyEdit: the bytes of a JSON object with some members replaced, removed or added. What is not
// edited stays as it is, byte for byte, and is not copied.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/request.h"

namespace gw {

// Used again and again, so that an edit allocates little. Not thread-safe.
//
//   edit.Begin(body);
//   edit.Replace(request.model_value, "\"other\"");
//   edit.Set({{"max_tokens", "1"}});
//   Send(edit.parts());
class BodyEdit {
 public:
  // What a member is set to: JSON text, or nothing to remove it.
  struct Member {
    std::string_view name;  // ASCII
    std::string_view json;
    bool only_if_there = false;  // otherwise it is added after the last member
  };

  // Forgets everything. `body` must stay as it is for as long as the parts are used.
  // REQUIRES: for Set: body is valid JSON, white space around it and a byte order mark allowed
  void Begin(std::string_view body);
  // Replaces a range of the body. Ranges of different calls must not overlap.
  void Replace(const ByteRange& at, std::string_view text);
  // Sets top-level members, under whatever escapes their names stand in the body. One that is there
  // several times is set each time.
  // REQUIRES: body is an object; called once, members have different names
  void Set(std::span<const Member> members);

  // The pieces of the edited body, in order. Valid until the next edit.
  std::span<const std::string_view> parts();
  uint64_t size();
  std::string ToString();

 private:
  struct Edit {
    size_t offset;
    size_t length;
    size_t text_offset;  // in texts_
    size_t text_length;
  };
  void Finish();

  std::string_view body_;
  std::string texts_;
  std::vector<Edit> edits_;
  std::vector<std::string_view> parts_;
  uint64_t size_ = 0;
  bool finished_ = false;
};

}  // namespace gw
