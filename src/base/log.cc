#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <ctime>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread_name.h"

namespace gw {
namespace {

// After a batch the writer rests this long (unless the queue is half full), so that a busy gateway
// pays for a wake-up per rest and not per line.
constexpr auto kRest = std::chrono::milliseconds(10);
constexpr size_t kBatchLines = 256;
// A buffer that one huge line has grown is not kept.
constexpr size_t kKeptLineBytes = 4096;

std::atomic<int> output_fd{STDERR_FILENO};
std::atomic<LogFormat> line_format{LogFormat::kJson};

// What is left of `text` when the output takes no more of it for good; empty if all is written.
std::string_view WriteAll(std::string_view text) {
  while (!text.empty()) {
    const int fd = output_fd.load(std::memory_order_relaxed);
    const ssize_t n = write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      // Whoever shares the pipe or terminal with us may have made it non-blocking.
      pollfd wanted{fd, POLLOUT, 0};
      poll(&wanted, 1, -1);
    } else if (n == 0 || errno != EINTR) {
      return text;
    }
  }
  return text;
}

template <typename Number>
void AppendNumber(std::string* out, Number value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  out->append(digits, end);
}

// Times in milliseconds are whole nanoseconds and counts are whole: written as integers they take a
// fourth of the time that the shortest digits of any double take. False if `value` is not of that
// kind.
bool AppendMillionths(std::string* out, double value) {
  constexpr int64_t kMillion = 1'000'000;
  constexpr double kMost = 1e9;  // with six digits behind the point it is told from its neighbours
  if (value < 0 || value > kMost) return false;
  const auto scaled = static_cast<int64_t>(value * kMillion + 0.5);
  if (static_cast<double>(scaled) / kMillion != value) return false;
  AppendNumber(out, scaled / kMillion);
  auto fraction = scaled % kMillion;
  if (fraction == 0) return true;
  char digits[] = ".000000";
  for (int i = 6; i > 0; --i, fraction /= 10) digits[i] = static_cast<char>('0' + fraction % 10);
  size_t length = 7;
  while (digits[length - 1] == '0') --length;
  out->append(digits, length);
  return true;
}

void AppendPadded(std::string* out, int64_t value, int width) {
  char digits[20];
  for (int i = width - 1; i >= 0; --i, value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out->append(digits, static_cast<size_t>(width));
}

// "2026-01-02T03:04:05.678901Z"
void AppendTime(std::string* out, int64_t unix_nanos) {
  // The calendar is asked once per second and thread.
  thread_local int64_t known_second = -1;
  thread_local std::array<char, 32> known_text;
  thread_local size_t known_bytes = 0;
  const int64_t second = unix_nanos / 1'000'000'000;
  if (second != known_second) {
    const auto time = static_cast<time_t>(second);
    tm utc{};
    gmtime_r(&time, &utc);
    known_bytes = std::strftime(known_text.data(), known_text.size(), "%Y-%m-%dT%H:%M:%S.", &utc);
    known_second = second;
  }
  out->append(known_text.data(), known_bytes);
  AppendPadded(out, unix_nanos % 1'000'000'000 / 1000, 6);
  out->push_back('Z');
}

void AppendQuoted(std::string* out, std::string_view text) {
  out->push_back('"');
  AppendJsonEscaped(out, text);
  out->push_back('"');
}

void AppendValue(std::string* out, const LogField& field) {
  switch (field.kind) {
    case LogField::Kind::kText:
      AppendQuoted(out, field.text);
      return;
    case LogField::Kind::kInteger:
      AppendNumber(out, field.integer);
      return;
    case LogField::Kind::kNumber:
    case LogField::Kind::kFloat:
      // JSON has no word for infinity and not-a-number.
      if (!std::isfinite(field.number)) {
        out->append("null");
      } else if (field.kind == LogField::Kind::kFloat) {
        AppendNumber(out, static_cast<float>(field.number));
      } else if (!AppendMillionths(out, field.number)) {
        AppendNumber(out, field.number);
      }
      return;
    case LogField::Kind::kBool:
      out->append(field.integer != 0 ? "true" : "false");
      return;
  }
}

// A word that needs no quotes in a line of text.
bool IsWord(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
}

void AppendField(std::string* out, LogFormat format, const LogField& field) {
  if (format == LogFormat::kText) {
    out->append(" ").append(field.name).push_back('=');
    if (field.kind == LogField::Kind::kText && IsWord(field.text)) {
      out->append(field.text);
      return;
    }
  } else {
    out->append(",\"").append(field.name).append("\":");
  }
  AppendValue(out, field);
}

// {"time":"...","level":"...","message":"..." or its like in text, and nothing after it
void BeginLine(std::string* line, LogFormat format, LogLevel level, std::string_view message) {
  if (format == LogFormat::kText) {
    AppendTime(line, RealClock().UnixNanos());
    line->append(" ").append(NameOf(level)).push_back(' ');
    AppendPrintable(line, message);
    return;
  }
  line->append(R"({"time":")");
  AppendTime(line, RealClock().UnixNanos());
  line->append(R"(","level":")");
  line->append(NameOf(level));
  line->append(R"(","message":)");
  AppendQuoted(line, message);
}

std::string_view EndOfLine(LogFormat format) { return format == LogFormat::kText ? "\n" : "}\n"; }

// Which file lines go to. The descriptor stays and is pointed at another file, so that a line that
// is being written goes to the one or to the other.
Mutex file_mutex;
std::string file_path ABSL_GUARDED_BY(file_mutex);  // empty: standard error

absl::Status PointOutputAt(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  const int now = output_fd.load();
  if (now == STDERR_FILENO) {
    output_fd.store(fd);
    return absl::OkStatus();
  }
  const bool pointed = dup3(fd, now, O_CLOEXEC) >= 0;
  const int error = errno;
  close(fd);
  return pointed ? absl::OkStatus() : absl::ErrnoToStatus(error, path);
}

// The lines on their way to standard error, and the thread that writes them.
class LogQueue {
 public:
  void Start(size_t capacity) {
    const MutexLock lock(mutex_);
    CHECK(!running_);
    lines_.resize(capacity);
    running_ = true;
    stopping_ = false;
    // Signals are for the thread that waits for them: one that this thread took would end the
    // process.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    writer_ = std::thread([this] {
      NameThread("log");
      WriteLines();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  // True once everything queued is written; false if the writer stands still for `patience`.
  bool Stop(std::chrono::nanoseconds patience) {
    {
      const MutexLock lock(mutex_);
      if (!writer_.joinable()) return true;
      stopping_ = true;
      wake_.notify_one();
      while (running_) {
        const uint64_t before = batches_;
        const auto deadline = RealClock().Now() + patience;
        while (running_ && batches_ == before) {
          if (!mutex_.WaitUntil(moved_, deadline) && running_ && batches_ == before) return false;
        }
      }
    }
    writer_.join();
    return true;
  }

  // Takes the text of `line` and leaves an empty string with the room of a former line in its
  // place. False, and nothing taken, if no writer runs.
  bool Push(std::string* line) {
    bool wake;
    {
      const MutexLock lock(mutex_);
      if (!running_) return false;
      if (count_ == lines_.size()) {
        first_ = (first_ + 1) % lines_.size();
        --count_;
        dropped_.fetch_add(1, std::memory_order_relaxed);
      }
      lines_[(first_ + count_) % lines_.size()].swap(*line);
      ++count_;
      wake = idle_ || count_ == lines_.size() / 2;
      idle_ = false;
    }
    line->clear();
    if (wake) wake_.notify_one();
    return true;
  }

  void CountDropped(uint64_t lines) { dropped_.fetch_add(lines, std::memory_order_relaxed); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void WriteLines() {
    std::vector<std::string> batch(kBatchLines);
    std::string text;
    mutex_.Lock();
    for (;;) {
      idle_ = true;
      while (count_ == 0 && !stopping_) mutex_.Wait(wake_);
      idle_ = false;
      while (count_ > 0) {
        const size_t n = TakeBatch(&batch);
        mutex_.Unlock();
        WriteBatch(batch, n, &text);
        mutex_.Lock();
        ++batches_;
        if (stopping_) moved_.notify_all();
      }
      if (stopping_) break;
      const auto deadline = RealClock().Now() + kRest;
      while (count_ < lines_.size() / 2 && !stopping_ && mutex_.WaitUntil(wake_, deadline)) {
      }
    }
    running_ = false;
    moved_.notify_all();
    mutex_.Unlock();
  }

  size_t TakeBatch(std::vector<std::string>* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    size_t n = 0;
    for (; n < batch->size() && count_ > 0; ++n) {
      (*batch)[n].swap(lines_[first_]);
      first_ = (first_ + 1) % lines_.size();
      --count_;
    }
    return n;
  }

  void WriteBatch(std::vector<std::string>& batch, size_t n, std::string* text) {
    text->clear();
    // The rest of a line whose beginning was written: the next one is not to be taken for it.
    if (line_cut_) text->push_back('\n');
    const uint64_t lost = dropped() - dropped_told_;
    if (lost > 0) {
      const LogFormat format = line_format.load(std::memory_order_relaxed);
      BeginLine(text, format, LogLevel::kWarning, "Log lines dropped");
      AppendField(text, format, {"lines", static_cast<unsigned long>(lost)});
      text->append(EndOfLine(format));
    }
    for (size_t i = 0; i < n; ++i) {
      text->append(batch[i]);
      if (batch[i].capacity() > kKeptLineBytes) batch[i] = std::string();
      batch[i].clear();
    }
    const std::string_view rest = WriteAll(*text);
    const size_t written = text->size() - rest.size();
    line_cut_ = written > 0 ? (*text)[written - 1] != '\n' : line_cut_;
    // Lines of this batch stand at the end. What told of lines lost before is told again if it did
    // not get through.
    const auto lines_left = static_cast<size_t>(std::count(rest.begin(), rest.end(), '\n'));
    if (lines_left > n) {
      CountDropped(n);
    } else {
      dropped_told_ += lost;
      CountDropped(lines_left);
    }
  }

  Mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable moved_;  // a batch was written, or the writer has ended
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);  // a ring
  size_t first_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;  // the writer waits for the next line, however long
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t batches_ ABSL_GUARDED_BY(mutex_) = 0;  // written
  std::atomic<uint64_t> dropped_{0};
  uint64_t dropped_told_ = 0;  // the writer's, as is the next
  bool line_cut_ = false;
  std::thread writer_;
};

// Never destroyed: other threads may log while the process ends.
LogQueue& Queue() {
  static LogQueue* const queue = new LogQueue;
  return *queue;
}

std::atomic<LogLevel> least_level{LogLevel::kInfo};

}  // namespace

std::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::optional<LogLevel> LogLevelFromName(std::string_view name) {
  for (LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    const std::string_view own = NameOf(level);
    if (absl::EqualsIgnoreCase({own.data(), own.size()}, {name.data(), name.size()})) return level;
  }
  return std::nullopt;
}

void SetLogLevel(LogLevel least) { least_level.store(least); }

LogLevel log_level() { return least_level.load(); }

void SetLogFormat(LogFormat format) { line_format.store(format); }

absl::Status SetLogFile(const std::string& path) {
  const MutexLock lock(file_mutex);
  RETURN_IF_ERROR(PointOutputAt(path));
  file_path = path;
  return absl::OkStatus();
}

absl::Status ReopenLogFile() {
  const MutexLock lock(file_mutex);
  return file_path.empty() ? absl::OkStatus() : PointOutputAt(file_path);
}

void InitLog(LogLevel least, size_t queue_lines) {
  CHECK(queue_lines >= 2);
  least_level.store(least);
  Queue().Start(queue_lines);
}

bool ShutdownLog(std::chrono::nanoseconds patience) { return Queue().Stop(patience); }

bool LogEnabled(LogLevel level) { return level >= least_level.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  LogLine(level, message, fields.begin(), fields.size());
}

void LogLine(LogLevel level, std::string_view message, const LogField* fields, size_t count) {
  if (!LogEnabled(level)) return;
  thread_local std::string line;
  line.clear();
  const LogFormat format = line_format.load(std::memory_order_relaxed);
  BeginLine(&line, format, level, message);
  for (size_t i = 0; i < count; ++i) AppendField(&line, format, fields[i]);
  line.append(EndOfLine(format));
  if (!Queue().Push(&line) && !WriteAll(line).empty()) Queue().CountDropped(1);
}

uint64_t dropped_log_lines() { return Queue().dropped(); }

}  // namespace gw
