// Structured log lines: one JSON object per line on standard error.
//
//   Log(LogLevel::kInfo, "Configuration published", {{"generation", 7}, {"pools", 2}});
//   {"time":"2026-01-02T03:04:05.678901Z","level":"info","message":"Configuration published",
//    "generation":7,"pools":2}
//
// Lines are handed to a writer thread through a bounded queue; when it is full the oldest lines are
// dropped and counted (dropped_log_lines()), so that a slow disk never slows a request. What
// standard error does not take for good (a full disk, a reader that is gone) is counted, too.
// Any thread may log. InitLog and ShutdownLog belong to main().

#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace gw {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A value of a log field: text, integer, floating point number or truth value.
struct LogField {
  enum class Kind { kText, kInteger, kNumber, kBool };
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

bool LogEnabled(LogLevel level);
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
// For a line whose number of fields is known only at run time.
void LogLine(LogLevel level, std::string_view message, const LogField* fields, size_t count);

uint64_t dropped_log_lines();

// Appends `text` as the inside of a JSON string (no quotes around it).
void AppendJsonEscaped(std::string* out, std::string_view text);

}  // namespace gw
