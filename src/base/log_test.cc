#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"

namespace gw {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  EXPECT_EQ(begin, text.size()) << "the last line is cut";
  return lines;
}

std::string Escaped(std::string_view text) {
  std::string out;
  AppendJsonEscaped(&out, text);
  return out;
}

TEST(Log, LineBeforeInitIsOneJsonObjectWrittenAtOnce) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "Configuration published",
      {{"generation", 7}, {"pool", "a\"b"}, {"ratio", 0.25}, {"ok", true}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, StartsWith("{\"time\":\"20"));
  EXPECT_THAT(text, EndsWith("Z\",\"level\":\"info\",\"message\":\"Configuration published\","
                             "\"generation\":7,\"pool\":\"a\\\"b\",\"ratio\":0.25,\"ok\":true}\n"));
  // 2026-01-02T03:04:05.678901Z
  EXPECT_EQ(text.find("Z\","), std::string("{\"time\":\"").size() + 26);
}

// However they are written.
TEST(Log, NumbersReadBackAsTheyWere) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto nanos = static_cast<int64_t>(random.Next() >> random.Below(64));
    for (const double value : {static_cast<double>(nanos) / 1e6, static_cast<double>(nanos),
                               random.Unit(), -static_cast<double>(nanos), 0.5e-6, 0.0}) {
      testing::internal::CaptureStderr();
      Log(LogLevel::kError, "m", {{"a", value}});
      const std::string text = testing::internal::GetCapturedStderr();
      const size_t at = text.find("\"a\":") + 4;
      EXPECT_EQ(std::strtod(text.c_str() + at, nullptr), value) << text;
    }
  }
}

TEST(Log, NumbersHaveNoMoreDigitsThanTheyNeed) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kError, "m",
      {{"a", 12.0}, {"b", 0.05}, {"c", 1200.5}, {"d", 3.000001}, {"e", 2.35f}, {"f", 100000.0}});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              EndsWith("\"a\":12,\"b\":0.05,\"c\":1200.5,\"d\":3.000001,\"e\":2.35,"
                       "\"f\":100000}\n"));
}

TEST(Log, NumbersThatJsonCannotSayAreNull) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kError, "m",
      {{"a", std::numeric_limits<double>::infinity()}, {"b", std::nan("")}, {"c", -1.5}});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              EndsWith("\"a\":null,\"b\":null,\"c\":-1.5}\n"));
}

TEST(Log, TextLinesSayTheSameWithoutQuotesAroundWords) {
  testing::internal::CaptureStderr();
  SetLogFormat(LogFormat::kText);
  Log(LogLevel::kWarning, "Object refused",
      {{"object", "HTTPRoute/default/r"},
       {"error", "spec.rules: got \"x\"\n2026-01-01T00:00:00Z info faked"},
       {"empty", ""},
       {"n", 7},
       {"ok", false}});
  SetLogFormat(LogFormat::kJson);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.substr(std::string("2026-01-02T03:04:05.678901Z").size()),
            " warning Object refused object=HTTPRoute/default/r "
            "error=\"spec.rules: got \\\"x\\\"\\n2026-01-01T00:00:00Z info faked\" "
            "empty=\"\" n=7 ok=false\n");
}

TEST(Log, LevelChangesWhileItRuns) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(log_level(), LogLevel::kInfo);
  Log(LogLevel::kDebug, "hidden");
  SetLogLevel(LogLevel::kDebug);
  Log(LogLevel::kDebug, "shown");
  SetLogLevel(LogLevel::kInfo);
  const std::vector<std::string> lines = Lines(testing::internal::GetCapturedStderr());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], HasSubstr("\"shown\""));
}

TEST(Log, LevelsHaveNames) {
  EXPECT_EQ(LogLevelFromName("Warning"), LogLevel::kWarning);
  EXPECT_EQ(LogLevelFromName(NameOf(LogLevel::kDebug)), LogLevel::kDebug);
  EXPECT_EQ(LogLevelFromName("inof"), std::nullopt);
}

