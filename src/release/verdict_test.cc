#include "release/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace gw::release {
namespace {

using testing::HasSubstr;

constexpr Criteria kAll = {.error_rate = 0.01, .ttft = 1.2, .tpot = 1.2, .finish_reasons = 0.05};

// Answers of both versions that differ by chance alone.
Samples Alike(int of_each) {
  Random random(3);
  Samples samples;
  for (int i = 0; i < of_each; ++i) {
    for (VersionSamples* version : {&samples.stable, &samples.candidate}) {
      version->AddAnswer(0.2 + 0.1 * random.Unit(), 0.02 + 0.01 * random.Unit(), Finish::kStop);
    }
  }
  return samples;
}

const TestVerdict& Of(const Verdict& verdict, Compared compared) {
  for (const TestVerdict& one : verdict.tests) {
    if (one.compared == compared) return one;
  }
  static const TestVerdict none;
  return none;
}

TEST(Verdict, OfNothingNothingIsKnown) {
  const Verdict verdict = Judge(kAll, 0.002, {}, true);
  EXPECT_EQ(verdict.tests.size(), 6u);
  for (const TestVerdict& test : verdict.tests) EXPECT_EQ(test.finding, Finding::kNotYetKnown);
  EXPECT_EQ(verdict.breach(), nullptr);
}

TEST(Verdict, WhatIsNotAskedForIsNotCompared) {
  const Verdict verdict = Judge({}, 0.002, Alike(100), true);
  ASSERT_EQ(verdict.tests.size(), 1u);
  EXPECT_EQ(verdict.tests[0].compared, Compared::kAnswersNothing);
}

TEST(Verdict, VersionsThatAreAlikeAreWithinOnceThereIsEnough) {
  const Verdict few = Judge(kAll, 0.002, Alike(40), true);
  EXPECT_EQ(few.breach(), nullptr);
  EXPECT_EQ(Of(few, Compared::kErrors).finding, Finding::kNotYetKnown);
  for (const TestVerdict& test : Judge(kAll, 0.002, Alike(3000), true).tests) {
    EXPECT_EQ(test.finding, Finding::kWithin) << Name(test.compared);
  }
}

TEST(Verdict, EachKindOfBreachIsFoundAndSaid) {
  Samples slow = Alike(100);
  for (int i = 0; i < 400; ++i) slow.candidate.AddAnswer(0.5, 0.1, Finish::kStop);
  const Verdict verdict = Judge(kAll, 0.002, slow, true);
  EXPECT_EQ(Of(verdict, Compared::kTtft).finding, Finding::kBreached);
  EXPECT_EQ(Of(verdict, Compared::kTpot).finding, Finding::kBreached);
  EXPECT_EQ(verdict.breach()->compared, Compared::kTtft);
  const std::string text = VerdictText(*verdict.breach(), 0.01);
  EXPECT_THAT(text, HasSubstr("TTFT of the candidate is 1.7"));
  EXPECT_THAT(text, HasSubstr("times the stable's (at least 1."));
  EXPECT_THAT(text, HasSubstr("with false alarm rate 1 %), at most 1.2 is allowed"));

  Samples failing = Alike(500);
  for (int i = 0; i < 100; ++i) failing.candidate.AddError();
  EXPECT_EQ(Judge(kAll, 0.002, failing, true).breach()->compared, Compared::kErrors);
  EXPECT_THAT(VerdictText(*Judge(kAll, 0.002, failing, true).breach(), 0.01),
              HasSubstr("errors: 16.7 % of the candidate's, 0 % of the stable's, 16.7 percentage "
                        "points more (at least "));

  Samples cut = Alike(200);
  for (int i = 0; i < 100; ++i) cut.candidate.AddAnswer(0.25, 0.025, Finish::kLength);
  EXPECT_EQ(Judge(kAll, 0.002, cut, true).breach()->compared, Compared::kLength);
  Samples broken = Alike(200);
  for (int i = 0; i < 100; ++i) broken.candidate.AddAnswer(0.25, 0.025, Finish::kAbnormal);
  EXPECT_EQ(Judge(kAll, 0.002, broken, true).breach()->compared, Compared::kAbnormal);
}

TEST(Verdict, ABetterCandidateIsNoBreach) {
  Samples samples = Alike(300);
  for (int i = 0; i < 300; ++i) {
    samples.stable.AddError();
    samples.stable.AddAnswer(2, 0.5, Finish::kLength);
  }
  EXPECT_EQ(Judge(kAll, 0.002, samples, true).breach(), nullptr);
}

TEST(Verdict, WhatFailsInBothIsNoBreach) {
  Samples samples;
  for (int i = 0; i < 500; ++i) {
    samples.stable.AddError();
    samples.candidate.AddError();
  }
  EXPECT_EQ(Judge(kAll, 0.002, samples, true).breach(), nullptr);
}

TEST(Verdict, ACandidateThatHasAllRequestsIsStoppedOnlyIfItAnswersNothing) {
  Samples samples;
  for (int i = 0; i < 36; ++i) samples.candidate.AddError();
  const Verdict verdict = Judge(kAll, 0.0005, samples, false);
  ASSERT_NE(verdict.breach(), nullptr);
  EXPECT_EQ(verdict.breach()->compared, Compared::kAnswersNothing);
  for (int i = 0; i < 100; ++i) samples.candidate.AddAnswer(30, 3, Finish::kLength);
  EXPECT_EQ(Judge(kAll, 0.0005, samples, false).breach(), nullptr);
}

TEST(VerdictText, SaysWhereThereIsTooLittle) {
  const Verdict verdict = Judge(kAll, 0.002, Alike(5), true);
  EXPECT_THAT(VerdictText(Of(verdict, Compared::kTtft), 0.01), HasSubstr("(too few samples with"));
  EXPECT_THAT(VerdictText(Of(verdict, Compared::kErrors), 0.01), HasSubstr("(from -"));
}

}  // namespace
}  // namespace gw::release
