#include "cli/log_flags.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

// What the flags come to, or the error.
struct Parsed {
  LogFlags flags;
  std::string error;
};

Parsed Parse(const std::string& line) {
  Parsed parsed;
  CLI::App app;
  AddLog(app, parsed.flags);
  try {
    app.parse(line);
  } catch (const CLI::ParseError& error) {
    parsed.error = error.what();
  }
  return parsed;
}

TEST(LogFlags, AllRequestsAreLoggedAtInfoUnlessAsked) {
  const Parsed parsed = Parse("");
  EXPECT_EQ(LogShareOf(parsed.flags), kLogAll);
  EXPECT_EQ(LogOptionsOf(parsed.flags).level, LogLevel::kInfo);
  EXPECT_EQ(LogOptionsOf(parsed.flags).format, LogFormat::kJson);
  EXPECT_EQ(LogOptionsOf(parsed.flags).file, "");
}

TEST(LogFlags, WhatIsGivenIsTakenOver) {
  const Parsed parsed =
      Parse("--log-level WARNING --log-format text --log-file f --request-log 0.5");
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(LogShareOf(parsed.flags), (LogShare{0.5, true}));
  EXPECT_EQ(LogOptionsOf(parsed.flags).level, LogLevel::kWarning);
  EXPECT_EQ(LogOptionsOf(parsed.flags).format, LogFormat::kText);
  EXPECT_EQ(LogOptionsOf(parsed.flags).file, "f");
  EXPECT_EQ(LogShareOf(Parse("--request-log errors").flags), kLogErrors);
}

TEST(LogFlags, NoRequestLogIsTheShareNone) {
  EXPECT_EQ(LogShareOf(Parse("--no-request-log").flags), kLogNone);
  EXPECT_EQ(LogShareOf(Parse("--request-log none").flags), kLogNone);
  EXPECT_NE(Parse("--no-request-log --request-log all").error, "");
}

TEST(LogFlags, NamesOfPromptsAreLoggedOnlyWhereAsked) {
  EXPECT_FALSE(Parse("").flags.prompt_blocks);
  EXPECT_TRUE(Parse("--log-prompt-blocks").flags.prompt_blocks);
}

TEST(LogFlags, WhatIsWrongIsSaid) {
  EXPECT_EQ(Parse("--request-log error").error,
            "--request-log: must be \"all\", \"none\", \"errors\" or a ratio above 0 and up to 1, "
            "such as \"0.01\", got \"error\", did you mean \"errors\"?");
  EXPECT_EQ(Parse("--log-level x").error,
            "--log-level: must be debug, info, warning or error, got \"x\"");
}

}  // namespace
}  // namespace gw
