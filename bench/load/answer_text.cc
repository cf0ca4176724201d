#include "bench/load/answer_text.h"

#include <simdjson.h>

#include <utility>

namespace gw::bench {
namespace {

constexpr std::string_view kData = "data:";

// The first of these that is a string.
std::string_view TextOf(simdjson::dom::element event) {
  for (const char* at : {"/choices/0/delta/content", "/choices/0/text", "/delta/text"}) {
    std::string_view text;
    if (event.at_pointer(at).get(text) == simdjson::SUCCESS) return text;
  }
  return {};
}

}  // namespace

struct AnswerText::Parser {
  simdjson::dom::parser json;
};

AnswerText::AnswerText() : parser_(std::make_unique<Parser>()) {}
AnswerText::~AnswerText() = default;

void AnswerText::Reset() {
  line_.clear();
  text_.clear();
}

void AnswerText::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() <= kLineBytesMax) line_ += part;
    if (end == bytes.npos) return;
    TakeLine();
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void AnswerText::TakeLine() {
  std::string_view line = line_;
  if (!line.starts_with(kData) || line.size() > kLineBytesMax) return;
  line.remove_prefix(kData.size());
  simdjson::dom::element event;
  if (parser_->json.parse(line.data(), line.size()).get(event) == simdjson::SUCCESS) {
    text_ += TextOf(event);
  }
}

std::string AnswerText::Take() { return std::exchange(text_, {}); }

}  // namespace gw::bench
