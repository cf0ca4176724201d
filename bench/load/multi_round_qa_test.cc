#include "bench/load/multi_round_qa.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "bench/load/body_texts.h"
#include "bench/load/virtual_answers.h"

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// 4 users, 2/s: each asks every 2 s; sessions take 8 s, a user joins every 2 s.
MultiRoundQaOptions Options() {
  return {.form = {.model = "m"},
          .users = 4,
          .rounds = 5,
          .per_second = 2,
          .system_tokens = 3,
          .history_tokens = 2,
          .output_tokens = 7,
          .duration = seconds(60),
          .warm_up = 0};
}

std::unique_ptr<LoadWorkload> Made(const MultiRoundQaOptions& options) {
  absl::StatusOr<std::unique_ptr<LoadWorkload>> workload = NewMultiRoundQa(options);
  EXPECT_TRUE(workload.ok()) << workload.status();
  return *std::move(workload);
}

std::vector<Asked> RunOf(const MultiRoundQaOptions& options, Duration answers_after) {
  return AnswerAll(*Made(options), AnswersAfter(answers_after));
}

std::map<std::string, std::vector<Asked>> ByUser(const std::vector<Asked>& asked) {
  std::map<std::string, std::vector<Asked>> users;
  for (const Asked& one : asked) users[one.ask.session].push_back(one);
  return users;
}

std::vector<Duration> DuesOf(const std::vector<Asked>& asked) {
  std::vector<Duration> dues;
  for (const Asked& one : asked) dues.push_back(one.ask.due);
  return dues;
}

TEST(MultiRoundQa, TheFirstPromptIsThatOfTheOriginal) {
  const std::vector<Asked> asked = RunOf(Options(), milliseconds(50));
  EXPECT_EQ(asked[0].ask.session, "5");
  EXPECT_EQ(TextsOf(asked[0].ask.body),
            (std::vector<BodyText>{
                {"user",
                 "Hi, here's some system prompt: hi hi hi.For user 5, here are some other "
                 "context: hi hi.Here's question #1: can you tell me a new long story with a "
                 "happy ending?"}}));
  EXPECT_EQ(OutputTokensOf(asked[0].ask.body), 7u);
  EXPECT_EQ(asked[0].ask.fields,
            (std::vector<std::pair<std::string, std::string>>{{"x-user-id", "5"}}));
  EXPECT_TRUE(asked[0].ask.wants_text);
}

TEST(MultiRoundQa, ANewUserAsksAllItsRoundsAGapApart) {
  const auto users = ByUser(RunOf(Options(), milliseconds(50)));
  EXPECT_EQ(DuesOf(users.at("5")),
            (std::vector<Duration>{seconds(0), seconds(2), seconds(4), seconds(6), seconds(8)}));
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(users.at("5")[i].ask.turn, i);
}

TEST(MultiRoundQa, AtTheStartUsersAreInTheMiddleOfTheirSessions) {
  MultiRoundQaOptions options = Options();
  options.users = 8;  // a gap of 4 s, sessions of 16 s, a user joins every 2 s
  const auto users = ByUser(RunOf(options, milliseconds(50)));
  EXPECT_FALSE(users.contains("1")) << "it is through";
  // 14 s into its session: questions at 0, 4, 8 and 12 s are behind it, the last is due in 2 s.
  ASSERT_EQ(users.at("2").size(), 1u);
  EXPECT_EQ(users.at("2")[0].ask.due, seconds(2));
  EXPECT_EQ(users.at("2")[0].ask.turn, 0u);
  EXPECT_NE(TextsOf(users.at("2")[0].ask.body)[0].text.find("Hi, here's some system prompt"),
            std::string::npos);
  EXPECT_NE(TextsOf(users.at("2")[0].ask.body)[0].text.find("question #5:"), std::string::npos);
  // 12 s into its session: it has asked this very moment.
  EXPECT_EQ(DuesOf(users.at("3")), std::vector<Duration>{seconds(4)});
  EXPECT_EQ(DuesOf(users.at("4")), (std::vector<Duration>{seconds(2), seconds(6)}));
  EXPECT_EQ(users.at("8").size(), 4u);
  EXPECT_EQ(users.at("9").size(), 5u);
}

TEST(MultiRoundQa, AUserJoinsWheneverTheTimeOfOneHasPassed) {
  const auto users = ByUser(RunOf(Options(), milliseconds(50)));
  for (uint64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(users.at(std::to_string(5 + i))[0].ask.due, seconds(2) * i) << i;
  }
}

TEST(MultiRoundQa, AtMostOneUserJoinsAtATime) {
  MultiRoundQaOptions options = Options();
  options.per_second = 1000;  // a user would have to join every 4 ms
  options.duration = seconds(1);
  std::map<Duration, size_t> joined;
  for (const auto& [user, asked] : ByUser(RunOf(options, milliseconds(1)))) {
    if (std::stoi(user) > 4) ++joined[asked[0].ask.due];
  }
  EXPECT_EQ(joined.size(), 11u);
  for (const auto& [at, number] : joined) EXPECT_EQ(number, 1u) << ToMillis(at);
}

