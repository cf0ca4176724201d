// Inotify: the kernel's news of changes in directories.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "config/file/watch_places.h"

namespace gw::config {

// One thread.
class Inotify {
 public:
  Inotify();
  ~Inotify();
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;

  // Readable when there is news; -1 if the kernel gives none (its limits are reached).
  int fd() const { return fd_; }

  // Watches these places and no others. True if one of them was not watched before: what happened
  // there in the meantime is unknown. A place that cannot be watched is left out.
  bool Watch(const std::map<std::string, WatchPlace>& places);

  // Takes all news; true if some of it matters.
  bool Drain();

  // A file that matters was written to and is still open for writing.
  bool writing() const { return !writing_.empty(); }

 private:
  bool TakeEvents(const char* events, size_t size);
  void NoteWriting(int watch, uint32_t mask, const char* name);

  int fd_;
  std::map<int, WatchPlace> watched_;  // by watch descriptor
  std::set<std::pair<int, std::string>> writing_;
};

}  // namespace gw::config
