#include "exchange/request_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "exchange/test_exchange.h"

namespace gw {
namespace {

constexpr LogShare kSome = {0.01f, true};

RequestRecord Fine(const std::string& id) {
  RequestRecord record;
  record.request_id = id;
  record.status = 200;
  record.tries = 1;
  return record;
}

// An id that a ratio of 1 % leaves out, and one that it does not.
std::string IdOf(bool sampled) {
  for (int i = 0;; ++i) {
    std::string id = "id-" + std::to_string(i);
    if (IsSampled(id, kSome.ratio) == sampled) return id;
  }
}

std::optional<LoggedAs> LineOf(const RequestRecord& record, const LogShare& share,
                               Outcome outcome = Outcome::kComplete) {
  return gw::LineOf(record, outcome, nullptr, share);
}

// Whatever the ids are like: drawn, counted up, or long with the same beginning. Five standard
// deviations of a fair draw.
TEST(RequestLog, ItsShareOfManyIdsIsTheRatio) {
  constexpr int kIds = 100'000;
  Random random(7);
  for (const float ratio : {0.001f, 0.01f, 0.1f, 0.5f, 0.9f}) {
    int drawn = 0, counted = 0, prefixed = 0;
    for (int i = 0; i < kIds; ++i) {
      drawn += IsSampled(RandomId(random), ratio);
      counted += IsSampled(std::to_string(i), ratio);
      prefixed += IsSampled("tenant-a/batch-2026-01-02/request-" + std::to_string(i), ratio);
    }
    const double wanted = kIds * static_cast<double>(ratio);
    const double bound = 5 * std::sqrt(wanted * (1 - static_cast<double>(ratio)));
    for (const int got : {drawn, counted, prefixed}) EXPECT_NEAR(got, wanted, bound) << ratio;
  }
}

TEST(RequestLog, AnIdIsDecidedTheSameEachTimeAndEverywhere) {
  // Written out: gateways of other versions must agree.
  std::string sampled;
  for (int i = 0; i < 32; ++i) sampled += IsSampled("id-" + std::to_string(i), 0.5) ? '1' : '0';
  EXPECT_EQ(sampled, "10000000100010110101010011011111");
}

TEST(RequestLog, ALargerRatioLogsWhatASmallerOneDoes) {
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = std::to_string(i);
    if (IsSampled(id, 0.05f)) EXPECT_TRUE(IsSampled(id, 0.06f)) << id;
    EXPECT_TRUE(IsSampled(id, 1));
    EXPECT_FALSE(IsSampled(id, 0));
  }
}

TEST(RequestLog, OfRequestsThatWentWellTheShareHasLines) {
  const RequestRecord in = Fine(IdOf(true)), out = Fine(IdOf(false));
  EXPECT_TRUE(LineOf(out, kLogAll));
  EXPECT_EQ(LineOf(out, kLogAll)->sample_ratio, 0) << "nothing is sampled";
  EXPECT_FALSE(LineOf(in, kLogErrors));
  EXPECT_FALSE(LineOf(in, kLogNone));
  EXPECT_FALSE(LineOf(out, kSome));
  ASSERT_TRUE(LineOf(in, kSome));
  EXPECT_EQ(LineOf(in, kSome)->sample_ratio, kSome.ratio);
  // A client that left is no error.
  EXPECT_FALSE(LineOf(out, kSome, Outcome::kClientLeft));
  EXPECT_FALSE(LineOf(in, kLogErrors, Outcome::kClientLeft));
}

TEST(RequestLog, ErrorsAlwaysHaveLinesUnlessThereAreToBeNone) {
  std::vector<std::pair<RequestRecord, Outcome>> errors;
  for (const int status : {400, 404, 429, 500, 503}) {
    errors.emplace_back(Fine(IdOf(false)), Outcome::kComplete);
    errors.back().first.status = status;
  }
  for (const Outcome outcome : {Outcome::kRejected, Outcome::kUpstreamBroke, Outcome::kErrorEvent,
                                Outcome::kAborted, Outcome::kTimedOut, Outcome::kEvicted}) {
    errors.emplace_back(Fine(IdOf(false)), outcome);
  }
  errors.emplace_back(Fine(IdOf(false)), Outcome::kComplete);
  errors.back().first.tries = 2;
  for (const auto& [record, outcome] : errors) {
    const std::string what = std::string(NameOf(outcome)) + " " + std::to_string(record.status) +
                             " " + std::to_string(record.tries);
    EXPECT_TRUE(IsErrorOfLog(record, outcome)) << what;
    ASSERT_TRUE(LineOf(record, kSome, outcome)) << what;
    EXPECT_EQ(LineOf(record, kSome, outcome)->sample_ratio, 1) << "it stands for itself: " << what;
    EXPECT_TRUE(LineOf(record, kLogErrors, outcome)) << what;
    EXPECT_FALSE(LineOf(record, kLogNone, outcome)) << what;
  }
}

TEST(RequestLog, WhatIsTracedHasALineBesideItsSpans) {
  RequestRecord record = Fine(IdOf(false));
  record.trace.sampled = true;
  ASSERT_TRUE(LineOf(record, kSome));
  EXPECT_EQ(LineOf(record, kSome)->sample_ratio, 1);
  EXPECT_TRUE(LineOf(record, kLogErrors));
  EXPECT_FALSE(LineOf(record, kLogNone));
}

TEST(RequestLog, ARouteWinsAndSetsTheLevel) {
  const RequestRecord record = Fine(IdOf(false));
  RouteRule rule;
  const auto line = [&](const LogShare& share) {
    return gw::LineOf(record, Outcome::kComplete, &rule, share);
  };
  EXPECT_EQ(line(kLogAll)->level, LogLevel::kInfo);
  EXPECT_FALSE(line(kLogNone));
  rule.log = {kLogAll, LogLevel::kWarning};
  EXPECT_EQ(line(kLogNone)->level, LogLevel::kWarning);
  rule.log.share = kLogErrors;
  EXPECT_FALSE(line(kLogAll));
}

TEST(RequestLog, ALevelThatIsNotWrittenHasNoLines) {
  RouteRule rule;
  rule.log.level = LogLevel::kDebug;
  RequestRecord record = Fine("r");
  record.status = 500;
  const LogLevel before = log_level();
  SetLogLevel(LogLevel::kInfo);
  EXPECT_FALSE(gw::LineOf(record, Outcome::kComplete, &rule, kLogAll));
  SetLogLevel(LogLevel::kDebug);
  EXPECT_EQ(gw::LineOf(record, Outcome::kComplete, &rule, kLogAll)->level, LogLevel::kDebug);
  SetLogLevel(before);
}

std::vector<std::pair<RequestRecord, LoggedAs>> lines;

std::vector<PromptNames> prompts;

class RequestLogTest : public ExchangeFixture {
 protected:
  RequestLogTest() {
    entry_ = MakePool("default/qwen", {"127.0.0.11:8000", "127.0.0.12:8000"});
    lines.clear();
    prompts.clear();
    environment_.log_request = [](const RequestRecord& record, const LoggedAs& as) {
      lines.emplace_back(record, as);
      if (as.prompt != nullptr) prompts.push_back(*as.prompt);
    };
  }
  void Handle(const std::string& id, int failures = 0) {
    SendHead(SnapshotOf(entry_, {kPort}, rule_),
             "POST /v1/thing HTTP/1.1\r\nHost: a\r\nx-request-id: " + id +
                 "\r\nContent-Length: 2\r\n\r\n");
    CHECK(SendBody("{}").kind == Step::Kind::kForward);
    for (int i = 0; i < failures; ++i) {
      exchange_.OnTryFailed(TryFailure::kConnectRefused, false, clock_.Now());
    }
    exchange_.End(Outcome::kComplete, 200, clock_.Now());
  }

