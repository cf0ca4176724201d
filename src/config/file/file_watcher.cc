#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "config/file/debounce.h"
#include "config/file/file_source.h"
#include "config/file/files.h"
#include "config/file/inotify.h"
#include "config/file/load.h"
#include "config/file/watch_places.h"

namespace gw::config {
namespace {

// Where no events come, files are looked at this often at least.
constexpr std::chrono::milliseconds kPollWithoutEvents{500};

// What a look at the files without reading them tells. The change time is set by the kernel, so
// that even a file with its old size and modification time is seen to be another one.
using FileSignature = std::tuple<std::string, dev_t, ino_t, off_t, int64_t, int64_t>;
using Signature = std::pair<std::vector<FileSignature>, std::vector<std::string>>;

int64_t Nanos(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

Signature Look(const std::vector<std::string>& paths, const FileLimits& limits) {
  Signature signature;
  FileList list = ListFiles(paths, limits);
  signature.second = std::move(list.errors);
  for (std::string& file : list.files) {
    struct stat info{};
    if (stat(file.c_str(), &info) != 0) info = {};
    signature.first.emplace_back(std::move(file), info.st_dev, info.st_ino, info.st_size,
                                 Nanos(info.st_mtim), Nanos(info.st_ctim));
  }
  return signature;
}

class FileWatcherImpl final : public FileWatcher {
 public:
  FileWatcherImpl(const std::vector<std::string>& paths, uint64_t hash, Callback on_change,
                  const WatchOptions& options)
      : paths_(paths),
        on_change_(std::move(on_change)),
        options_(options),
        debounce_(options.quiet, options.quiet_max),
        hash_(hash),
        stop_fd_(eventfd(0, EFD_CLOEXEC)) {
    CHECK(stop_fd_ >= 0);
    if (options_.use_inotify) inotify_.emplace();
    if (!inotify_ || inotify_->fd() < 0) {
      poll_interval_ = std::min(options_.poll_interval, kPollWithoutEvents);
    } else {
      poll_interval_ = options_.poll_interval;
    }
    thread_ = std::thread([this] { Run(); });
  }

  ~FileWatcherImpl() override {
    const uint64_t one = 1;
    CHECK(write(stop_fd_, &one, sizeof(one)) == sizeof(one));
    thread_.join();
    close(stop_fd_);
  }

 private:
  void Run();
  void Reload();
  // Waits until something is due; false when it is time to stop.
  bool Wait(TimePoint until);

  const std::vector<std::string> paths_;
  const Callback on_change_;
  const WatchOptions options_;
  Debounce debounce_;
  Duration poll_interval_{};
  std::optional<Inotify> inotify_;
  uint64_t hash_;  // of what was reported last
  Signature seen_;
  const int stop_fd_;
  std::thread thread_;
};

void FileWatcherImpl::Run() {
  // Closes the gap between the caller's load and the first watch.
  if (inotify_) inotify_->Watch(PlacesToWatch(paths_, options_.limits));
  Reload();
  TimePoint next_poll = RealClock().Now() + poll_interval_;
  while (Wait(std::min(next_poll, debounce_.due().value_or(next_poll)))) {
    const TimePoint now = RealClock().Now();
    if (inotify_ && inotify_->fd() >= 0 && inotify_->Drain()) debounce_.Note(now);
    if (now >= next_poll) {
      next_poll = now + poll_interval_;
      if (!debounce_.due() && Look(paths_, options_.limits) != seen_) debounce_.Note(now);
    }
    if (debounce_.due() && now >= *debounce_.due()) {
      debounce_.Clear();
      Reload();
    }
  }
}

void FileWatcherImpl::Reload() {
  // Looked at before it is read: a change in between differs at the next poll.
  seen_ = Look(paths_, options_.limits);
  const LoadResult result = LoadQuietly(paths_, options_.limits);
  if (inotify_ && inotify_->Watch(PlacesToWatch(paths_, options_.limits))) {
    debounce_.Note(RealClock().Now());
  }
  if (result.hash == hash_) return;
  hash_ = result.hash;
  LogSkipped(result);
  on_change_(result);
}

bool FileWatcherImpl::Wait(TimePoint until) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(until - RealClock().Now());
  const auto timeout = std::clamp(left, milliseconds(0), milliseconds(60'000));
  pollfd fds[2] = {{stop_fd_, POLLIN, 0}, {inotify_ ? inotify_->fd() : -1, POLLIN, 0}};
  poll(fds, 2, static_cast<int>(timeout.count()));
  return fds[0].revents == 0;
}

}  // namespace

std::unique_ptr<FileWatcher> FileWatcher::Start(const std::vector<std::string>& paths,
                                                const LoadResult& loaded, Callback on_change,
                                                const WatchOptions& options) {
  return std::make_unique<FileWatcherImpl>(paths, loaded.hash, std::move(on_change), options);
}

}  // namespace gw::config
