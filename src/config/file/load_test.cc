#include "config/file/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "base/test_folder.h"
#include "config/file/files.h"
#include "config/file/last_good.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Pod(const std::string& name, const std::string& ip = "127.0.0.1") {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nstatus: {podIP: " + ip + "}\n";
}

std::vector<std::string> PodNames(const LoadResult& result) {
  std::vector<std::string> names;
  const api::ResourceSet resources = ResourcesOf(result);
  for (const auto& [key, pod] : resources.pods) names.push_back(key.name);
  return names;
}

TEST(Files, WhatEditorsLeaveBehindIsNotRead) {
  for (const char* name : {"a.yaml~", ".a.yaml.swp", ".a.yaml", "#a.yaml#", ".#a.yaml", "4913",
                           "a.yaml.tmp", "..data", "a.txt", "yaml", ""}) {
    EXPECT_FALSE(IsConfigName(name)) << name;
  }
  for (const char* name : {"a.yaml", "a.yml", "a.json", "a~b.yaml"}) {
    EXPECT_TRUE(IsConfigName(name)) << name;
  }
}

TEST(Load, DirectoriesAreReadInOrderOfNamesAndThenBelow) {
  TestFolder folder;
  folder.Write("b.yml", Pod("b") + "---\n" + Pod("c"));
  folder.Write("a.yaml", Pod("a"));
  folder.Write("d.json", R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d"}})");
  folder.Write("a.yaml~", "broken: [");
  folder.Write("below/e.yaml", Pod("e"));
  folder.Write("x.yaml/f.yaml", Pod("f"));
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_EQ(result.error(), "");
  EXPECT_EQ(result.files.size(), 5u);
  EXPECT_THAT(PodNames(result), ElementsAre("a", "b", "c", "d", "e", "f"));
  const FileList list = ListFiles({folder.path()}, {});
  EXPECT_THAT(list.files, ElementsAre(EndsWith("/a.yaml"), EndsWith("/b.yml"), EndsWith("/d.json"),
                                      EndsWith("/below/e.yaml"), EndsWith("/x.yaml/f.yaml")));
}

TEST(Load, AFileNamedItselfIsReadWhateverItsNameAndOnlyOnce) {
  TestFolder folder;
  folder.Write(".hidden", Pod("a"));
  folder.Write("b.yaml", Pod("b"));
  folder.Link("b.yaml", "link.yaml");
  const LoadResult result =
      LoadFiles({folder / ".hidden", folder / "b.yaml", folder.path(), folder / "b.yaml"});
  EXPECT_EQ(result.error(), "");
  EXPECT_EQ(result.files.size(), 2u);
  EXPECT_THAT(ResourcesOf(result).invalid, IsEmpty());
  EXPECT_THAT(PodNames(result), ElementsAre("a", "b"));
}

TEST(Load, ASyntaxErrorFailsItsFileAndNamesEveryPlace) {
  TestFolder folder;
  folder.Write("a.yaml", "a: [\n");
  folder.Write("b.yaml", Pod("b"));
  folder.Write("c.yaml", "x: !Ref y\n");
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.error(), HasSubstr(folder / "a.yaml" + ":2:1: "));
  EXPECT_THAT(result.error(),
              EndsWith("; " + (folder / "c.yaml") + ":1:4: the tag \"!Ref\" is not supported"));
  EXPECT_THAT(PodNames(result), ElementsAre("b"));
}

TEST(Load, AnObjectThatIsWrongDoesNotFailTheLoad) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a", "nowhere") + "---\n" + Pod("b"));
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_TRUE(result.ok());
  EXPECT_THAT(PodNames(result), ElementsAre("b"));
  ASSERT_EQ(ResourcesOf(result).invalid.size(), 1u);
  EXPECT_THAT(ResourcesOf(result).invalid[0].Messages(),
              ElementsAre("Pod default/a: status.podIP: must be an IP address, got \"nowhere\" (" +
                          (folder / "a.yaml") + ":4)"));
}

TEST(Load, TheSameNameInTwoFilesNamesBothPlaces) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("x"));
  folder.Write("b.yaml", "# second\n" + Pod("x"));
  const LoadResult result = LoadFiles({folder.path()});
  ASSERT_EQ(ResourcesOf(result).invalid.size(), 1u);
  EXPECT_THAT(ResourcesOf(result).invalid[0].Messages(),
              ElementsAre("Pod default/x: metadata.name: another Pod default/x is defined at " +
                          (folder / "a.yaml") +
                          ":1, which is served; to leave a file out, begin its name with \".\" (" +
                          (folder / "b.yaml") + ":2)"));
}

