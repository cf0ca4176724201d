// AnswerText: what a model has said in a stream of server-sent events, for conversations that go on
// with it: choices[0].delta.content or choices[0].text of OpenAI's APIs, delta.text of Anthropic's.

#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gw::bench {

class AnswerText {
 public:
  static constexpr size_t kLineBytesMax = 1 << 20;  // of a longer line nothing is taken

  AnswerText();
  ~AnswerText();

  void Reset();
  void Feed(std::string_view bytes);
  std::string Take();

 private:
  void TakeLine();

  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::string line_;
  std::string text_;
};

}  // namespace gw::bench
