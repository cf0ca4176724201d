#include "config/file/watch_places.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <deque>

#include "config/file/files.h"

namespace gw::config {
namespace {

constexpr int kLinksMax = 40;  // as the kernel follows

using Places = std::map<std::string, WatchPlace>;

void PushComponents(std::string_view path, std::deque<std::string>* components) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  components->insert(components->begin(), parts.begin(), parts.end());
}

std::string Join(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

std::string WorkingDirectory() {
  char buffer[PATH_MAX];
  return getcwd(buffer, sizeof(buffer)) != nullptr ? buffer : "/";
}

// Walks a path as the kernel does and notes every link on the way, the last component, and the
// place where a missing component would appear.
void AddPath(const std::string& path, Places* places) {
  std::deque<std::string> todo;
  PushComponents(path, &todo);
  if (!path.starts_with('/')) PushComponents(WorkingDirectory(), &todo);
  std::string at = "/";
  int links = 0;
  while (!todo.empty()) {
    const std::string name = std::move(todo.front());
    todo.pop_front();
    if (name == "..") {
      at.resize(std::max<size_t>(1, at.rfind('/')));
      continue;
    }
    const std::string next = Join(at, name);
    struct stat info;
    const bool missing = lstat(next.c_str(), &info) != 0;
    const bool link = !missing && S_ISLNK(info.st_mode);
    if (missing || link || todo.empty()) (*places)[at].names.insert(name);
    if (missing) return;
    if (!link) {
      at = next;
      continue;
    }
    char target[PATH_MAX];
    const ssize_t length = readlink(next.c_str(), target, sizeof(target));
    if (length <= 0 || ++links > kLinksMax) return;
    const std::string_view text(target, static_cast<size_t>(length));
    PushComponents(text, &todo);
    if (text.front() == '/') at.resize(1);
  }
  struct stat info;
  if (lstat(at.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) (*places)[at].configuration = true;
}

}  // namespace

bool WatchPlace::Matters(std::string_view name, bool folder) const {
  const bool looked_for = folder ? !IsTemporaryName(name) : IsConfigName(name);
  return (configuration && looked_for) || names.contains(std::string(name));
}

Places PlacesToWatch(const std::vector<std::string>& paths, const FileLimits& limits) {
  Places places;
  for (const std::string& path : paths) AddPath(path, &places);
  const FileList list = ListFiles(paths, limits);
  for (const std::string& folder : list.folders) AddPath(folder, &places);
  for (const std::string& file : list.files) {
    struct stat info;
    if (lstat(file.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) AddPath(file, &places);
  }
  return places;
}

}  // namespace gw::config
