#include "bench/load/multi_round_qa.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "bench/load/paced_workload.h"

namespace gw::bench {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr uint32_t kUsersMax = 1'000'000;
constexpr uint32_t kRoundsMax = 10'000;
constexpr uint32_t kWarmUpTokens = 100;
// Within these no product or sum of times overflows.
constexpr double kGapMaxSeconds = 86400;
constexpr double kDurationMaxSeconds = 365 * 86400.0;
constexpr uint32_t kCharsOfToken = 4;

// REQUIRES: time >= 0
Duration FirstTickFrom(Duration time) { return (time + kTick - Duration(1)) / kTick * kTick; }

// Above zero, so that nobody acts twice in a tick.
Duration Gap(double seconds) {
  return std::max(Duration(1), Duration(std::llround(seconds * 1e9)));
}

std::string Repeated(uint32_t times) {
  std::string text;
  text.reserve(size_t{times} * 3);
  for (uint32_t i = 0; i < times; ++i) text += i == 0 ? "hi" : " hi";
  return text;
}

struct User {
  uint32_t questions = 0;  // that it is through with, those before the run included
  uint32_t turns = 0;      // of them in this run
  Duration last{};         // when it asked
  std::vector<Message> said;
  uint64_t said_tokens = 0;
};

class MultiRoundQa final : public LoadWorkload {
 public:
  explicit MultiRoundQa(const MultiRoundQaOptions& options)
      : options_(options),
        gap_(Gap(options.users / options.per_second)),
        join_gap_(Gap((options.rounds - 1) / options.per_second)),
        system_text_("Hi, here's some system prompt: " + Repeated(options.system_tokens) + "."),
        history_text_("here are some other context: " + Repeated(options.history_tokens) + "."),
        users_made_(options.users_before) {
    if (options_.warm_up == 0) Start(Duration{});
  }

  std::optional<Duration> due() const override {
    if (!started_) {
      return warm_up_taken_ < options_.warm_up ? std::optional(Duration{}) : std::nullopt;
    }
    if (NextTick() > options_.duration) return std::nullopt;
    return start_ + NextTick();
  }

  Ask Take() override {
    CHECK(due().has_value());
    Ask ask = started_ ? AskOfUser() : AskOfWarmUp();
    ask.id = asked_++;
    ask.api = options_.form.api;
    return ask;
  }

  void OnAnswer(const Ask& ask, const Answer& answer, Duration now) override {
    if (!ask.counts) {
      if (++warm_up_answered_ == options_.warm_up) Start(now);
      return;
    }
    const auto found = in_flight_.find(ask.id);
    CHECK(found != in_flight_.end());
    const uint64_t number = found->second;
    in_flight_.erase(found);
    User& user = users_.at(number);
    if (MayAskAgain(user)) --awaited_;
    Hear(answer, &user);
    if (user.questions >= options_.rounds) {
      users_.erase(number);
    } else {
      ready_.emplace(std::max(FirstTickFrom(user.last + gap_), FirstTickFrom(now - start_)),
                     number);
    }
  }

  bool done() const override { return started_ && NextTick() > options_.duration && awaited_ == 0; }
  std::optional<Duration> length() const override {
    if (!started_) return std::nullopt;
    return start_ + options_.duration;
  }
  std::string Describe() const override {
    return fmt::format("multi-round-qa, {} users, {} rounds, {:g}/s", options_.users,
                       options_.rounds, options_.per_second);
  }

 private:
  // When something happens next, from start_ on.
  Duration NextTick() const {
    return ready_.empty() ? next_join_ : std::min(next_join_, ready_.begin()->first);
  }
  // Of one in flight: if its answer comes early enough.
  bool MayAskAgain(const User& user) const {
    return user.questions < options_.rounds && FirstTickFrom(user.last + gap_) <= options_.duration;
  }

  // User i is (rounds - 1) * (users - i) / users gaps into its session: that many questions and
  // the one at its begin are behind it, and the last was asked when the fraction of a gap had not
  // passed yet.
  void Start(Duration now) {
    started_ = true;
    start_ = now;
    for (uint64_t i = 0; i < options_.users; ++i) {
      const uint64_t passed = (options_.rounds - 1) * (options_.users - i);
      const double fraction = static_cast<double>(passed % options_.users) / options_.users;
      User user;
      user.questions = static_cast<uint32_t>(passed / options_.users + 1);
      user.last = -Duration(std::llround(static_cast<double>(gap_.count()) * fraction));
      const uint64_t number = ++users_made_;
      if (user.questions >= options_.rounds) continue;
      ready_.emplace(FirstTickFrom(user.last + gap_), number);
      users_.emplace(number, std::move(user));
    }
  }

