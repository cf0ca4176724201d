// Structured log lines: one JSON object per line, or one line of text, on standard error or in a
// file.
//
//   Log(LogLevel::kInfo, "Configuration published", {{"generation", 7}, {"pools", 2}});
//   {"time":"2026-01-02T03:04:05.678901Z","level":"info","message":"Configuration published",
//    "generation":7,"pools":2}
//   2026-01-02T03:04:05.678901Z info Configuration published generation=7 pools=2
//
// Lines are handed to a writer thread through a bounded queue; when it is full the oldest lines are
// dropped and counted (dropped_log_lines()), so that a slow disk never slows a request. What
// standard error or the file does not take for good (a full disk, a reader that is gone) is
// counted, too. Text from outside is escaped as escape.h says, in both forms. Any thread may log,
// and may call what changes the level, the form or the file. InitLog and ShutdownLog belong to
// main().
//
// The queue is ours because it is cheaper than spdlog's: the line of a request costs its thread
// 0.5 us of CPU to format and 0.1 to queue, where spdlog 1.10 with an asynchronous logger that
// drops the oldest lines, given the same line, takes 0.6 to 0.8 (log_benchmark.cc; spdlog copies
// the line into memory of its own and wakes its thread for each one).

#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/escape.h"
#include "base/status.h"

namespace gw {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
std::string_view NameOf(LogLevel level);  // "debug", "info", "warning", "error"
// The level of that name, in letters of either case.
std::optional<LogLevel> LogLevelFromName(std::string_view name);

enum class LogFormat { kJson, kText };

// A value of a log field: text, integer, floating point number or truth value. Its name needs no
// escaping.
struct LogField {
  enum class Kind { kText, kInteger, kNumber, kFloat, kBool };
  LogField(std::string_view n, std::string_view v) : name(n), kind(Kind::kText), text(v) {}
  LogField(std::string_view n, const char* v) : name(n), kind(Kind::kText), text(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), kind(Kind::kText), text(v) {}
  LogField(std::string_view n, int v) : name(n), kind(Kind::kInteger), integer(v) {}
  LogField(std::string_view n, long v) : name(n), kind(Kind::kInteger), integer(v) {}
  LogField(std::string_view n, long long v) : name(n), kind(Kind::kInteger), integer(v) {}
  LogField(std::string_view n, unsigned v) : name(n), kind(Kind::kInteger), integer(v) {}
  LogField(std::string_view n, unsigned long v)
      : name(n), kind(Kind::kInteger), integer(static_cast<int64_t>(v)) {}
  LogField(std::string_view n, double v) : name(n), kind(Kind::kNumber), number(v) {}
  // As few digits as tell it from other floats.
  LogField(std::string_view n, float v) : name(n), kind(Kind::kFloat), number(v) {}
  LogField(std::string_view n, bool v) : name(n), kind(Kind::kBool), integer(v) {}

  std::string_view name;
  Kind kind;
  std::string_view text;
  int64_t integer = 0;
  double number = 0;
};

// Starts the writer thread. `queue_lines` bounds the queue. Before InitLog (and in tests) lines are
// written synchronously.
void InitLog(LogLevel least, size_t queue_lines = 8192);
// Writes what is queued and stops the writer thread. False if standard error took nothing for
// `patience`: a pipe that nobody reads does not keep a process from ending. What is queued is then
// left, and so is the thread; a later call waits for it again.
bool ShutdownLog(std::chrono::nanoseconds patience = std::chrono::seconds(2));

void SetLogLevel(LogLevel least);
LogLevel log_level();
void SetLogFormat(LogFormat format);
// From here on lines go to the end of that file, which is made if it is not there.
absl::Status SetLogFile(const std::string& path);
// Opens the file of that name again, after somebody has moved it away. If that fails, lines go on
// into the old one. OK and nothing done without a file.
absl::Status ReopenLogFile();

bool LogEnabled(LogLevel level);
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
// For a line whose number of fields is known only at run time.
void LogLine(LogLevel level, std::string_view message, const LogField* fields, size_t count);

uint64_t dropped_log_lines();

}  // namespace gw
