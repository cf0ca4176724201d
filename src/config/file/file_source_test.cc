#include "config/file/file_source.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "base/test_folder.h"

namespace gw::config {
namespace {

std::string Pod(const std::string& name, const std::string& ip) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nstatus: {podIP: " + ip +
         "}\n";
}

std::string Told(const Change& change) {
  std::string out;
  for (const api::ObjectChange& each : change.objects) {
    const bool gone = each.after == nullptr;
    const auto& pod = std::get<api::Pod>(gone ? *each.before : *each.after);
    out += (out.empty() ? "" : " ") + std::string(gone ? "-" : "+") + pod.meta.name;
  }
  return out;
}

TEST(FileSource, TellsWhatThereIsAndThenWhatChanges) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a", "1.1.1.1") + Pod("b", "2.2.2.2"));
  const auto source = NewFileSource({folder.path()}, nullptr);
  const auto first = source->Load();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Told(first->change), "+a +b");
  EXPECT_EQ(first->files, 1u);
  EXPECT_EQ(first->objects, 2u);
  EXPECT_EQ(first->places, folder.path());

  std::mutex mutex;
  std::condition_variable answered;
  std::vector<std::string> told;
  bool done = false;
  source->Start([&](const Change& change) {
    std::lock_guard lock(mutex);
    told.push_back(Told(change));
  });
  folder.Write("a.yaml", Pod("a", "1.1.1.1") + Pod("c", "3.3.3.3"));
  source->LookNow([&](bool) {
    std::lock_guard lock(mutex);
    done = true;
    answered.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return done; });
  }
  source->Stop();
  EXPECT_EQ(told, std::vector<std::string>{"+c -b"});
}

TEST(FileSource, DoesNotStartFromWhatCannotBeRead) {
  TestFolder folder;
  folder.Write("a.yaml", "kind: [");
  EXPECT_NE(NewFileSource({folder.path()}, nullptr)->Load().status().message().find("a.yaml:"),
            std::string::npos);
  EXPECT_EQ(NewFileSource({"-"}, nullptr)->Load().status().message(),
            "-f -: only penstock check reads that");
}

}  // namespace
}  // namespace gw::config
