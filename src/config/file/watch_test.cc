// Files change under a running watcher. Nothing here waits for a time, only for what must happen.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <string>

#include "base/test_folder.h"
#include "config/file/debounce.h"
#include "config/file/file_watcher.h"
#include "config/file/inotify.h"
#include "config/file/last_good.h"
#include "config/file/watch_places.h"

namespace gw::config {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string Pod(const std::string& name) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\n";
}

std::vector<std::string> PodNames(const LoadResult& result) {
  std::vector<std::string> names;
  const api::ResourceSet resources = ResourcesOf(result);
  for (const auto& [key, pod] : resources.pods) names.push_back(key.name);
  return names;
}

// A watcher and what it has reported.
class Watched {
 public:
  explicit Watched(const std::vector<std::string>& paths, WatchOptions options = Quick()) {
    const LoadResult loaded = LoadFiles(paths);
    first_hash_ = loaded.hash;
    watcher_ = FileWatcher::Start(
        paths, loaded, [this](const LoadResult& result) { Report(result); }, options);
  }

  static WatchOptions Quick() {
    WatchOptions options;
    options.quiet = milliseconds(20);
    options.quiet_max = milliseconds(100);
    // Out of the way, so that what is seen was seen through an event.
    options.poll_interval = std::chrono::hours(1);
    options.gone_confirmed_after = milliseconds(50);
    return options;
  }

  // The next report.
  LoadResult Next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return !reports_.empty(); })) {
      ADD_FAILURE() << "no change was reported";
      return {};
    }
    LoadResult result = std::move(reports_.front());
    reports_.pop_front();
    return result;
  }
  // Reports until one satisfies `test`; fails after the deadline.
  template <class Test>
  LoadResult Until(Test test) {
    while (true) {
      LoadResult result = Next();
      if (testing::Test::HasFailure() || test(result)) return result;
    }
  }
  LoadResult UntilPods(const std::vector<std::string>& names) {
    return Until([&](const LoadResult& r) { return r.ok() && PodNames(r) == names; });
  }
  void Stop() { watcher_.reset(); }
  FileWatcher& watcher() { return *watcher_; }
  std::vector<uint64_t> hashes() {
    std::lock_guard lock(mutex_);
    return hashes_;
  }

 private:
  void Report(const LoadResult& result) {
    std::lock_guard lock(mutex_);
    hashes_.push_back(result.hash);
    reports_.push_back(result);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<LoadResult> reports_;
  std::vector<uint64_t> hashes_;
  uint64_t first_hash_ = 0;
  std::unique_ptr<FileWatcher> watcher_;
};

TEST(Watch, WriteAndRenameIsOneChange) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  Watched watched({folder.path()});
  folder.Write(".a.yaml.new", Pod("b"));
  folder.Rename(".a.yaml.new", "a.yaml");
  EXPECT_THAT(PodNames(watched.Next()), ElementsAre("b"));
  folder.Write("a.yaml~", Pod("left"));
  folder.Write("a.yaml", Pod("c"));
  watched.UntilPods({"c"});
}

TEST(Watch, FilesComeAndGo) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  Watched watched({folder.path()});
  folder.Write("b.yaml", Pod("b"));
  watched.UntilPods({"a", "b"});
  folder.Remove("a.yaml");
  watched.UntilPods({"b"});
  folder.Rename("b.yaml", "b.off");
  watched.UntilPods({});
}

TEST(Watch, ABrokenEditIsReportedAndThenItsRepair) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  Watched watched({folder.path()});
  folder.Write("a.yaml", Pod("a") + "broken: [\n");
  const LoadResult broken = watched.Until([](const LoadResult& r) { return !r.ok(); });
  EXPECT_THAT(broken.error(), HasSubstr("a.yaml:5:1: "));
  EXPECT_THAT(PodNames(broken), IsEmpty());
  folder.Write("a.yaml", Pod("a"));
  EXPECT_THAT(PodNames(watched.UntilPods({"a"})), ElementsAre("a"));
}