// A death test's child, as the file stays open for good.
TEST(LogDeathTest, FileIsOpenedAnewWhenItWasMovedAway) {
  const std::string path = testing::TempDir() + "penstock_log_test." + std::to_string(getpid());
  const auto text_of = [](const std::string& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto run = [&] {
    if (!SetLogFile(path).ok()) _exit(1);
    InitLog(LogLevel::kInfo);
    Log(LogLevel::kInfo, "one");
    ShutdownLog();
    if (rename(path.c_str(), (path + ".1").c_str()) != 0) _exit(2);
    Log(LogLevel::kInfo, "two");
    if (!ReopenLogFile().ok()) _exit(3);
    Log(LogLevel::kInfo, "three");
    if (SetLogFile("/nowhere/at/all").ok()) _exit(4);
    Log(LogLevel::kInfo, "four");
    _exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
  const std::vector<std::string> old = Lines(text_of(path + ".1"));
  const std::vector<std::string> fresh = Lines(text_of(path));
  ASSERT_EQ(old.size(), 2u);
  ASSERT_EQ(fresh.size(), 2u);
  EXPECT_THAT(old[1], HasSubstr("\"two\""));
  EXPECT_THAT(fresh[0], HasSubstr("\"three\""));
  EXPECT_THAT(fresh[1], HasSubstr("\"four\""));
  unlink(path.c_str());
  unlink((path + ".1").c_str());
}

TEST(Log, LinesBelowTheLeastLevelAreNotWritten) {
  testing::internal::CaptureStderr();
  InitLog(LogLevel::kWarning);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarning));
  Log(LogLevel::kInfo, "hidden");
  Log(LogLevel::kWarning, "shown");
  ShutdownLog();
  const std::vector<std::string> lines = Lines(testing::internal::GetCapturedStderr());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], HasSubstr("\"message\":\"shown\""));
}

TEST(Log, QueuedLinesOfManyThreadsAreAllWrittenByShutdown) {
  constexpr int kThreads = 4;
  constexpr int kLines = 1000;
  testing::internal::CaptureStderr();
  const uint64_t dropped = dropped_log_lines();
  InitLog(LogLevel::kInfo, kThreads * kLines);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < kLines; ++i) Log(LogLevel::kInfo, "m", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  ShutdownLog();
  const std::vector<std::string> lines = Lines(testing::internal::GetCapturedStderr());
  EXPECT_EQ(lines.size(), size_t{kThreads * kLines});
  EXPECT_EQ(dropped_log_lines(), dropped);
  // The lines of one thread keep their order.
  int next[kThreads] = {};
  for (const std::string& line : lines) {
    for (int t = 0; t < kThreads; ++t) {
      const std::string tail =
          "\"thread\":" + std::to_string(t) + ",\"i\":" + std::to_string(next[t]) + "}";
      if (line.ends_with(tail)) ++next[t];
    }
  }
  for (int count : next) EXPECT_EQ(count, kLines);
}

// Puts a pipe that nobody reads in the place of standard error, so that the writer stands still.
class StuckStderr {
 public:
  explicit StuckStderr(bool blocking = true) {
    EXPECT_EQ(pipe(pipe_), 0);
    saved_ = dup(STDERR_FILENO);
    const int flags = fcntl(pipe_[1], F_GETFL);
    EXPECT_EQ(fcntl(pipe_[1], F_SETFL, flags | O_NONBLOCK), 0);
    const std::string block(4096, 'x');
    while (write(pipe_[1], block.data(), block.size()) > 0) filled_ += block.size();
    EXPECT_EQ(fcntl(pipe_[1], F_SETFL, blocking ? flags : flags | O_NONBLOCK), 0);
    EXPECT_EQ(dup2(pipe_[1], STDERR_FILENO), STDERR_FILENO);
    close(pipe_[1]);
  }

  // Reads what comes out until standard error is given back, on a thread of its own.
  void StartReading() {
    reader_ = std::thread([this] {
      char buffer[4096];
      for (ssize_t n; (n = read(pipe_[0], buffer, sizeof(buffer))) > 0;) {
        text_.append(buffer, static_cast<size_t>(n));
      }
    });
  }

  // What was written since construction.
  std::string Restore() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    reader_.join();
    close(pipe_[0]);
    return text_.substr(filled_);
  }

 private:
  int pipe_[2];
  int saved_;
  size_t filled_ = 0;
  std::string text_;
  std::thread reader_;
};

TEST(Log, FullQueueDropsTheOldestLinesAndCountsThem) {
  constexpr int kLogged = 100'000;
  const uint64_t dropped_before = dropped_log_lines();
  StuckStderr stuck;
  InitLog(LogLevel::kInfo, 16);
  for (int i = 0; i < kLogged; ++i) Log(LogLevel::kInfo, "m", {{"i", i}});
  const uint64_t dropped = dropped_log_lines() - dropped_before;
  stuck.StartReading();
  ShutdownLog();
  const std::vector<std::string> lines = Lines(stuck.Restore());
  // The writer holds at most one batch besides the queue.
  EXPECT_GE(dropped, uint64_t{kLogged - 16 - 256});
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines.back(), EndsWith("\"i\":99999}"));
  size_t written = 0;
  size_t told = 0;
  for (const std::string& line : lines) {
    const std::string mark = "\"message\":\"Log lines dropped\",\"lines\":";
    if (const size_t at = line.find(mark); at != std::string::npos) {
      told += std::stoul(line.substr(at + mark.size()));
    } else {
      ++written;
    }
  }
  EXPECT_EQ(written + dropped, size_t{kLogged});
  EXPECT_EQ(told, dropped);
}