TEST(Load, PathsThatCannotBeReadFailTheLoad) {
  TestFolder folder;
  EXPECT_THAT(LoadFiles({folder / "missing.yaml"}).error(),
              EndsWith("missing.yaml: cannot read: No such file or directory"));
  folder.Link("nowhere", "dangling.yaml");
  EXPECT_THAT(LoadFiles({folder.path()}).error(),
              EndsWith("dangling.yaml: cannot read: No such file or directory"));
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(LoadFiles({folder / "fifo"}).error(), HasSubstr("fifo: is not a regular file"));
}

TEST(Load, AnEmptyDirectoryIsAnEmptyConfiguration) {
  TestFolder folder;
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(ResourcesOf(result).object_count(), 0u);
}

TEST(Load, SizesAndCountsAreLimited) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  folder.Write("b.yaml", Pod("b"));
  FileLimits limits;
  limits.file_bytes_max = 40;
  EXPECT_THAT(LoadFiles({folder / "a.yaml"}, limits).error(),
              EndsWith("a.yaml: larger than 40 bytes (limit config_file_bytes)"));
  limits = {};
  limits.total_bytes_max = 100;
  EXPECT_EQ(LoadFiles({folder.path()}, limits).error(),
            "more than 100 bytes in all files (limit config_total_bytes)");
  limits = {};
  limits.files_max = 1;
  EXPECT_EQ(LoadFiles({folder.path()}, limits).error(), "more than 1 files (limit config_files)");
}

TEST(Load, FoldersBelowAreReadOnceHoweverTheyAreReached) {
  TestFolder folder;
  folder.Write("a/b/c.yaml", Pod("c"));
  folder.Link("..", "a/up");
  folder.Link("a", "z");
  folder.Write(".git/d.yaml", Pod("d"));
  // A mounted ConfigMap.
  folder.Write("mount/..v1/e.yaml", Pod("e"));
  folder.Write("mount/..v1/sub/f.yaml", Pod("f"));
  folder.Link("..v1", "mount/..data");
  folder.Link("..data/e.yaml", "mount/e.yaml");
  folder.Link("..data/sub", "mount/sub");
  const LoadResult result = LoadFiles({folder.path(), folder / "a"});
  EXPECT_EQ(result.error(), "");
  EXPECT_THAT(PodNames(result), ElementsAre("c", "e", "f"));
  EXPECT_THAT(ResourcesOf(result).invalid, IsEmpty());
  FileLimits limits;
  limits.folders_max = 3;
  EXPECT_EQ(LoadFiles({folder.path()}, limits).error(),
            "more than 2 folders (limit config_folders)");
  EXPECT_THAT(LoadFiles({folder.path()}, limits).limits, ElementsAre("config_folders"));
}

TEST(Load, ACopyOfAFileGoesBehindIt) {
  TestFolder folder;
  folder.Write("pool-old.yaml", Pod("a"));
  folder.Write("pool (copy).yaml", Pod("a"));
  folder.Write("pool.yaml", Pod("a"));
  const api::ResourceSet resources = ResourcesOf(LoadFiles({folder.path()}));
  EXPECT_EQ(resources.pods.begin()->second.meta.source.file, folder / "pool.yaml");
  EXPECT_EQ(resources.invalid.size(), 2u);
}

TEST(Load, WhatIsNoFileIsNotOpened) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  ASSERT_EQ(mkfifo((folder / "b.yaml").c_str(), 0600), 0);
  folder.Link("/dev/zero", "c.yaml");
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_THAT(PodNames(result), ElementsAre("a"));
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].place, folder / "b.yaml");
  EXPECT_EQ(result.errors[1].message,
            folder / "c.yaml" + ": is not a regular file (-f - reads standard input)");
}

TEST(Load, TheHashChangesWithContentAndNames) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  const uint64_t first = LoadFiles({folder.path()}).hash;
  EXPECT_EQ(LoadFiles({folder.path()}).hash, first);
  folder.Write("a.yaml", Pod("a") + "# more\n");
  const uint64_t second = LoadFiles({folder.path()}).hash;
  EXPECT_NE(second, first);
  folder.Write("a.yaml", "a: [\n");
  EXPECT_NE(LoadFiles({folder.path()}).hash, second);
  folder.Remove("a.yaml");
  folder.Write("b.yaml", Pod("a"));
  EXPECT_NE(LoadFiles({folder.path()}).hash, first);
}

}  // namespace
}  // namespace gw::config