TEST(MultiRoundQa, TheRateIsTheWantedOneTimesRoundsByGaps) {
  MultiRoundQaOptions options = Options();
  options.users = 100;
  options.per_second = 5;  // a gap of 20 s, and 0.8 s until the next one joins
  options.duration = seconds(1000);
  const std::vector<Asked> asked = RunOf(options, seconds(1));
  EXPECT_NEAR(static_cast<double>(asked.size()) / 1000, 5 * 5 / 4.0, 0.02);
}

TEST(MultiRoundQa, NobodyAsksBeforeTheLastAnswerIsThere) {
  const std::vector<Asked> asked = RunOf(Options(), milliseconds(3350));
  for (const auto& [user, of_user] : ByUser(asked)) {
    for (size_t i = 1; i < of_user.size(); ++i) {
      EXPECT_GE(of_user[i].ask.due, of_user[i - 1].ended) << user;
    }
  }
  // It falls behind: the first time after the answer at which it is looked.
  EXPECT_EQ(DuesOf(ByUser(asked).at("5")),
            (std::vector<Duration>{seconds(0), milliseconds(3400), milliseconds(6800),
                                   milliseconds(10200), milliseconds(13600)}));
}

// By its rules as they stand there: everybody is looked at in each tick.
class LookedAtEachTick {
 public:
  LookedAtEachTick(const MultiRoundQaOptions& options, Duration answers_after)
      : options_(options), answers_after_(answers_after) {
    const double session = gap() * (options.rounds - 1);
    for (uint32_t i = 0; i < options.users; ++i) {
      const double offset = session - i * session / options.users;
      const int passed = static_cast<int>(offset / gap() + kSlack) + 1;
      users_.push_back({users_.size() + 1, passed, (passed - 1) * gap() - offset, -1});
    }
    double joined = -1e9;
    for (int tick = 0; tick * 0.1 <= ToSeconds(options.duration) + kSlack; ++tick) {
      const double now = tick * 0.1;
      if (now - joined > session / options.users - kSlack) {
        users_.push_back({users_.size() + 1, 0, -1e9, -1});
        joined = now;
      }
      for (User& user : users_) Look(tick, now, &user);
    }
  }

  const std::vector<std::string>& asked() const { return asked_; }

 private:
  static constexpr double kSlack = 1e-6;
  struct User {
    uint64_t number;
    int questions;
    double last;
    double answered;
  };

  double gap() const { return options_.users / options_.per_second; }
  void Look(int tick, double now, User* user) {
    if (user->questions >= static_cast<int>(options_.rounds)) return;
    if (now - user->last < gap() - kSlack || user->answered > now + kSlack) return;
    ++user->questions;
    user->last = now;
    user->answered = now + ToSeconds(answers_after_);
    asked_.push_back(fmt::format("{} {} #{}:", tick, user->number, user->questions));
  }

  const MultiRoundQaOptions options_;
  const Duration answers_after_;
  std::vector<User> users_;
  std::vector<std::string> asked_;
};

TEST(MultiRoundQa, ItAsksAsIfEverybodyWereLookedAtInEachTick) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    MultiRoundQaOptions options = Options();
    options.users = 1 + static_cast<uint32_t>(random.Below(30));
    options.rounds = 2 + static_cast<uint32_t>(random.Below(10));
    options.per_second = (1 + static_cast<double>(random.Below(200))) / 16;
    const Duration after = milliseconds(1 + random.Below(round % 2 == 0 ? 500 : 20000));
    std::vector<std::string> asked;
    for (const Asked& one : RunOf(options, after)) {
      const std::string text = TextsOf(one.ask.body).back().text;
      const size_t number = text.find('#');
      asked.push_back(fmt::format("{} {} {}", one.ask.due / milliseconds(100), one.ask.session,
                                  text.substr(number, text.find(':', number) + 1 - number)));
    }
    ASSERT_EQ(asked, LookedAtEachTick(options, after).asked())
        << options.users << " users, " << options.rounds << " rounds, " << options.per_second
        << "/s, answers after " << ToMillis(after);
  }
}

TEST(MultiRoundQa, ConversationsGrowByTheAnswersThatCame) {
  const std::unique_ptr<LoadWorkload> workload = Made(Options());
  uint64_t told = 0;
  const auto users = ByUser(AnswerAll(*workload, [&told](const Ask&) {
    return VirtualAnswer{.after = milliseconds(20),
                         .answer = {.end = AnswerEnd::kComplete,
                                    .output_tokens = 6,
                                    .text = "\"Once\" \n\\ " + std::to_string(++told)}};
  }));
  const std::vector<Asked>& asked = users.at("6");
  ASSERT_EQ(asked.size(), 5u);
  std::vector<BodyText> said;
  for (size_t i = 0; i < asked.size(); ++i) {
    const std::vector<BodyText> texts = TextsOf(asked[i].ask.body);
    ASSERT_EQ(texts.size(), 2 * i + 1);
    EXPECT_EQ(std::vector<BodyText>(texts.begin(), texts.end() - 1), said);
    EXPECT_EQ(texts.back().role, "user");
    said = texts;
    said.push_back({"assistant", asked[i].answer.text});
    if (i > 0) {
      EXPECT_EQ(texts.back().text, "Here's question #" + std::to_string(i + 1) +
                                       ": can you tell me a new long story with a happy ending?");
      EXPECT_EQ(asked[i].ask.prompt_tokens, asked[i - 1].ask.prompt_tokens + 6 + 18);
    }
  }
}