TEST(Watch, AFileNamedItselfMayGoAndComeBack) {
  TestFolder folder;
  folder.Write("a.conf", Pod("a"));
  Watched watched({folder / "a.conf"});
  folder.Remove("a.conf");
  const LoadResult gone = watched.Until([](const LoadResult& r) { return !r.ok(); });
  EXPECT_THAT(gone.error(), HasSubstr("No such file"));
  folder.Write("new", Pod("b"));
  folder.Rename("new", "a.conf");
  watched.UntilPods({"b"});
}

TEST(Watch, AConfigMapsMountChangesByOneRename) {
  TestFolder folder;
  folder.Write("..v1/a.yaml", Pod("a1"));
  folder.Write("..v1/b.yaml", Pod("b1"));
  folder.Link("..v1", "..data");
  folder.Link("..data/a.yaml", "a.yaml");
  folder.Link("..data/b.yaml", "b.yaml");
  Watched watched({folder.path()});
  for (const std::string version : {"2", "3"}) {
    folder.Write("..v" + version + "/a.yaml", Pod("a" + version));
    folder.Write("..v" + version + "/b.yaml", Pod("b" + version));
    folder.Link("..v" + version, "..data_tmp");
    folder.Rename("..data_tmp", "..data");
    EXPECT_THAT(PodNames(watched.Next()), ElementsAre("a" + version, "b" + version));
    folder.Remove("..v1");
  }
}

TEST(Watch, TheFolderItselfMayBeReplaced) {
  TestFolder folder;
  folder.Write("live/a.yaml", Pod("a"));
  folder.Write("next/a.yaml", Pod("b"));
  Watched watched({folder / "live"});
  folder.Rename("live", "old");
  folder.Rename("next", "live");
  watched.UntilPods({"b"});
  // It is the new folder that is watched, and a file far away that a link in it leads to.
  folder.Write("far/c.yaml", Pod("c"));
  folder.Link("../far/c.yaml", "live/c.yaml");
  watched.UntilPods({"b", "c"});
  folder.Write("far/c.yaml", Pod("d"));
  watched.UntilPods({"b", "d"});
}

TEST(Watch, AChangeBeforeTheStartIsSeen) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  const LoadResult loaded = LoadFiles({folder.path()});
  folder.Write("a.yaml", Pod("b"));
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> names;
  const auto watcher = FileWatcher::Start({folder.path()}, loaded, [&](const LoadResult& result) {
    std::lock_guard lock(mutex);
    names = PodNames(result);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return !names.empty(); }));
  EXPECT_THAT(names, ElementsAre("b"));
}

TEST(Watch, WithoutEventsFilesArePolled) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  WatchOptions options = Watched::Quick();
  options.use_inotify = false;
  options.poll_interval = milliseconds(10);
  Watched watched({folder.path()}, options);
  folder.Write("a.yaml", Pod("b"));
  watched.UntilPods({"b"});
  folder.Write("c.yaml", Pod("c"));
  watched.UntilPods({"b", "c"});
}

TEST(Watch, IsReadAtOnceForWhoAsks) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  WatchOptions options = Watched::Quick();
  options.use_inotify = false;  // nothing else would look
  options.quiet = std::chrono::hours(1);
  Watched watched({folder.path()}, options);
  const auto ask = [&] {
    std::promise<bool> answer;
    watched.watcher().LoadNow([&](bool reported) { answer.set_value(reported); });
    return answer.get_future().get();
  };
  EXPECT_FALSE(ask());
  folder.Write("a.yaml", Pod("b"));
  EXPECT_TRUE(ask());
  EXPECT_THAT(PodNames(watched.Next()), ElementsAre("b"));
  EXPECT_FALSE(ask());
}

TEST(Watch, FoldersBelowAreWatchedFromTheirFirstMoment) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  Watched watched({folder.path()});
  folder.Write("x/y/b.yaml", Pod("b"));
  watched.UntilPods({"a", "b"});
  folder.Write("x/y/b.yaml", Pod("c"));
  watched.UntilPods({"a", "c"});
  folder.Remove("x");
  watched.UntilPods({"a"});
}

