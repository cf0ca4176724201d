#include "config/file/inotify.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace gw::config {
namespace {

constexpr uint32_t kEvents = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE |
                             IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
                             IN_ONLYDIR;

}  // namespace

Inotify::Inotify() : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (fd_ < 0) {
    Log(LogLevel::kWarning, "No inotify: changed files are found by polling only",
        {{"error", std::strerror(errno)}});
  }
}

Inotify::~Inotify() {
  if (fd_ >= 0) close(fd_);
}

bool Inotify::Watch(const std::map<std::string, WatchPlace>& places) {
  if (fd_ < 0) return false;
  std::map<int, WatchPlace> next;
  bool news = false;
  for (const auto& [directory, place] : places) {
    const int watch = inotify_add_watch(fd_, directory.c_str(), kEvents);
    if (watch < 0) {
      // A directory may be gone again, or not be ours to read; polling still sees its files.
      Log(LogLevel::kDebug, "A directory cannot be watched",
          {{"directory", directory}, {"error", std::strerror(errno)}});
      continue;
    }
    news |= !watched_.contains(watch);
    WatchPlace& merged = next[watch];
    merged.configuration |= place.configuration;
    merged.names.insert(place.names.begin(), place.names.end());
  }
  for (const auto& [watch, place] : watched_) {
    if (!next.contains(watch)) inotify_rm_watch(fd_, watch);
  }
  watched_ = std::move(next);
  std::erase_if(writing_, [this](const auto& file) { return !watched_.contains(file.first); });
  return news;
}

bool Inotify::Drain() {
  alignas(inotify_event) char events[16 << 10];
  bool matters = false;
  while (true) {
    const ssize_t size = read(fd_, events, sizeof(events));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return matters;
    matters |= TakeEvents(events, static_cast<size_t>(size));
  }
}

bool Inotify::TakeEvents(const char* events, size_t size) {
  bool matters = false;
  for (size_t at = 0; at + sizeof(inotify_event) <= size;) {
    inotify_event event;
    std::memcpy(&event, events + at, sizeof(event));
    const char* name = events + at + sizeof(event);
    at += sizeof(event) + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      matters = true;
      writing_.clear();  // its end may be among what is lost
    }
    const auto watched = watched_.find(event.wd);
    if (watched == watched_.end()) continue;
    const bool folder = (event.mask & IN_ISDIR) != 0;
    if (event.len == 0 || watched->second.Matters(name, folder)) {
      matters = true;
      if (event.len > 0 && !folder) NoteWriting(event.wd, event.mask, name);
    }
    if ((event.mask & IN_IGNORED) != 0) watched_.erase(watched);
  }
  return matters;
}

void Inotify::NoteWriting(int watch, uint32_t mask, const char* name) {
  if ((mask & IN_MODIFY) != 0) {
    writing_.emplace(watch, name);
  } else if ((mask & (IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0) {
    writing_.erase({watch, name});
  }
}

}  // namespace gw::config
