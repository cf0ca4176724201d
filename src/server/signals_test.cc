#include "server/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace gw {
namespace {

// Each in a process of its own, since what is done to signals stays.
TEST(SignalsDeathTest, EverySignalIsReadAndNoneEndsTheProcess) {
  const auto run = [] {
    BlockSignals();
    SignalReader reader;
    for (int number : {SIGHUP, SIGUSR1, SIGTERM, SIGINT}) {
      kill(getpid(), number);
      if (reader.Next(std::chrono::seconds(10)) != number) _exit(1);
    }
    for (int number : {SIGUSR2, SIGPIPE}) kill(getpid(), number);
    if (reader.Next(Duration(0)).has_value()) _exit(2);
    _exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, WhatIsOverEndsNothingAndLeavesOtherSignalsToBeRead) {
  const auto run = [] {
    BlockSignals();
    bool done = false;
    kill(getpid(), SIGHUP);
    if (RunUnlessEnded([&] { done = true; }).has_value() || !done) _exit(1);
    SignalReader reader;
    kill(getpid(), SIGTERM);  // is not lost behind it
    if (reader.Next(std::chrono::seconds(10)) != SIGHUP) _exit(2);
    if (reader.Next(std::chrono::seconds(10)) != SIGTERM) _exit(3);
    _exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, ASignalToEndDoesNotWaitForWorkThatHangs) {
  for (const int number : {SIGTERM, SIGINT}) {
    const auto run = [number] {
      BlockSignals();
      const std::optional<int> signal = RunUnlessEnded([number] {
        kill(getpid(), number);
        for (;;) pause();
      });
      _exit(signal == number ? 0 : 1);
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(0), "") << number;
  }
}

TEST(SignalsDeathTest, DescriptorsBeyondAThousandAreReadLikeOthers) {
  const auto run = [] {
    BlockSignals();
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
    setrlimit(RLIMIT_NOFILE, &limit);
    while (open("/dev/null", O_RDONLY) < 1500) {
      if (limit.rlim_cur < 2000) break;  // as far as is allowed here
    }
    SignalReader reader;
    kill(getpid(), SIGTERM);
    _exit(reader.Next(std::chrono::seconds(10)) == SIGTERM ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, AtTheEndSigtermEndsAtOnceAndOthersDoNothing) {
  const auto run = [] {
    BlockSignals();
    SignalReader::EndAtNext();
    for (int number : {SIGHUP, SIGUSR1, SIGUSR2}) kill(getpid(), number);
    kill(getpid(), SIGTERM);
    for (;;) pause();
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace gw
