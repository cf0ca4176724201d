#include "config/file/file_source.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "base/clock.h"

namespace gw::config {
namespace {

int64_t UnixNow() { return RealClock().UnixNanos() / 1'000'000'000; }

class FileSource final : public ConfigSource {
 public:
  FileSource(std::vector<std::string> paths, Judge judge, const WatchOptions& options)
      : paths_(std::move(paths)), options_(options), last_good_(std::move(judge)) {}

  absl::StatusOr<FirstLoad> Load() override {
    for (const std::string& path : paths_) {
      // It can be read once only.
      if (path == "-") return absl::InvalidArgumentError("-f -: only penstock check reads that");
    }
    loaded_ = LoadFiles(paths_, options_.limits);
    if (!loaded_.ok()) return absl::InvalidArgumentError(loaded_.error());
    return FirstLoad{.change = last_good_.Merge(loaded_, UnixNow()),
                     .files = loaded_.files.size(),
                     .objects = loaded_.parsed.objects.size(),
                     .places = absl::StrJoin(paths_, ", ")};
  }

  void Start(OnChange on_change) override {
    watcher_ = FileWatcher::Start(
        paths_, loaded_,
        [this, on_change = std::move(on_change)](const LoadResult& loaded) {
          on_change(last_good_.Merge(loaded, UnixNow()));
        },
        options_);
    loaded_ = {};
  }
  void Stop() override { watcher_.reset(); }
  void LookNow(std::function<void(bool)> done) override { watcher_->LoadNow(std::move(done)); }

  std::vector<std::string_view> limits() const override {
    std::vector<std::string_view> names;
    for (const NamedFileLimit& limit : kFileLimits) names.push_back(limit.name);
    return names;
  }

 private:
  const std::vector<std::string> paths_;
  const WatchOptions options_;
  LastGood last_good_;  // of the watcher's thread, once there is one
  LoadResult loaded_;   // until Start
  std::unique_ptr<FileWatcher> watcher_;
};

}  // namespace

std::unique_ptr<ConfigSource> NewFileSource(std::vector<std::string> paths, Judge judge,
                                            const WatchOptions& options) {
  return std::make_unique<FileSource>(std::move(paths), std::move(judge), options);
}

}  // namespace gw::config
