#include "server/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace gw {
namespace {

using Sink = MetricRegistry::Sink;

std::string ContentsOf(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The field of that number, from 0, of a line of fields between spaces.
std::optional<uint64_t> NumberAt(std::string_view line, size_t field) {
  const auto skip = [&line](size_t to) { line.remove_prefix(std::min(to, line.size())); };
  skip(line.find_first_not_of(' '));
  for (; field > 0; --field) {
    skip(line.find(' '));
    skip(line.find_first_not_of(' '));
  }
  uint64_t number = 0;
  const auto read = std::from_chars(line.data(), line.data() + line.size(), number);
  if (read.ec != std::errc()) return std::nullopt;
  return number;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A field of /proc/self/statm, which counts pages.
std::optional<double> MemoryBytes(size_t field) {
  const std::optional<uint64_t> pages = NumberAt(ContentsOf("/proc/self/statm"), field);
  if (!pages) return std::nullopt;
  return static_cast<double>(*pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::optional<double> OpenFiles() {
  std::error_code error;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  double count = -1;  // the folder itself is open
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) ++count;
  if (error) return std::nullopt;
  return count;
}

std::optional<double> OpenFilesMax() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

std::optional<double> StartTime() {
  const std::optional<uint64_t> ticks = StartTicks(ContentsOf("/proc/self/stat"));
  const std::optional<uint64_t> boot = BootTime(ContentsOf("/proc/stat"));
  if (!ticks || !boot) return std::nullopt;
  return static_cast<double>(*boot) +
         static_cast<double>(*ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::optional<uint64_t> StartTicks(std::string_view stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  return NumberAt(stat.substr(name_end + 1), 19);
}

std::optional<uint64_t> BootTime(std::string_view stat) {
  const size_t line = stat.find("\nbtime ");
  return line == std::string_view::npos ? std::nullopt : NumberAt(stat.substr(line + 1), 1);
}

void RegisterProcessMetrics(MetricRegistry& metrics) {
  const auto add = [&](const char* name, const char* help, const char* type, auto value) {
    metrics.AddCallback(name, help, type, [value](const Sink& sink) {
      if (const std::optional<double> now = value()) sink({}, *now);
    });
  };
  add("process_cpu_seconds_total", "Processor time of the gateway, user and system.", "counter",
      []() -> std::optional<double> { return CpuSeconds(); });
  add("process_resident_memory_bytes", "Memory of the gateway that is in use.", "gauge",
      [] { return MemoryBytes(1); });
  add("process_virtual_memory_bytes", "Address space of the gateway.", "gauge",
      [] { return MemoryBytes(0); });
  add("process_open_fds", "File descriptors that are open.", "gauge", [] { return OpenFiles(); });
  add("process_max_fds", "File descriptors that may be open.", "gauge",
      [] { return OpenFilesMax(); });
  add("process_start_time_seconds", "When the gateway was started, in seconds since 1970.", "gauge",
      [started = StartTime()] { return started; });
}

}  // namespace gw
