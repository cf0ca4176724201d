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

// The names in a directory that configuration may stand under, sorted.
std::string ListDirectory(const std::string& path, std::vector<std::string>* names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
  if (!dir) return path + ": cannot list: " + std::strerror(errno);
  while (true) {
    errno = 0;
    const dirent* entry = readdir(dir.get());
    if (entry == nullptr) break;
    if (IsConfigName(entry->d_name)) names->emplace_back(entry->d_name);
  }
  if (errno != 0) return path + ": cannot list: " + std::strerror(errno);
  std::sort(names->begin(), names->end());
  return "";
}

using FileId = std::pair<dev_t, ino_t>;

// Adds a file unless it was reached by another path already: one object read twice is no mistake of
// the user when a directory and a file in it are both named.
void AddFile(const std::string& path, const struct stat& info, std::set<FileId>* seen,
             FileList* out) {
  if (seen->insert({info.st_dev, info.st_ino}).second) out->files.push_back(path);
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
  FileList out;
  std::set<FileId> seen;
  for (const std::string& path : paths) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      out.errors.push_back(path + ": cannot read: " + std::strerror(errno));
      continue;
    }
    if (!S_ISDIR(info.st_mode)) {
      AddFile(path, info, &seen, &out);
      continue;
    }
    std::vector<std::string> names;
    std::string error = ListDirectory(path, &names);
    if (!error.empty()) out.errors.push_back(std::move(error));
    const std::string prefix = path.ends_with('/') ? path : path + "/";
    for (const std::string& name : names) {
      const std::string file = prefix + name;
      if (stat(file.c_str(), &info) != 0) {
        out.errors.push_back(file + ": cannot read: " + std::strerror(errno));
      } else if (S_ISREG(info.st_mode)) {
        AddFile(file, info, &seen, &out);
      }
    }
  }
  if (out.files.size() > limits.files_max) {
    out.errors.push_back("more than " + std::to_string(limits.files_max) + " files (files_max)");
    out.files.resize(limits.files_max);
  }
  return out;
}

std::string ReadFile(const std::string& path, size_t bytes_max, std::string* content) {
  // Not blocking, so that a FIFO put in place of a file cannot hold the reader.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return path + ": cannot read: " + std::strerror(errno);
  std::string error;
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) error = path + ": is not a regular file";
  content->clear();
  while (error.empty()) {
    const size_t before = content->size();
    content->resize(before + kReadBytes);
    const ssize_t got = read(fd, content->data() + before, kReadBytes);
    content->resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = path + ": cannot read: " + std::strerror(errno);
    if (got == 0) break;
    if (content->size() > bytes_max) {
      error = path + ": larger than " + std::to_string(bytes_max) + " bytes (file_bytes_max)";
    }
  }
  close(fd);
  return error;
}

}  // namespace gw::config
