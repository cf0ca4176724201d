#include "config/file/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread_name.h"
#include "config/file/debounce.h"
#include "config/file/files.h"
#include "config/file/inotify.h"
#include "config/file/watch_places.h"

namespace gw::config {
namespace {

// Where no events come, files are looked at this often at least.
constexpr std::chrono::milliseconds kPollWithoutEvents{500};

// What a look at the files without reading them tells. The change time is set by the kernel, so
// that even a file with its old size and modification time is seen to be another one.
using FileSignature = std::tuple<std::string, dev_t, ino_t, off_t, int64_t, int64_t>;
using Signature = std::pair<std::vector<FileSignature>, std::string>;

int64_t Nanos(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

Signature Look(const std::vector<std::string>& paths, const FileLimits& limits) {
  Signature signature;
  FileList list = ListFiles(paths, limits);
  for (const SourceError& error : list.errors) signature.second += error.message + "\n";
  for (std::string& file : list.files) {
    struct stat info{};
    if (stat(file.c_str(), &info) != 0) info = {};
    signature.first.emplace_back(std::move(file), info.st_dev, info.st_ino, info.st_size,
                                 Nanos(info.st_mtim), Nanos(info.st_ctim));
  }
  return signature;
}

// The files that have objects which can be served, or have broken ones now in whose place those are
// that were `served` before. A file that cannot be read may be any of those.
std::set<std::string> FilesOfObjects(const LoadResult& loaded,
                                     const std::set<std::string>& served) {
  std::set<std::string> files;
  for (const api::ParsedObject& object : loaded.parsed.objects) {
    const std::string& file = object.source.file;
    if (object.object != nullptr || served.contains(file)) files.insert(file);
  }
  if (!loaded.ok()) files.insert(served.begin(), served.end());
  return files;
}

class FileWatcherImpl final : public FileWatcher {
 public:
  FileWatcherImpl(const std::vector<std::string>& paths, const LoadResult& loaded,
                  Callback on_change, const WatchOptions& options)
      : paths_(paths),
        on_change_(std::move(on_change)),
        options_(options),
        debounce_(options.quiet, options.quiet_max, options.writing_max),
        beside_(loaded.beside),
        hash_(loaded.hash),
        served_files_(FilesOfObjects(loaded, {})),
        stop_fd_(eventfd(0, EFD_CLOEXEC)),
        ask_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CHECK(stop_fd_ >= 0 && ask_fd_ >= 0);
    if (options_.use_inotify) inotify_.emplace();
    if (!inotify_ || inotify_->fd() < 0) {
      poll_interval_ = std::min(options_.poll_interval, kPollWithoutEvents);
    } else {
      poll_interval_ = options_.poll_interval;
    }
    thread_ = std::thread([this] {
      NameThread("files");
      Run();
    });
  }

  ~FileWatcherImpl() override {
    const uint64_t one = 1;
    CHECK(write(stop_fd_, &one, sizeof(one)) == sizeof(one));
    thread_.join();
    close(stop_fd_);
    close(ask_fd_);
  }

  void LoadNow(std::function<void(bool)> done) override {
    {
      const MutexLock lock(asked_mutex_);
      asked_.push_back(std::move(done));
    }
    const uint64_t one = 1;
    CHECK(write(ask_fd_, &one, sizeof(one)) == sizeof(one));
  }

 private:
  void Run();
  bool Reload();  // true if something was reported
  void AnswerAsked();
  // All that is looked at.
  std::vector<std::string> Watched() const;
  // False if it must be seen again first.
  bool IsConfirmed(const LoadResult& result);
  std::optional<TimePoint> Due() const { return debounce_.due(inotify_ && inotify_->writing()); }
  // Waits until something is due; false when it is time to stop.
  bool Wait(TimePoint until);

  const std::vector<std::string> paths_;
  const Callback on_change_;
  const WatchOptions options_;
  Debounce debounce_;
  Duration poll_interval_{};
  std::optional<Inotify> inotify_;
  std::vector<std::string> beside_;      // that the objects named at the last load
  uint64_t hash_;                        // of what was reported last
  std::set<std::string> served_files_;   // that what was reported last may be served from
  std::optional<TimePoint> gone_since_;  // every object was seen to be gone
  std::optional<TimePoint> look_again_;
  Signature seen_;
  const int stop_fd_;
  const int ask_fd_;
  Mutex asked_mutex_;
  std::vector<std::function<void(bool)>> asked_ ABSL_GUARDED_BY(asked_mutex_);
  std::thread thread_;
};

void FileWatcherImpl::Run() {
  // Closes the gap between the caller's load and the first watch.
  if (inotify_) inotify_->Watch(PlacesToWatch(Watched(), options_.limits));
  Reload();
  TimePoint next_poll = RealClock().Now() + poll_interval_;
  while (Wait(std::min({next_poll, Due().value_or(next_poll), look_again_.value_or(next_poll)}))) {
    AnswerAsked();
    const TimePoint now = RealClock().Now();
    if (inotify_ && inotify_->fd() >= 0 && inotify_->Drain()) debounce_.Note(now);
    if (now >= next_poll) {
      next_poll = now + poll_interval_;
      if (!debounce_.due() && Look(Watched(), options_.limits) != seen_) debounce_.Note(now);
    }
    if (Due() && now >= *Due()) {
      debounce_.Clear();
      Reload();
    }
    if (look_again_ && now >= *look_again_) Reload();
  }
}

void FileWatcherImpl::AnswerAsked() {
  uint64_t count = 0;
  if (read(ask_fd_, &count, sizeof(count)) < 0) return;
  std::vector<std::function<void(bool)>> asked;
  {
    const MutexLock lock(asked_mutex_);
    asked.swap(asked_);
  }
  debounce_.Clear();
  const bool reported = Reload();
  for (const auto& done : asked) done(reported);
}

std::vector<std::string> FileWatcherImpl::Watched() const {
  std::vector<std::string> watched = paths_;
  watched.insert(watched.end(), beside_.begin(), beside_.end());
  return watched;
}

bool FileWatcherImpl::Reload() {
  // Looked at before it is read: a change in between differs at the next poll.
  seen_ = Look(Watched(), options_.limits);
  look_again_.reset();
  const LoadResult result = LoadQuietly(paths_, options_.limits);
  beside_ = result.beside;
  if (inotify_ && inotify_->Watch(PlacesToWatch(Watched(), options_.limits))) {
    debounce_.Note(RealClock().Now());
  }
  if (result.hash == hash_) gone_since_.reset();
  if (result.hash == hash_ || !IsConfirmed(result)) return false;
  hash_ = result.hash;
  served_files_ = FilesOfObjects(result, served_files_);
  LogSkipped(result);
  on_change_(result);
  return true;
}

// A checkout, a restore or a mount takes all files away and brings them back. What is left
// meanwhile may be files that never served anything, with objects that are refused.
bool FileWatcherImpl::IsConfirmed(const LoadResult& result) {
  const bool gone =
      !served_files_.empty() && FilesOfObjects(result, served_files_).empty() && result.ok();
  const TimePoint now = RealClock().Now();
  if (!gone) {
    gone_since_.reset();
    return true;
  }
  if (!gone_since_) gone_since_ = now;
  const TimePoint confirmed = *gone_since_ + options_.gone_confirmed_after;
  if (now < confirmed) {
    look_again_ = confirmed;
    return false;
  }
  gone_since_.reset();
  return true;
}

bool FileWatcherImpl::Wait(TimePoint until) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(until - RealClock().Now());
  const auto timeout = std::clamp(left, milliseconds(0), milliseconds(60'000));
  pollfd fds[3] = {
      {stop_fd_, POLLIN, 0}, {inotify_ ? inotify_->fd() : -1, POLLIN, 0}, {ask_fd_, POLLIN, 0}};
  poll(fds, 3, static_cast<int>(timeout.count()));
  return fds[0].revents == 0;
}

}  // namespace

std::unique_ptr<FileWatcher> FileWatcher::Start(const std::vector<std::string>& paths,
                                                const LoadResult& loaded, Callback on_change,
                                                const WatchOptions& options) {
  return std::make_unique<FileWatcherImpl>(paths, loaded, std::move(on_change), options);
}

}  // namespace gw::config
