#include "bench/load/share_gpt.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "base/status.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"
#include "bench/load/text_tokens.h"

namespace gw::bench {
namespace {

namespace dom = simdjson::dom;

constexpr uint32_t kTokensMin = 4;
constexpr uint32_t kPromptTokensMax = 1024;
constexpr uint32_t kBothTokensMax = 2048;
constexpr size_t kConversationBytesMax = size_t{64} << 20;
constexpr size_t kPromptsMax = 10'000'000;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

// The texts of a JSON list's elements, without looking into them further than to find their ends.
class ListReader {
 public:
  explicit ListReader(std::istream& in) : in_(*in.rdbuf()) {}

  // False: there are no more.
  absl::StatusOr<bool> Next(std::string* element) {
    element->clear();
    if (!begun_) {
      if (SkipBlanks() != '[') return Wrong("wanted a JSON list of conversations");
      in_.sbumpc();
      begun_ = true;
    }
    int c = SkipBlanks();
    if (c == ',' && count_ > 0) {
      in_.sbumpc();
      c = SkipBlanks();
    }
    if (c == ']') return false;
    ++count_;
    return Take(element);
  }
  uint64_t count() const { return count_; }

 private:
  static constexpr int kEnd = std::char_traits<char>::eof();

  int SkipBlanks() {
    int c = in_.sgetc();
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t') c = in_.snextc();
    return c;
  }

  absl::StatusOr<bool> Take(std::string* element) {
    int depth = 0;
    bool in_text = false;
    for (int c = in_.sgetc(); c != kEnd; c = in_.snextc()) {
      if (!in_text && depth == 0 && (c == ',' || c == ']')) return true;
      if (element->size() > kConversationBytesMax) break;
      element->push_back(static_cast<char>(c));
      if (in_text && c == '\\') {
        const int escaped = in_.snextc();
        if (escaped == kEnd) break;
        element->push_back(static_cast<char>(escaped));
      } else if (c == '"') {
        in_text = !in_text;
      } else if (!in_text) {
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
      }
    }
    return Wrong(element->size() > kConversationBytesMax ? "is too long" : "the file ends in it");
  }

  std::streambuf& in_;
  bool begun_ = false;
  uint64_t count_ = 0;
};

// Nothing of a conversation that is dropped.
absl::StatusOr<std::optional<SharedPrompt>> PromptOf(dom::element conversation,
                                                     std::optional<uint32_t> output_tokens) {
  dom::object object;
  if (conversation.get(object)) return Wrong("wanted an object");
  dom::array turns;
  if (object["conversations"].get(turns) || turns.size() < 2) return std::nullopt;
  std::string_view texts[2];
  for (const size_t turn : {size_t{0}, size_t{1}}) {
    if (turns.at(turn)["value"].get(texts[turn])) {
      return Wrong(fmt::format("conversations[{}].value: wanted a text", turn));
    }
  }
  SharedPrompt out{.text = std::string(texts[0]),
                   .prompt_tokens = EstimatedTokens(texts[0]),
                   .output_tokens = output_tokens.value_or(EstimatedTokens(texts[1]))};
  if (out.prompt_tokens < kTokensMin || out.prompt_tokens > kPromptTokensMax ||
      (!output_tokens && out.output_tokens < kTokensMin) ||
      uint64_t{out.prompt_tokens} + out.output_tokens > kBothTokensMax) {
    return std::nullopt;
  }
  return out;
}

}  // namespace

absl::StatusOr<std::vector<SharedPrompt>> ReadShareGpt(std::istream& in,
                                                       std::optional<uint32_t> output_tokens) {
  std::vector<SharedPrompt> prompts;
  ListReader list(in);
  dom::parser parser;
  std::string text;
  const auto wrong = [&](const absl::Status& status) {
    return Wrong(fmt::format("conversation {}: {}", list.count(), std::string(status.message())));
  };
  for (;;) {
    const absl::StatusOr<bool> more = list.Next(&text);
    if (!more.ok()) return list.count() == 0 ? more.status() : wrong(more.status());
    if (!*more) break;
    dom::element conversation;
    const simdjson::error_code fault = parser.parse(text).get(conversation);
    // Half of a surrogate pair, which Python takes: no text that could be asked.
    if (fault == simdjson::STRING_ERROR) continue;
    if (fault != simdjson::SUCCESS) return wrong(Wrong("wanted a JSON object"));
    absl::StatusOr<std::optional<SharedPrompt>> prompt = PromptOf(conversation, output_tokens);
    if (!prompt.ok()) return wrong(prompt.status());
    if (!*prompt) continue;
    if (prompts.size() == kPromptsMax) {
      return Wrong(fmt::format("wanted at most {} conversations", kPromptsMax));
    }
    prompts.push_back(*std::move(*prompt));
  }
  if (prompts.empty()) {
    return Wrong("wanted at least one conversation of two turns and fitting lengths");
  }
  return prompts;
}

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewShareGpt(std::vector<SharedPrompt> prompts,
                                                          const ShareGptOptions& options) {
  CHECK(!prompts.empty());
  RETURN_IF_ERROR(CheckForm(options.form));
  Random order(ProseId(options.seed, static_cast<uint64_t>(Stream::kOrder), 0));
  for (size_t i = prompts.size(); i > 1; --i) std::swap(prompts[i - 1], prompts[order.Below(i)]);
  ASSIGN_OR_RETURN(
      std::unique_ptr<Pace> pace,
      NewPace(options.pace, ProseId(options.seed, static_cast<uint64_t>(Stream::kPace), 0)));
  std::string name = fmt::format("sharegpt, {} conversations", prompts.size());
  return NewPacedWorkload(
      std::move(pace), options.form.api,
      [form = options.form, prompts = std::move(prompts)](uint64_t number) {
        const SharedPrompt& prompt = prompts[number % prompts.size()];
        const Message message{Role::kUser, prompt.text};
        Ask ask;
        ask.body = RequestBody(form, {&message, 1}, prompt.output_tokens);
        ask.prompt_tokens = prompt.prompt_tokens;
        ask.output_tokens = prompt.output_tokens;
        return ask;
      },
      std::move(name));
}

}  // namespace gw::bench