TEST(MultiRoundQa, AQuestionWithoutAnAnswerIsTakenBack) {
  const std::unique_ptr<LoadWorkload> workload = Made(Options());
  const auto users = ByUser(AnswerAll(*workload, [](const Ask& ask) {
    const bool fails = ask.turn % 2 == 0;
    return VirtualAnswer{
        .after = milliseconds(20),
        .answer = {.end = fails ? AnswerEnd::kBroken : AnswerEnd::kComplete, .text = "Once"}};
  }));
  const std::vector<Asked>& asked = users.at("6");
  ASSERT_EQ(asked.size(), 5u);
  const std::vector<size_t> messages = {1, 1, 3, 3, 5};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(TextsOf(asked[i].ask.body).size(), messages[i]) << i;
  const std::string again = TextsOf(asked[1].ask.body)[0].text;
  EXPECT_EQ(again.find("Hi, here's some system prompt: "), 0u);
  EXPECT_NE(again.find("Here's question #2:"), std::string::npos);
}

TEST(MultiRoundQa, WarmUpComesFirstAndDoesNotCount) {
  MultiRoundQaOptions options = Options();
  options.warm_up = 3;
  const std::unique_ptr<LoadWorkload> workload = Made(options);
  EXPECT_FALSE(workload->length().has_value());
  const std::vector<Asked> asked = AnswerAll(*workload, [](const Ask& ask) {
    return VirtualAnswer{.after = milliseconds(ask.counts ? 20 : 1000 + 111 * ask.id)};
  });
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(asked[i].ask.counts);
    EXPECT_EQ(asked[i].ask.due, seconds(0));
    EXPECT_EQ(TextsOf(asked[i].ask.body)[0].text.find("WARMUP: Hi, I'm user " + std::to_string(i) +
                                                      ". Here are some"),
              0u);
  }
  EXPECT_TRUE(asked[3].ask.counts);
  EXPECT_EQ(asked[3].ask.due, milliseconds(1222)) << "when all are answered";
  EXPECT_EQ(workload->length(), milliseconds(61222));
}

TEST(MultiRoundQa, NothingIsAskedAfterItsTime) {
  for (const Duration after : {milliseconds(20), milliseconds(2500), milliseconds(100000)}) {
    MultiRoundQaOptions options = Options();
    options.duration = seconds(20);
    const std::vector<Asked> asked = RunOf(options, after);
    EXPECT_LE(asked.back().ask.due, seconds(20));
    EXPECT_EQ(asked.back().ask.due, seconds(20)) << "a user joins then";
  }
}

TEST(MultiRoundQa, IdsAreUniqueAndUsersGoOnFromThoseBefore) {
  MultiRoundQaOptions options = Options();
  options.users_before = 100;
  std::set<uint64_t> ids;
  const std::vector<Asked> asked = RunOf(options, milliseconds(20));
  for (const Asked& one : asked) ids.insert(one.ask.id);
  EXPECT_EQ(ids.size(), asked.size());
  EXPECT_EQ(asked[0].ask.session, "105");
}

TEST(MultiRoundQa, OptionsNameWhatIsWrongWithThem) {
  const auto error_of = [](auto change) {
    MultiRoundQaOptions options = Options();
    change(options);
    return std::string(NewMultiRoundQa(options).status().message());
  };
  EXPECT_EQ(error_of([](auto& o) { o.form.model = ""; }), "--model: wanted a name");
  EXPECT_EQ(error_of([](auto& o) { o.users = 0; }), "--users: wanted 1 to 1000000");
  EXPECT_EQ(error_of([](auto& o) { o.rounds = 1; }), "--rounds: wanted 2 to 10000");
  EXPECT_EQ(error_of([](auto& o) { o.per_second = 0; }), "--rate: wanted a number above 0");
  EXPECT_EQ(error_of([](auto& o) { o.per_second = 1e-9; }),
            "--rate: wanted so high a one that each user asks once a day");
  EXPECT_EQ(error_of([](auto& o) { o.duration = {}; }), "--duration: wanted a time above 0");
  EXPECT_EQ(error_of([](auto& o) { o.output_tokens = 0; }),
            "--output-tokens: wanted 1 to 10000000");
  EXPECT_EQ(error_of([](auto& o) { o.system_tokens = 0; }), "");
}

TEST(MultiRoundQa, ItSaysWhatItIs) {
  EXPECT_EQ(Made(Options())->Describe(), "multi-round-qa, 4 users, 5 rounds, 2/s");
}

}  // namespace
}  // namespace gw::bench