  // The names of a prompt.
  std::vector<uint64_t> NamesOf(const std::string& prompt, const std::string& more = "") {
    SendHead(SnapshotOf(entry_, {kPort}, rule_),
             "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    const std::string body = R"({"model":"m","prompt":")" + prompt + "\"" + more + "}";
    CHECK(SendBody(body).kind == Step::Kind::kForward);
    prompts.clear();
    exchange_.End(Outcome::kComplete, 200, clock_.Now());
    CHECK(prompts.size() == 1);
    return prompts[0].names;
  }

  std::shared_ptr<PoolEntry> entry_;
  std::shared_ptr<RouteRule> rule_ = RuleToThePool();
};

TEST_F(RequestLogTest, WhatHasNoLineIsInTheHistoryAllTheSame) {
  rule_->log.share = kSome;
  Handle(IdOf(false));
  EXPECT_TRUE(lines.empty());
  EXPECT_TRUE(environment_.history.Find(IdOf(false)));
  Handle(IdOf(true));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].second.sample_ratio, kSome.ratio);
  Handle(IdOf(false), 1);
  ASSERT_EQ(lines.size(), 2u) << "it was tried again";
  EXPECT_EQ(lines[1].first.all_tries[0].reason, "connect_refused");
  environment_.log_share = kLogNone;
  Handle(IdOf(true));
  EXPECT_EQ(lines.size(), 3u) << "the route wins";
}

TEST_F(RequestLogTest, PromptsHaveNamesWhateverThePoolRoutesBy) {
  environment_.log_prompt_blocks = true;
  const std::string shared(3 * 2048, 'a');
  const std::vector<uint64_t> names = NamesOf(shared + std::string(2100, 'b'));
  ASSERT_EQ(names.size(), 4u);
  EXPECT_EQ(prompts[0].prompt_chars, 3 * 2048u + 2100u);
  EXPECT_EQ(prompts[0].stretch_tokens(), 512u);
  EXPECT_EQ(exchange_.request().prefix_blocks.size(), 0u) << "those are the index's";
  const std::vector<uint64_t> other = NamesOf(shared + std::string(2100, 'c'));
  EXPECT_TRUE(std::equal(names.begin(), names.begin() + 3, other.begin()));
  EXPECT_NE(names[3], other[3]);
  for (const size_t blocks_max : {PrefixOptions::kNoLimit, size_t{40}}) {
    entry_->uses_prefix = true;
    entry_->prefix.blocks_max = blocks_max;
    EXPECT_EQ(NamesOf(shared + std::string(2100, 'b')), names) << blocks_max;
    EXPECT_FALSE(prompts[0].cut);
  }
  EXPECT_EQ(lines.back().first.prefix_blocks, 40u) << "the index has its own limit";
  EXPECT_TRUE(NamesOf("short").empty());
}

TEST_F(RequestLogTest, PromptsOfAnotherSaltHaveOtherNames) {
  environment_.log_prompt_blocks = true;
  const std::string prompt(2048, 'a');
  EXPECT_EQ(NamesOf(prompt), NamesOf(prompt));
  EXPECT_NE(NamesOf(prompt), NamesOf(prompt, R"(,"cache_salt":"s")"));
}

TEST_F(RequestLogTest, WithoutTheFlagOrAPromptThereAreNoNames) {
  environment_.log_prompt_blocks = true;
  Handle("no API that is known");
  environment_.log_prompt_blocks = false;
  SendHead(SnapshotOf(entry_, {kPort}, rule_),
           "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
  SendBody(R"({"model":"m","prompt":")" + std::string(2048, 'a') + R"("})");
  exchange_.End(Outcome::kComplete, 200, clock_.Now());
  EXPECT_EQ(lines.size(), 2u);
  EXPECT_TRUE(prompts.empty());
}

TEST(RequestLog, NamesOfAPromptAreWordsOfSixteenDigits) {
  const PromptNames names{.names = {0xff, 0xfedcba9876543210},
                          .stretch_chars = 2048,
                          .prompt_chars = 5000,
                          .cut = true};
  testing::internal::CaptureStderr();
  LogRequest(Fine("r"), {.prompt = &names});
  LogRequest(Fine("r"), {});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(R"("prompt_blocks":"00000000000000ff,fedcba9876543210",)"
                      R"("prompt_block_tokens":512,"prompt_chars":5000,"prompt_blocks_cut":true)"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("\"prompt_blocks\""), text.rfind("\"prompt_blocks\"")) << "one line of two";
}

}  // namespace
}  // namespace gw
