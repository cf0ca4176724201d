#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "config/file/file_source.h"
#include "config/file/files.h"
#include "config/file/test_folder.h"

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
  for (const auto& [key, pod] : result.resources.pods) names.push_back(key.name);
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

TEST(Load, DirectoriesAreReadInOrderOfNamesAndNotBelow) {
  TestFolder folder;
  folder.Write("b.yml", Pod("b") + "---\n" + Pod("c"));
  folder.Write("a.yaml", Pod("a"));
  folder.Write("d.json", R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d"}})");
  folder.Write("a.yaml~", "broken: [");
  folder.Write("below/e.yaml", Pod("e"));
  folder.Write("x.yaml/f.yaml", Pod("f"));
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.files, 3);
  EXPECT_THAT(PodNames(result), ElementsAre("a", "b", "c", "d"));
  const FileList list = ListFiles({folder.path()}, {});
  EXPECT_THAT(list.files,
              ElementsAre(EndsWith("/a.yaml"), EndsWith("/b.yml"), EndsWith("/d.json")));
}

TEST(Load, AFileNamedItselfIsReadWhateverItsNameAndOnlyOnce) {
  TestFolder folder;
  folder.Write(".hidden", Pod("a"));
  folder.Write("b.yaml", Pod("b"));
  folder.Link("b.yaml", "link.yaml");
  const LoadResult result =
      LoadFiles({folder / ".hidden", folder / "b.yaml", folder.path(), folder / "b.yaml"});
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.files, 2);
  EXPECT_THAT(result.resources.invalid, IsEmpty());
  EXPECT_THAT(PodNames(result), ElementsAre("a", "b"));
}

TEST(Load, ASyntaxErrorFailsTheLoadAndNamesEveryPlace) {
  TestFolder folder;
  folder.Write("a.yaml", "a: [\n");
  folder.Write("b.yaml", Pod("b"));
  folder.Write("c.yaml", "x: !Ref y\n");
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.error, HasSubstr(folder / "a.yaml" + ":2:1: "));
  EXPECT_THAT(result.error,
              EndsWith("; " + (folder / "c.yaml") + ":1:4: the tag \"!Ref\" is not supported"));
  EXPECT_EQ(result.resources.object_count(), 0u);
}

TEST(Load, AnObjectThatIsWrongDoesNotFailTheLoad) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a", "nowhere") + "---\n" + Pod("b"));
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_TRUE(result.ok());
  EXPECT_THAT(PodNames(result), ElementsAre("b"));
  ASSERT_EQ(result.resources.invalid.size(), 1u);
  EXPECT_THAT(result.resources.invalid[0].Messages(),
              ElementsAre("Pod default/a: status.podIP: must be an IP address, got \"nowhere\" (" +
                          (folder / "a.yaml") + ":4)"));
}

TEST(Load, TheSameNameInTwoFilesNamesBothPlaces) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("x"));
  folder.Write("b.yaml", "# second\n" + Pod("x"));
  const LoadResult result = LoadFiles({folder.path()});
  ASSERT_EQ(result.resources.invalid.size(), 1u);
  EXPECT_THAT(result.resources.invalid[0].Messages(),
              ElementsAre("Pod default/x: metadata.name: another Pod default/x is defined at " +
                          (folder / "a.yaml") + ":1 (" + (folder / "b.yaml") + ":2)"));
}

TEST(Load, PathsThatCannotBeReadFailTheLoad) {
  TestFolder folder;
  EXPECT_THAT(LoadFiles({folder / "missing.yaml"}).error,
              EndsWith("missing.yaml: cannot read: No such file or directory"));
  folder.Link("nowhere", "dangling.yaml");
  EXPECT_THAT(LoadFiles({folder.path()}).error,
              EndsWith("dangling.yaml: cannot read: No such file or directory"));
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(LoadFiles({folder / "fifo"}).error, EndsWith("fifo: is not a regular file"));
}

TEST(Load, AnEmptyDirectoryIsAnEmptyConfiguration) {
  TestFolder folder;
  const LoadResult result = LoadFiles({folder.path()});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.resources.object_count(), 0u);
}

TEST(Load, SizesAndCountsAreLimited) {
  TestFolder folder;
  folder.Write("a.yaml", Pod("a"));
  folder.Write("b.yaml", Pod("b"));
  FileLimits limits;
  limits.file_bytes_max = 40;
  EXPECT_THAT(LoadFiles({folder / "a.yaml"}, limits).error,
              EndsWith("a.yaml: larger than 40 bytes (file_bytes_max)"));
  limits = {};
  limits.total_bytes_max = 100;
  EXPECT_EQ(LoadFiles({folder.path()}, limits).error,
            "more than 100 bytes in all files (total_bytes_max)");
  limits = {};
  limits.files_max = 1;
  EXPECT_EQ(LoadFiles({folder.path()}, limits).error, "more than 1 files (files_max)");
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
