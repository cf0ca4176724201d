#include "kube/text_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/test_folder.h"

namespace gw::kube {
namespace {

using testing::HasSubstr;

TextOptions File(const std::string& path) {
  TextOptions options;
  options.file = path;
  return options;
}

class TextSourceTest : public testing::Test {
 protected:
  TestFolder files_;
  ManualClock clock_;
};

TEST_F(TextSourceTest, ATextGoesBeforeAFile) {
  TextSource source({.text = "a", .file = files_ / "none", .name = "field"}, clock_);
  EXPECT_EQ(*source.Get(), "a");
  EXPECT_EQ(source.name(), "field");
}

TEST_F(TextSourceTest, NeitherIsAnEmptyText) {
  TextSource source({}, clock_);
  EXPECT_FALSE(source.given());
  EXPECT_EQ(*source.Get(), "");
}

TEST_F(TextSourceTest, AFileIsReadAgainAfterAMinute) {
  TextSource source(File(files_.Write("token", "one")), clock_);
  EXPECT_EQ(*source.Get(), "one");
  files_.Write("token", "two");
  clock_.Advance(std::chrono::milliseconds(59'999));
  EXPECT_EQ(*source.Get(), "one");
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(*source.Get(), "two");
}

TEST_F(TextSourceTest, AnExpiredOneIsReadAtOnce) {
  TextSource source(File(files_.Write("token", "one")), clock_);
  EXPECT_EQ(*source.Get(), "one");
  files_.Write("token", "two");
  source.Expire();
  EXPECT_EQ(*source.Get(), "two");
}

TEST_F(TextSourceTest, AFileThatIsGoneForAMomentLeavesWhatItSaid) {
  TextSource source(File(files_.Write("token", "one")), clock_);
  EXPECT_EQ(*source.Get(), "one");
  files_.Remove("token");
  source.Expire();
  EXPECT_EQ(*source.Get(), "one");
  files_.Write("token", "");  // a writer that has truncated it and written nothing yet
  clock_.Advance(TextSource::kTryAgain);
  EXPECT_EQ(*source.Get(), "one");
  files_.Write("token", "two");
  clock_.Advance(TextSource::kTryAgain);
  EXPECT_EQ(*source.Get(), "two");
}

TEST_F(TextSourceTest, AFileThatNeverWasThereIsAnErrorWithItsPath) {
  TextSource source(File(files_ / "token"), clock_);
  EXPECT_EQ(source.Get().status().message(),
            files_ / "token" + ": cannot read: No such file or directory");
  files_.Write("token", "one");
  EXPECT_EQ(*source.Get(), "one");
}

TEST_F(TextSourceTest, AnEmptyFileIsAnError) {
  TextSource source(File(files_.Write("token", " \n")), clock_);
  EXPECT_EQ(source.Get().status().message(), files_ / "token" + ": is empty");
}

TEST_F(TextSourceTest, OnlyRegularFilesOfSomeSizeAreRead) {
  mkfifo((files_ / "fifo").c_str(), 0600);
  EXPECT_THAT(std::string(ReadRegularFile(files_ / "fifo", 10).status().message()),
              HasSubstr("is not a regular file"));
  EXPECT_THAT(std::string(ReadRegularFile(files_ / ".", 10).status().message()),
              HasSubstr("is not a regular file"));
  EXPECT_EQ(ReadRegularFile(files_.Write("long", "12345678901"), 10).status().message(),
            files_ / "long" + ": larger than 10 bytes");
  EXPECT_EQ(*ReadRegularFile(files_ / "long", 11), "12345678901");
}

}  // namespace
}  // namespace gw::kube
