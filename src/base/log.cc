#include "base/log.h"

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
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"

namespace gw {
namespace {

// After a batch the writer rests this long (unless the queue is half full), so that a busy gateway
// pays for a wake-up per rest and not per line.
constexpr auto kRest = std::chrono::milliseconds(10);
constexpr size_t kBatchLines = 256;
// A buffer that one huge line has grown is not kept.
constexpr size_t kKeptLineBytes = 4096;

// What is left of `text` when standard error takes no more of it for good; empty if all is written.
std::string_view WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDERR_FILENO, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      // Whoever shares the pipe or terminal with us may have made it non-blocking.
      pollfd wanted{STDERR_FILENO, POLLOUT, 0};
      poll(&wanted, 1, -1);
    } else if (n == 0 || errno != EINTR) {
      return text;
    }
  }
  return text;
}

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

template <typename Number>
void AppendNumber(std::string* out, Number value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  out->append(digits, end);
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

void AppendText(std::string* out, std::string_view text) {
  out->push_back('"');
  AppendJsonEscaped(out, text);
  out->push_back('"');
}

void AppendValue(std::string* out, const LogField& field) {
  switch (field.kind) {
    case LogField::Kind::kText:
      AppendText(out, field.text);
      return;
    case LogField::Kind::kInteger:
      AppendNumber(out, field.integer);
      return;
    case LogField::Kind::kNumber:
      // JSON has no word for infinity and not-a-number.
      if (std::isfinite(field.number)) {
        AppendNumber(out, field.number);
      } else {
        out->append("null");
      }
      return;
    case LogField::Kind::kBool:
      out->append(field.integer != 0 ? "true" : "false");
      return;
  }
}

void AppendField(std::string* out, const LogField& field) {
  out->push_back(',');
  AppendText(out, field.name);
  out->push_back(':');
  AppendValue(out, field);
}

// The bytes of the UTF-8 sequence at the start of `text`, or 0 if it is malformed (RFC 3629).
size_t Utf8SequenceBytes(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xC2 && first <= 0xDF   ? 2
                       : first >= 0xE0 && first <= 0xEF ? 3
                       : first >= 0xF0 && first <= 0xF4 ? 4
                                                        : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if (first == 0xE0 && at(1) < 0xA0) return 0;
  if (first == 0xED && at(1) > 0x9F) return 0;
  if (first == 0xF0 && at(1) < 0x90) return 0;
  if (first == 0xF4 && at(1) > 0x8F) return 0;
  return bytes;
}

void AppendEscapedByte(std::string* out, unsigned char c) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      constexpr char kHex[] = "0123456789abcdef";
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 15]);
  }
}

bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// {"time":"...","level":"...","message":"..." and nothing after it
void BeginLine(std::string* line, LogLevel level, std::string_view message) {
  line->append(R"({"time":")");
  AppendTime(line, RealClock().UnixNanos());
  line->append(R"(","level":")");
  line->append(NameOf(level));
  line->append(R"(","message":)");
  AppendText(line, message);
}

// The lines on their way to standard error, and the thread that writes them.
class LogQueue {
 public:
  void Start(size_t capacity) {
    std::lock_guard lock(mutex_);
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
    writer_ = std::thread([this] { WriteLines(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  // True once everything queued is written; false if the writer stands still for `patience`.
  bool Stop(std::chrono::nanoseconds patience) {
    {
      std::unique_lock lock(mutex_);
      if (!writer_.joinable()) return true;
      stopping_ = true;
      wake_.notify_one();
      while (running_) {
        const uint64_t before = batches_;
        const bool moved =
            moved_.wait_for(lock, patience, [&] { return !running_ || batches_ != before; });
        if (!moved) return false;
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
      std::lock_guard lock(mutex_);
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
    std::unique_lock lock(mutex_);
    for (;;) {
      idle_ = true;
      wake_.wait(lock, [this] { return count_ > 0 || stopping_; });
      idle_ = false;
      while (count_ > 0) {
        const size_t n = TakeBatch(&batch);
        lock.unlock();
        WriteBatch(batch, n, &text);
        lock.lock();
        ++batches_;
        if (stopping_) moved_.notify_all();
      }
      if (stopping_) break;
      wake_.wait_for(lock, kRest, [this] { return count_ >= lines_.size() / 2 || stopping_; });
    }
    running_ = false;
    moved_.notify_all();
  }

  size_t TakeBatch(std::vector<std::string>* batch) {
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
      BeginLine(text, LogLevel::kWarning, "Log lines dropped");
      AppendField(text, {"lines", static_cast<unsigned long>(lost)});
      text->append("}\n");
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

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable moved_;   // a batch was written, or the writer has ended
  std::vector<std::string> lines_;  // a ring; guarded by mutex_, as are the next six
  size_t first_ = 0;
  size_t count_ = 0;
  bool idle_ = false;  // the writer waits for the next line, however long
  bool running_ = false;
  bool stopping_ = false;
  uint64_t batches_ = 0;  // written
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
  BeginLine(&line, level, message);
  for (size_t i = 0; i < count; ++i) AppendField(&line, fields[i]);
  line.append("}\n");
  if (!Queue().Push(&line) && !WriteAll(line).empty()) Queue().CountDropped(1);
}

uint64_t dropped_log_lines() { return Queue().dropped(); }

void AppendJsonEscaped(std::string* out, std::string_view text) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && IsPlain(text[plain])) ++plain;
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    size_t taken = 1;
    if (static_cast<unsigned char>(text[0]) < 0x80) {
      AppendEscapedByte(out, static_cast<unsigned char>(text[0]));
    } else if (const size_t bytes = Utf8SequenceBytes(text); bytes != 0) {
      out->append(text.substr(0, bytes));
      taken = bytes;
    } else {
      out->append("\xEF\xBF\xBD");  // U+FFFD in place of each byte that is not UTF-8
    }
    text.remove_prefix(taken);
  }
}

}  // namespace gw