TEST(Watch, ThatEveryObjectIsGoneMustBeSeenTwice) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  WatchOptions options = Watched::Quick();
  options.gone_confirmed_after = std::chrono::hours(1);
  Watched watched({folder.path()}, options);
  // A restore: never reported as gone, as nobody sees it gone for an hour.
  folder.Remove("a.yaml");
  folder.Write("ignored.txt", "x");
  folder.Write("b.yaml", Pod("b"));
  EXPECT_THAT(PodNames(watched.Next()), ElementsAre("b"));
}

TEST(Watch, ThatOnlyRefusedObjectsAreLeftMustBeSeenTwice) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  folder.Write("refused.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: [wrong]}\n");
  WatchOptions options = Watched::Quick();
  options.gone_confirmed_after = std::chrono::hours(1);
  Watched watched({folder.path()}, options);
  folder.Remove("a.yaml");
  std::promise<bool> read;
  watched.watcher().LoadNow([&](bool reported) { read.set_value(reported); });
  EXPECT_FALSE(read.get_future().get());
  folder.Write("b.yaml", Pod("b"));
  EXPECT_THAT(PodNames(watched.Next()), ElementsAre("b"));
}

TEST(Watch, AnEditThatBreaksTheOnlyObjectIsReportedAtOnceAndItsRemovalSeenTwice) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  WatchOptions options = Watched::Quick();
  options.gone_confirmed_after = std::chrono::hours(1);
  Watched watched({folder.path()}, options);
  folder.Write("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: 1}\n");
  EXPECT_THAT(PodNames(watched.Next()), IsEmpty());
  folder.Remove("a.yaml");
  std::promise<bool> read;
  watched.watcher().LoadNow([&](bool reported) { read.set_value(reported); });
  EXPECT_FALSE(read.get_future().get());
}

TEST(Inotify, AFileIsBeingWrittenUntilItIsClosed) {
  TestFolder folder;
  Inotify inotify;
  ASSERT_GE(inotify.fd(), 0);
  const std::string root = std::filesystem::canonical(folder.path());
  inotify.Watch(PlacesToWatch({root}, {}));
  std::ofstream half(folder / "a.yaml");
  half << "half of it" << std::flush;
  EXPECT_TRUE(inotify.Drain());
  EXPECT_TRUE(inotify.writing());
  std::ofstream(folder / "ignored.txt") << "x" << std::flush;
  half.close();
  EXPECT_TRUE(inotify.Drain());
  EXPECT_FALSE(inotify.writing());
}

TEST(Watch, ContentThatStaysTheSameIsNotReported) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  folder.Write("b.yaml", Pod("b"));
  Watched watched({folder.path()});
  folder.Write("a.yaml", Pod("a"));  // touched
  folder.Write("ignored.txt", "x");
  folder.Write("b.yaml", Pod("c"));
  watched.UntilPods({"a", "c"});
  watched.Stop();
  // Whatever was reported in between, no two reports in a row had the same content.
  const std::vector<uint64_t> hashes = watched.hashes();
  for (size_t i = 1; i < hashes.size(); ++i) EXPECT_NE(hashes[i], hashes[i - 1]);
}

TEST(Watch, StopsWhileFilesChange) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  for (int i = 0; i < 20; ++i) {
    Watched watched({folder.path()});
    folder.Write("a.yaml", Pod("a" + std::to_string(i)));
    watched.Stop();
  }
}

TEST(Debounce, WaitsForQuietButNotForEver) {
  const TimePoint t0{Duration(std::chrono::seconds(1))};
  Debounce debounce(milliseconds(100), milliseconds(500), milliseconds(5000));
  EXPECT_FALSE(debounce.due().has_value());
  debounce.Note(t0);
  EXPECT_EQ(debounce.due(), t0 + milliseconds(100));
  debounce.Note(t0 + milliseconds(80));
  EXPECT_EQ(debounce.due(), t0 + milliseconds(180));
  for (int ms = 160; ms <= 480; ms += 80) debounce.Note(t0 + milliseconds(ms));
  EXPECT_EQ(debounce.due(), t0 + milliseconds(500));
  EXPECT_EQ(debounce.due(true), t0 + milliseconds(5000)) << "while somebody writes";
  debounce.Clear();
  EXPECT_FALSE(debounce.due().has_value());
  debounce.Note(t0 + milliseconds(900));
  EXPECT_EQ(debounce.due(), t0 + milliseconds(1000));
}

