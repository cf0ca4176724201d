#include "config/file/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

namespace gw::config {
namespace {

constexpr size_t kReadBytes = 64u << 10;

// The names in a directory that are not temporary.
std::string ListDirectory(const std::string& path, std::vector<std::string>* names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
  if (!dir) return path + ": cannot list: " + std::strerror(errno);
  while (true) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr) break;
    if (!IsTemporaryName(entry->d_name)) names->emplace_back(entry->d_name);
  }
  if (errno != 0) return path + ": cannot list: " + std::strerror(errno);
  return "";
}

// "qwen" of "qwen.yaml".
std::string_view Stem(std::string_view name) { return name.substr(0, name.rfind('.')); }

using FileId = std::pair<dev_t, ino_t>;

// Walks one path after the other.
class Lister {
 public:
  explicit Lister(const FileLimits& limits) : limits_(limits) {}

  void AddPath(const std::string& path);
  FileList Take();

 private:
  void AddFolder(const std::string& path, const struct stat& info);
  // Unless it was reached by another path already: one object read twice is no mistake of the user
  // when a directory and a file in it are both named.
  void AddFile(const std::string& path, const struct stat& info) {
    if (seen_.insert({info.st_dev, info.st_ino}).second) out_.files.push_back(path);
  }
  void Fail(const std::string& path, const std::string& message) {
    out_.errors.push_back({path, message});
  }
  void FailLimit(const char* name, size_t limit, const char* what);

  const FileLimits& limits_;
  std::set<FileId> seen_;  // folders too: a link may lead to one above it
  FileList out_;
};

void Lister::AddPath(const std::string& path) {
  struct stat info;
  if (path == "-") {
    if (std::find(out_.files.begin(), out_.files.end(), path) == out_.files.end()) {
      out_.files.push_back(path);
    }
  } else if (stat(path.c_str(), &info) != 0) {
    Fail(path, path + ": cannot read: " + std::strerror(errno));
  } else if (S_ISDIR(info.st_mode)) {
    AddFolder(path, info);
  } else {
    AddFile(path, info);
  }
}

void Lister::AddFolder(const std::string& path, const struct stat& info) {
  if (!seen_.insert({info.st_dev, info.st_ino}).second) return;
  if (out_.folders.size() >= limits_.folders_max) return;  // said in Take
  std::string folder = path;
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  out_.folders.push_back(folder);
  std::vector<std::string> names;
  std::string error = ListDirectory(folder, &names);
  if (!error.empty()) Fail(folder, error);
  std::sort(names.begin(), names.end(), [](std::string_view a, std::string_view b) {
    return std::make_pair(Stem(a), a) < std::make_pair(Stem(b), b);
  });
  std::vector<std::pair<std::string, struct stat>> below;
  for (const std::string& name : names) {
    const std::string at = folder == "/" ? folder + name : folder + "/" + name;
    struct stat entry;
    if (stat(at.c_str(), &entry) != 0) {
      if (IsConfigName(name)) Fail(at, at + ": cannot read: " + std::strerror(errno));
    } else if (S_ISDIR(entry.st_mode)) {
      below.emplace_back(at, entry);
    } else if (IsConfigName(name)) {
      AddFile(at, entry);
    }
  }
  for (const auto& [at, entry] : below) AddFolder(at, entry);
}

void Lister::FailLimit(const char* name, size_t limit, const char* what) {
  out_.limits.emplace_back(name);
  Fail("", "more than " + std::to_string(limit) + " " + what + " (limit " + name + ")");
}

FileList Lister::Take() {
  if (out_.folders.size() >= limits_.folders_max) {
    FailLimit("config_folders", limits_.folders_max - 1, "folders");
  }
  if (out_.files.size() > limits_.files_max) {
    FailLimit("config_files", limits_.files_max, "files");
    out_.files.resize(limits_.files_max);
  }
  return std::move(out_);
}

}  // namespace

bool IsTemporaryName(std::string_view name) {
  return name.empty() || name.front() == '.' || name.front() == '#' || name.back() == '~' ||
         name.ends_with(".swp") || name.ends_with(".swx") || name.ends_with(".tmp") ||
         name == "4913";
}

bool IsConfigName(std::string_view name) {
  return !IsTemporaryName(name) &&
         (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

FileList ListFiles(const std::vector<std::string>& paths, const FileLimits& limits) {
  Lister lister(limits);
  for (const std::string& path : paths) lister.AddPath(path);
  return lister.Take();
}

std::string ReadFile(const std::string& path, size_t bytes_max, std::string* content) {
  content->clear();
  const bool standard_input = path == "-";
  struct stat info;
  // Looked at before it is opened, as opening a device may do something; opened without blocking,
  // in case a FIFO takes its place in between.
  if (!standard_input && stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return path + ": is not a regular file (-f - reads standard input)";
  }
  const int fd = standard_input ? dup(STDIN_FILENO)
                                : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return path + ": cannot read: " + std::strerror(errno);
  std::string error;
  if (!standard_input && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))) {
    error = path + ": is not a regular file (-f - reads standard input)";
  }
  while (error.empty()) {
    const size_t before = content->size();
    content->resize(before + kReadBytes);
    const ssize_t got = read(fd, content->data() + before, kReadBytes);
    content->resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = path + ": cannot read: " + std::strerror(errno);
    if (got == 0) break;
    if (content->size() > bytes_max) {
      error =
          path + ": larger than " + std::to_string(bytes_max) + " bytes (limit config_file_bytes)";
    }
  }
  close(fd);
  return error;
}

}  // namespace gw::config