  Ask AskOfWarmUp() {
    const Message message{Role::kUser,
                          fmt::format("WARMUP: Hi, I'm user {}. Here are some text: {} .",
                                      warm_up_taken_, Repeated(kWarmUpTokens))};
    ++warm_up_taken_;
    Ask ask;
    ask.body = RequestBody(options_.form, {&message, 1}, kWarmUpTokens);
    ask.prompt_tokens = static_cast<uint32_t>(message.text.size() / kCharsOfToken);
    ask.output_tokens = kWarmUpTokens;
    ask.counts = false;
    return ask;
  }

  // Those who are there ask in the order in which they came, then whoever joins.
  Ask AskOfUser() {
    const Duration tick = NextTick();
    if (tick == next_join_) {
      const uint64_t number = ++users_made_;
      users_.emplace(number, User{});
      ready_.emplace(tick, number);
      next_join_ = FirstTickFrom(tick + join_gap_);
    }
    const uint64_t number = ready_.begin()->second;
    ready_.erase(ready_.begin());
    User& user = users_.at(number);
    user.last = tick;
    Say(number, &user);
    Ask ask;
    ask.due = start_ + tick;
    ask.body = RequestBody(options_.form, user.said, options_.output_tokens);
    ask.session = std::to_string(number);
    ask.fields = {{"x-user-id", ask.session}};
    ask.turn = user.turns++;
    ask.prompt_tokens = static_cast<uint32_t>(user.said_tokens);
    ask.output_tokens = options_.output_tokens;
    ask.wants_text = true;
    in_flight_.emplace(asked_, number);
    if (MayAskAgain(user)) ++awaited_;
    return ask;
  }

  void Say(uint64_t number, User* user) {
    ++user->questions;
    std::string text =
        fmt::format("Here's question #{}: can you tell me a new long story with a happy ending?",
                    user->questions);
    user->said_tokens += text.size() / kCharsOfToken;
    if (user->said.empty()) {
      text = fmt::format("{}For user {}, {}{}", system_text_, number, history_text_, text);
      user->said_tokens += options_.system_tokens + options_.history_tokens;
    }
    user->said.push_back({Role::kUser, std::move(text)});
  }

  void Hear(const Answer& answer, User* user) const {
    if (answer.end != AnswerEnd::kComplete) {
      user->said.pop_back();
      if (user->said.empty()) user->said_tokens = 0;
      return;
    }
    user->said_tokens += answer.output_tokens >= 0 ? static_cast<uint64_t>(answer.output_tokens)
                                                   : answer.text.size() / kCharsOfToken;
    user->said.push_back({Role::kAssistant, answer.text});
  }

  const MultiRoundQaOptions options_;
  const Duration gap_;       // of a user's questions
  const Duration join_gap_;  // of new users
  const std::string system_text_;
  const std::string history_text_;
  uint32_t warm_up_taken_ = 0;
  uint32_t warm_up_answered_ = 0;
  bool started_ = false;
  Duration start_{};  // users' times count from here
  uint64_t asked_ = 0;
  uint64_t users_made_;
  Duration next_join_{};  // the first joins at the start
  std::map<uint64_t, User> users_;
  std::set<std::pair<Duration, uint64_t>> ready_;  // when who asks, if it is not in flight
  std::map<uint64_t, uint64_t> in_flight_;         // by the Ask's id: who
  uint64_t awaited_ = 0;                           // of them, who may ask again
};

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

absl::Status CheckTokens(const MultiRoundQaOptions& options) {
  if (options.system_tokens > kTokensMax) {
    return Wrong(fmt::format("--system-tokens: wanted at most {}", kTokensMax));
  }
  if (options.history_tokens > kTokensMax) {
    return Wrong(fmt::format("--history-tokens: wanted at most {}", kTokensMax));
  }
  if (options.output_tokens == 0 || options.output_tokens > kTokensMax) {
    return Wrong(fmt::format("--output-tokens: wanted 1 to {}", kTokensMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadWorkload>> NewMultiRoundQa(const MultiRoundQaOptions& options) {
  RETURN_IF_ERROR(CheckForm(options.form));
  RETURN_IF_ERROR(CheckTokens(options));
  if (options.users == 0 || options.users > kUsersMax) {
    return Wrong(fmt::format("--users: wanted 1 to {}", kUsersMax));
  }
  // With a single round sessions take no time, and nothing says when users join.
  if (options.rounds < 2 || options.rounds > kRoundsMax) {
    return Wrong(fmt::format("--rounds: wanted 2 to {}", kRoundsMax));
  }
  if (!(options.per_second > 0)) return Wrong("--rate: wanted a number above 0");
  if (options.users / options.per_second > kGapMaxSeconds) {
    return Wrong("--rate: wanted so high a one that each user asks once a day");
  }
  if (options.duration <= Duration{} || ToSeconds(options.duration) > kDurationMaxSeconds) {
    return Wrong("--duration: wanted a time above 0");
  }
  return std::make_unique<MultiRoundQa>(options);
}

}  // namespace gw::bench