TEST(WatchPlaces, LinksAreWatchedWhereTheyStand) {
  TestFolder folder;
  const std::string root = std::filesystem::canonical(folder.path());
  folder.Write("real/..v1/a.yaml", Pod("a"));
  folder.Link("..v1", "real/..data");
  folder.Link("..data/a.yaml", "real/a.yaml");
  folder.Link("real", "mount");
  const auto places = PlacesToWatch({root + "/mount"}, {});
  ASSERT_EQ(places.size(), 3u);
  EXPECT_THAT(places.at(root).names, UnorderedElementsAre("mount", "real"));
  EXPECT_FALSE(places.at(root).configuration);
  EXPECT_TRUE(places.at(root + "/real").configuration);
  EXPECT_THAT(places.at(root + "/real").names, UnorderedElementsAre("a.yaml", "..data"));
  EXPECT_THAT(places.at(root + "/real/..v1").names, UnorderedElementsAre("a.yaml"));
  EXPECT_TRUE(places.at(root + "/real").Matters("new.yml"));
  EXPECT_FALSE(places.at(root + "/real").Matters(".new.yml.swp"));
  EXPECT_FALSE(places.at(root).Matters("new.yml"));
}

TEST(WatchPlaces, WhatIsMissingIsAwaitedAtTheDeepestFolderThatExists) {
  TestFolder folder;
  const std::string root = std::filesystem::canonical(folder.path());
  const auto places = PlacesToWatch({root + "/not/yet/there.yaml", root + "/x/.."}, {});
  ASSERT_EQ(places.size(), 1u);
  EXPECT_THAT(places.at(root).names, UnorderedElementsAre("not", "x"));
  folder.Link("loop", "loop");
  EXPECT_THAT(PlacesToWatch({root + "/loop"}, {}).at(root).names, UnorderedElementsAre("loop"));
}

// As cert-manager's mounts and certbot's folders do it: what changes is a link on the way.
TEST(FileWatcher, SeesThatACertificateWasRenewed) {
  const TestFolder folder;
  folder.Write("objects/gateway.yaml",
               "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n"
               "spec: {gatewayClassName: c, listeners: [{name: a, port: 443, protocol: HTTPS, tls: "
               "{options: {penstock.dev/certificate-file: ../mount/tls.crt, penstock.dev/key-file: "
               "../live/key.pem}}}]}\n");
  const auto shown = [](const LoadResult& result) {
    const api::ResourceSet set = ResourcesOf(result);
    const auto& files = set.gateways.at({"default", "g"}).listeners.at(0).tls->files;
    return files->certificate_pem + "/" + files->key_pem;
  };
  for (const char* version : {"one", "two"}) {
    folder.Write(std::string("mount/..") + version + "/tls.crt", version);
    folder.Write(std::string("archive/") + version + ".pem", version);
  }
  folder.Link("..one", "mount/..data");
  folder.Link("..data/tls.crt", "mount/tls.crt");
  folder.Write("live/README", "");
  folder.Link("../archive/one.pem", "live/key.pem");
  Watched watched({folder / "objects"});
  folder.Link("..two", "mount/..data_tmp");
  folder.Rename("mount/..data_tmp", "mount/..data");
  EXPECT_EQ(shown(watched.Next()), "two/one");
  folder.Link("../archive/two.pem", "live/key.new");
  folder.Rename("live/key.new", "live/key.pem");
  EXPECT_EQ(shown(watched.Next()), "two/two");
  folder.Write("archive/two.pem", "three");
  EXPECT_EQ(shown(watched.Next()), "two/three") << "a file that is written in its place";
}

}  // namespace
}  // namespace gw::config
