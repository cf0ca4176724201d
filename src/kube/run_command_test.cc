#include "kube/run_command.h"

#include <absl/strings/numbers.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "base/test_folder.h"

namespace gw::kube {
namespace {

using Outcome = CommandResult::Outcome;

class RunCommandTest : public testing::Test {
 protected:
  CommandResult Run(const std::string& shell, const Command& with = {}) {
    Command command = with;
    command.program = files_.WriteProgram("program", shell);
    return RunCommand(command, RealClock());
  }

  TestFolder files_;
};

TEST_F(RunCommandTest, OutputAndErrorsAreApart) {
  const CommandResult result = Run("echo out; echo err >&2");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
}

TEST_F(RunCommandTest, ArgumentsReachItAsTheyAre) {
  Command command;
  command.args = {"a b", "$HOME", "", "\"*"};
  const CommandResult result = Run("for a; do echo \"<$a>\"; done", command);
  EXPECT_EQ(result.output, "<a b>\n<$HOME>\n<>\n<\"*>\n");
}

TEST_F(RunCommandTest, ItsEnvironmentIsOursAndItsOwn) {
  Command command;
  command.env = {{"A", "1"}, {"HOME", "/nowhere"}, {"A", "2"}};
  const CommandResult result = Run("echo $A $HOME; test -n \"$PATH\" && echo path", command);
  EXPECT_EQ(result.output, "2 /nowhere\npath\n");
}

TEST_F(RunCommandTest, ProgramsWithoutASlashAreLookedFor) {
  Command command;
  command.program = "sh";
  command.args = {"-c", "echo found"};
  EXPECT_EQ(RunCommand(command, RealClock()).output, "found\n");
}

TEST_F(RunCommandTest, StandardInputIsEmpty) { EXPECT_EQ(Run("cat; echo end").output, "end\n"); }

TEST_F(RunCommandTest, NoneOfOurDescriptorsIsItsOwn) {
  const int open_one = dup(STDERR_FILENO);  // without close-on-exec
  const std::string number = std::to_string(open_one);
  EXPECT_EQ(Run("test -e /proc/self/fd/" + number + " && echo leaked").output, "");
  close(open_one);
}

TEST_F(RunCommandTest, OurBlockedAndIgnoredSignalsAreNotItsOwn) {
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  const CommandResult result = Run("kill -TERM $$; echo survived");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(result.outcome, Outcome::kSignalled);
  EXPECT_EQ(result.code, SIGTERM);
  EXPECT_EQ(result.output, "");
}

TEST_F(RunCommandTest, AnExitStatusIsTold) {
  const CommandResult result = Run("exit 3");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.outcome, Outcome::kExited);
  EXPECT_EQ(result.code, 3);
}

TEST_F(RunCommandTest, WhatIsNoProgramIsTold) {
  Command command;
  command.program = files_ / "none";
  EXPECT_EQ(RunCommand(command, RealClock()).outcome, Outcome::kNotFound);
  command.program = files_.Write("text", "no program");
  const CommandResult result = RunCommand(command, RealClock());
  EXPECT_EQ(result.outcome, Outcome::kNotStarted);
  EXPECT_EQ(result.code, EACCES);
}

TEST_F(RunCommandTest, OneThatHangsIsKilledWithItsChildren) {
  Command command;
  command.timeout = std::chrono::milliseconds(300);
  // The child keeps both pipes; its number is told before.
  const CommandResult result = Run("sleep 1000 & echo $!; wait", command);
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  int child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(result.output, &child));
  // Killed, and at most not yet taken off the list by init.
  const TimePoint deadline = RealClock().Now() + std::chrono::seconds(10);
  const std::string name = "/proc/" + std::to_string(child) + "/stat";
  std::string state;
  while (RealClock().Now() < deadline) {
    std::ifstream file(name);
    state.assign(std::istreambuf_iterator<char>(file), {});
    if (state.empty() || state.find(") Z ") != state.npos) break;
  }
  EXPECT_TRUE(state.empty() || state.find(") Z ") != state.npos) << state;
}

TEST_F(RunCommandTest, OneThatIgnoresToBeEndedIsKilled) {
  Command command;
  command.timeout = std::chrono::milliseconds(200);
  EXPECT_EQ(Run("trap '' TERM INT HUP; while :; do :; done", command).outcome, Outcome::kTimedOut);
}

TEST_F(RunCommandTest, AChildThatStaysBehindKeepsNobodyWaiting) {
  Command command;
  command.timeout = std::chrono::seconds(60);
  const TimePoint start = RealClock().Now();
  const CommandResult result = Run("sleep 30 & echo done $!", command);
  EXPECT_TRUE(result.ok());
  EXPECT_THAT(result.output, testing::StartsWith("done "));
  EXPECT_LT(ToSeconds(RealClock().Now() - start), 25);
  int child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(result.output.substr(5), &child));
  kill(child, SIGKILL);
}

TEST_F(RunCommandTest, TooMuchOutputKillsIt) {
  Command command;
  command.output_bytes_max = 1000;
  const CommandResult result = Run("head -c 10000000 /dev/zero; sleep 1000", command);
  EXPECT_EQ(result.outcome, Outcome::kTooLong);
  EXPECT_EQ(result.output.size(), 1000u);
}

TEST_F(RunCommandTest, AsMuchOutputAsIsAllowedIsTaken) {
  Command command;
  command.output_bytes_max = 200'000;  // more than a pipe holds
  const CommandResult result = Run("head -c 200000 /dev/zero", command);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.output.size(), 200'000u);
}

TEST_F(RunCommandTest, TooManyErrorsAreDropped) {
  Command command;
  command.errors_bytes_max = 100;
  const CommandResult result = Run("head -c 10000000 /dev/zero >&2; echo out", command);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors.size(), 100u);
}

TEST_F(RunCommandTest, ErrorsWithoutEndAreKilledAtTheDeadline) {
  Command command;
  command.timeout = std::chrono::milliseconds(300);
  EXPECT_EQ(Run("exec cat /dev/zero >&2", command).outcome, Outcome::kTimedOut);
}

TEST_F(RunCommandTest, OneThatClosesItsOutputIsStillWaitedFor) {
  const CommandResult result = Run("exec >&- 2>&-; exit 7");
  EXPECT_EQ(result.outcome, Outcome::kExited);
  EXPECT_EQ(result.code, 7);
}

}  // namespace
}  // namespace gw::kube
