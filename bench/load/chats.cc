#include "bench/load/chats.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "base/status.h"
#include "bench/load/arrivals.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"

namespace gw::bench {
namespace {

class ChatUsers final : public LoadWorkload {
 public:
  ChatUsers(const ChatsOptions& options, Arrivals arrivals)
      : options_(options), arrivals_(std::move(arrivals)), random_(Id(Stream::kPace, 0)) {
    Come();
  }

  std::optional<Duration> due() const override {
    return ready_.empty() ? std::nullopt : std::optional<Duration>(ready_.begin()->first);
  }

  Ask Take() override {
    CHECK(!ready_.empty());
    const auto [due, number] = *ready_.begin();
    ready_.erase(ready_.begin());
    if (number == came_) {
      ++came_;
      Come();
    }
    Chat& chat = chats_[number];
    if (chat.said.empty() && options_.system_tokens > 0) {
      chat.said.push_back({Role::kSystem, Text(Stream::kSystem, 0, options_.system_tokens)});
      chat.tokens = options_.system_tokens;
    }
    const uint64_t question = number * options_.rounds + chat.round;
    chat.said.push_back({Role::kUser, Text(Stream::kQuestion, question, options_.question_tokens)});
    chat.tokens += options_.question_tokens;
    Ask ask;
    ask.id = asked_++;
    ask.due = due;
    ask.api = options_.form.api;
    ask.body = RequestBody(options_.form, chat.said, options_.output_tokens);
    ask.session = std::to_string(number);
    ask.turn = chat.round++;
    ask.prompt_tokens = chat.tokens;
    ask.output_tokens = options_.output_tokens;
    ask.wants_text = chat.round < options_.rounds;
    in_flight_.emplace(ask.id, number);
    return ask;
  }

  void OnAnswer(const Ask& ask, const Answer& answer, Duration now) override {
    const auto found = in_flight_.find(ask.id);
    CHECK(found != in_flight_.end());
    const uint64_t number = found->second;
    in_flight_.erase(found);
    const auto chat = chats_.find(number);
    if (answer.end != AnswerEnd::kComplete || chat->second.round == options_.rounds) {
      chats_.erase(chat);
      return;
    }
    chat->second.said.push_back({Role::kAssistant, answer.text});
    chat->second.tokens += options_.output_tokens;
    ready_.emplace(now + options_.gap, number);
  }

  bool done() const override { return ready_.empty() && in_flight_.empty(); }
  std::optional<Duration> length() const override { return options_.lasts; }
  std::string Describe() const override {
    return fmt::format(
        "chats of {} rounds, {:g} s apart, {} + {} prompt and {} output tokens, {:g}/s",
        options_.rounds, ToSeconds(options_.gap), options_.system_tokens, options_.question_tokens,
        options_.output_tokens, options_.per_second);
  }

 private:
  struct Chat {
    uint32_t round = 0;  // the next one
    uint32_t tokens = 0;
    std::vector<Message> said;
  };

  uint64_t Id(Stream kind, uint64_t number) const {
    return ProseId(options_.seed, static_cast<uint64_t>(kind), number);
  }
  std::string Text(Stream kind, uint64_t number, uint32_t tokens) const {
    const Part part{Id(kind, number), tokens};
    return ProseOf({&part, 1});
  }
  // The next one, whose number is came_, if there is one.
  void Come() {
    if (const std::optional<Duration> at = arrivals_.Next(random_)) ready_.emplace(*at, came_);
  }

  const ChatsOptions options_;
  Arrivals arrivals_;
  Random random_;
  uint64_t came_ = 0;
  uint64_t asked_ = 0;
  std::map<uint64_t, Chat> chats_;                 // that go on
  std::set<std::pair<Duration, uint64_t>> ready_;  // when which asks next
  std::map<uint64_t, uint64_t> in_flight_;         // by the Ask's id: which
};

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

}  // namespace

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewChats(const ChatsOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  if (options.rounds == 0) return Wrong("rounds: wanted a number above 0");
  if (!(options.per_second > 0)) return Wrong("rate: wanted a number above 0");
  if (options.question_tokens == 0 || options.output_tokens == 0) {
    return Wrong("tokens of questions and answers: wanted numbers above 0");
  }
  const double longest =
      double{options.rounds} * (double{options.question_tokens} + options.output_tokens) +
      options.system_tokens;
  if (longest > kTokensMax) {
    return Wrong(fmt::format("a conversation: wanted at most {} tokens", kTokensMax));
  }
  ASSIGN_OR_RETURN(Arrivals arrivals,
                   Arrivals::From({.per_second = options.per_second / options.rounds,
                                   .duration = options.lasts}));
  return std::make_unique<ChatUsers>(options, std::move(arrivals));
}

}  // namespace gw::bench
