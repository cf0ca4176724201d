#include "server/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace gw {
namespace {

// More is none of ours: thousands of releases with all that they have done.
constexpr size_t kBytesMax = 256u << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Failed(std::string_view what, const std::string& path) {
  return absl::UnavailableError(fmt::format("{} {}: {}", what, path, strerror(errno)));
}

absl::Status WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("cannot write", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd) != 0) return Failed("cannot write", path);
  return absl::OkStatus();
}

absl::Status NoRegularFile(const std::string& path) {
  return absl::InvalidArgumentError(
      fmt::format("{} is no regular file: --release-state wants one, or \"\" for none", path));
}

// Behind symbolic links. What is not there yet may become one.
bool IsRegularOrNone(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

void MakeFolderOf(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;  // what is wrong with the folder the next call says
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
}

// FNV-1a: the same name in the next process.
uint64_t HashOf(std::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

}  // namespace

std::string DefaultStateFile(const std::vector<std::string>& config_paths) {
  namespace fs = std::filesystem;
  const auto variable = [](const char* name) {
    const char* const value = getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  fs::path folder;
  if (const std::string state = variable("STATE_DIRECTORY"); !state.empty()) {
    folder = state.substr(0, state.find(':'));
  } else if (const std::string xdg = variable("XDG_STATE_HOME"); !xdg.empty()) {
    folder = fs::path(xdg) / "penstock";
  } else if (const std::string home = variable("HOME"); !home.empty()) {
    folder = fs::path(home) / ".local/state/penstock";
  } else {
    return "";
  }
  std::vector<std::string> paths;
  for (const std::string& path : config_paths) {
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(path, error);
    paths.push_back(error ? path : whole.string());
  }
  std::sort(paths.begin(), paths.end());
  std::string all;
  for (const std::string& path : paths) all += path + "\n";
  return (folder / fmt::format("releases-{:016x}.json", HashOf(all))).string();
}

absl::StatusOr<std::string> StateFile::Read() const {
  if (path_.empty()) return "";
  if (!IsRegularOrNone(path_)) return NoRegularFile(path_);
  const Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && (errno == ENOENT || errno == ENOTDIR)) return "";
  if (file.get() < 0) return Failed("cannot read", path_);
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("cannot read", path_);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kBytesMax) {
      return absl::InvalidArgumentError(
          fmt::format("{} is larger than {} bytes: it is no state of a gateway", path_, kBytesMax));
    }
  }
}

absl::Status StateFile::Write(std::string_view text) const {
  if (path_.empty()) return absl::OkStatus();
  if (!IsRegularOrNone(path_)) return NoRegularFile(path_);
  MakeFolderOf(path_);
  // A link stays one.
  std::error_code error;
  const std::filesystem::path behind = std::filesystem::canonical(path_, error);
  const std::string path = error ? path_ : behind.string();
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const std::string next = path + ".new";
  {
    const Descriptor file(open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return Failed("cannot write", next);
    RETURN_IF_ERROR(WriteAll(file.get(), text, next));
  }
  if (rename(next.c_str(), path.c_str()) != 0) return Failed("cannot replace", path);
  // Or a power failure may undo the rename.
  const Descriptor parent(
      open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() >= 0) fsync(parent.get());
  return absl::OkStatus();
}

bool StateFile::Lock() {
  if (path_.empty() || lock_ >= 0) return true;
  MakeFolderOf(path_);
  const int fd = open((path_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return true;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    lock_ = fd;
    return true;
  }
  const bool taken = errno == EWOULDBLOCK;
  close(fd);
  return !taken;
}

void StateFile::Unlock() {
  if (lock_ >= 0) close(lock_);
  lock_ = -1;
}

}  // namespace gw