TEST(Log, ShutdownLeavesAStandardErrorThatTakesNothing) {
  StuckStderr stuck;
  InitLog(LogLevel::kInfo, 16);
  for (int i = 0; i < 3; ++i) Log(LogLevel::kInfo, "m", {{"i", i}});
  EXPECT_FALSE(ShutdownLog(std::chrono::milliseconds(20)));
  Log(LogLevel::kInfo, "queued, and not waited for");
  EXPECT_FALSE(ShutdownLog(std::chrono::milliseconds(20)));
  stuck.StartReading();
  EXPECT_TRUE(ShutdownLog(std::chrono::minutes(1)));
  EXPECT_EQ(Lines(stuck.Restore()).size(), 4u);
}

TEST(Log, AStandardErrorThatDoesNotBlockLosesNothing) {
  constexpr int kLogged = 3000;  // some times what the pipe holds
  const uint64_t dropped = dropped_log_lines();
  StuckStderr stuck(false);
  InitLog(LogLevel::kInfo, kLogged);
  for (int i = 0; i < kLogged; ++i) Log(LogLevel::kInfo, "m", {{"i", i}});
  stuck.StartReading();
  EXPECT_TRUE(ShutdownLog(std::chrono::minutes(1)));
  const std::vector<std::string> lines = Lines(stuck.Restore());
  ASSERT_EQ(lines.size(), size_t{kLogged});
  for (int i = 0; i < kLogged; ++i) {
    EXPECT_THAT(lines[i], StartsWith("{\"time\":"));
    EXPECT_THAT(lines[i], EndsWith("\"i\":" + std::to_string(i) + "}"));
  }
  EXPECT_EQ(dropped_log_lines(), dropped);
}

TEST(Log, LinesThatNobodyTakesAreCounted) {
  signal(SIGPIPE, SIG_IGN);  // as the gateway does
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int saved = dup(STDERR_FILENO);
  ASSERT_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  close(ends[0]);
  close(ends[1]);
  const uint64_t dropped = dropped_log_lines();
  Log(LogLevel::kInfo, "before the writer runs");
  InitLog(LogLevel::kInfo, 1000);
  for (int i = 0; i < 600; ++i) Log(LogLevel::kInfo, "m", {{"i", i}});
  EXPECT_TRUE(ShutdownLog());
  dup2(saved, STDERR_FILENO);
  close(saved);
  EXPECT_EQ(dropped_log_lines() - dropped, 601u);
}

TEST(Log, LogsSynchronouslyAgainAfterShutdown) {
  InitLog(LogLevel::kInfo);
  EXPECT_TRUE(ShutdownLog());
  EXPECT_TRUE(ShutdownLog());
  testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "late");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("\"message\":\"late\""));
}

TEST(AppendJsonEscaped, EscapesWhatJsonDemandsAndDelete) {
  EXPECT_EQ(Escaped("plain / text"), "plain / text");
  EXPECT_EQ(Escaped("a\"b\\c"), "a\\\"b\\\\c");
  EXPECT_EQ(Escaped("\n\r\t"), "\\n\\r\\t");
  EXPECT_EQ(Escaped(std::string_view("\0\x1f\x7f", 3)), "\\u0000\\u001f\\u007f");
  EXPECT_EQ(Escaped(""), "");
}

TEST(AppendJsonEscaped, KeepsUtf8) {
  EXPECT_EQ(Escaped("\xC3\xBC\xE4\xBD\xA0\xF0\x9F\x98\x80."),
            "\xC3\xBC\xE4\xBD\xA0\xF0\x9F\x98\x80.");
}

TEST(AppendJsonEscaped, ReplacesBytesThatAreNotUtf8) {
  const std::string kReplacement = "\xEF\xBF\xBD";
  EXPECT_EQ(Escaped("a\x80"
                    "b"),
            "a" + kReplacement + "b");                                             // stray tail
  EXPECT_EQ(Escaped("\xC3"), kReplacement);                                        // cut
  EXPECT_EQ(Escaped("\xC0\xAF"), kReplacement + kReplacement);                     // overlong
  EXPECT_EQ(Escaped("\xED\xA0\x80"), kReplacement + kReplacement + kReplacement);  // surrogate
  EXPECT_EQ(Escaped("\xF4\x90\x80\x80").size(), 12u);                              // > U+10FFFF
  EXPECT_EQ(Escaped("\xE4\xBD\"x"), kReplacement + kReplacement + "\\\"x");
}

}  // namespace
}  // namespace gw
