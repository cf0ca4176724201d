#include "kube/text_source.h"

#include <absl/strings/ascii.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace gw::kube {
namespace {

constexpr size_t kReadBytes = 16u << 10;

absl::Status ReadAll(int fd, const std::string& path, size_t bytes_max, std::string* content) {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(path + ": is not a regular file");
  }
  while (true) {
    const size_t before = content->size();
    content->resize(before + kReadBytes);
    const ssize_t got = read(fd, content->data() + before, kReadBytes);
    const int fault = errno;
    content->resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && fault == EINTR) continue;
    if (got < 0) return absl::UnavailableError(path + ": cannot read: " + std::strerror(fault));
    if (got == 0) return absl::OkStatus();
    if (content->size() > bytes_max) {
      return absl::ResourceExhaustedError(path + ": larger than " + std::to_string(bytes_max) +
                                          " bytes");
    }
  }
}

}  // namespace

absl::StatusOr<std::string> ReadRegularFile(const std::string& path, size_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    const std::string why = path + ": cannot read: " + std::strerror(errno);
    return errno == ENOENT ? absl::NotFoundError(why) : absl::UnavailableError(why);
  }
  std::string content;
  const absl::Status read = ReadAll(fd, path, bytes_max, &content);
  close(fd);
  if (!read.ok()) return read;
  return content;
}

TextSource::TextSource(TextOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

const std::string& TextSource::name() const {
  return options_.text.empty() ? options_.file : options_.name;
}

absl::StatusOr<std::string> TextSource::Get() {
  if (!options_.text.empty() || options_.file.empty()) return options_.text;
  const TimePoint now = clock_.Now();
  if (now < due_) return read_;
  absl::StatusOr<std::string> content = ReadRegularFile(options_.file, kFileBytesMax);
  if (content.ok() && absl::StripAsciiWhitespace(*content).empty()) {
    content = absl::InvalidArgumentError(options_.file + ": is empty");
  }
  if (!content.ok()) {
    if (read_.empty()) return content.status();
    due_ = now + kTryAgain;
    Keep(content.status());
    return read_;
  }
  due_ = now + kReadAgain;
  failing_ = false;
  read_ = *std::move(content);
  return read_;
}

void TextSource::Keep(const absl::Status& fault) {
  if (failing_) return;
  failing_ = true;
  Log(LogLevel::kWarning, "A file for the API server cannot be read; what it said before is used",
      {{"error", std::string(fault.message())}});
}

}  // namespace gw::kube
