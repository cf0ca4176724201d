#include "bench/load/trace_file.h"

#include <gtest/gtest.h>

#include <iterator>

#include "base/test_folder.h"

namespace gw::bench {
namespace {

// "one\ntwo\n" as zstd writes it, in a block that is not compressed.
constexpr std::string_view kCoded("\x28\xb5\x2f\xfd\x20\x08\x41\x00\x00one\ntwo\n", 17);

std::string ErrorOf(const std::string& path) {
  return std::string(OpenTrace(path).status().message());
}

std::string TextOf(const std::string& path) {
  const auto in = *OpenTrace(path);
  return {std::istreambuf_iterator<char>(*in), std::istreambuf_iterator<char>()};
}

TEST(OpenTrace, AFileIsReadAsItIsAndDecompressedIfItsNameSaysSo) {
  const TestFolder folder;
  EXPECT_EQ(TextOf(folder.Write("plain", "one\ntwo\n")), "one\ntwo\n");
  EXPECT_EQ(TextOf(folder.Write("coded.zst", std::string(kCoded))), "one\ntwo\n");
  EXPECT_EQ(TextOf(folder.Write("coded", std::string(kCoded))), kCoded);
}

TEST(OpenTrace, ErrorsNameTheFile) {
  EXPECT_EQ(ErrorOf("/nowhere"), "/nowhere cannot be read");
  const TestFolder folder;
  const std::string broken = folder.Write("broken.zst", "one\ntwo\n");
  EXPECT_EQ(ErrorOf(broken), broken +
                                 " is broken, or has a window that is too large; decompress it "
                                 "first: zstd -d " +
                                 broken);
  const std::string cut = folder.Write("cut.zst", std::string(kCoded.substr(0, 12)));
  EXPECT_NE(ErrorOf(cut), "");
}

}  // namespace
}  // namespace gw::bench
