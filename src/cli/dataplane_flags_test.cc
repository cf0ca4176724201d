#include "cli/dataplane_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace gw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string LimitError(std::string_view assignment) {
  DataplaneOptions options;
  return std::string(SetLimit(assignment, &options).message());
}

std::string TimeoutError(std::string_view assignment) {
  DataplaneOptions options;
  return std::string(SetTimeout(assignment, &options).message());
}

TEST(DataplaneFlags, SetWhatTheyName) {
  DataplaneOptions options;
  EXPECT_TRUE(SetLimit("request_head_bytes=16KiB", &options).ok());
  EXPECT_TRUE(SetLimit("downstream_connections=77", &options).ok());
  EXPECT_TRUE(SetLimit("request_body_bytes=4GiB", &options).ok());
  EXPECT_TRUE(SetTimeout("connect_timeout=250ms", &options).ok());
  EXPECT_TRUE(SetTimeout("drain_timeout=2h", &options).ok());
  EXPECT_TRUE(SetTimeout("model_list_cache_time=0s", &options).ok());
  EXPECT_EQ(options.request_head.head_bytes_max, 16u << 10);
  EXPECT_EQ(options.downstream_connections_max, 77u);
  EXPECT_EQ(options.request_body_bytes_max, size_t{4} << 30);
  EXPECT_EQ(options.connect_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(options.drain_timeout, std::chrono::hours(2));
  EXPECT_EQ(options.model_list_cache_time, Duration::zero());
}

TEST(DataplaneFlags, SayWhatWasWanted) {
  EXPECT_THAT(LimitError("no_such=1"),
              AllOf(HasSubstr("unknown name \"no_such\": wanted one of request_head_bytes, "),
                    HasSubstr("held_response_bytes")));
  EXPECT_THAT(TimeoutError("request_body_bytes=1s"), HasSubstr("wanted one of connect_timeout, "));
  EXPECT_EQ(LimitError("pipelined_bytes=many"),
            "pipelined_bytes: must be bytes from 1 to 4GiB, such as 65536 or 64KiB, got \"many\"");
  for (const char* value : {"", "=", "=0", "=-1", "=1K", "=1.5MiB", "= 1", "=5GiB",
                            "=99999999999999999999", "=1 KiB"}) {
    EXPECT_THAT(LimitError("pipelined_bytes" + std::string(value)), HasSubstr("must be bytes"));
  }
  EXPECT_EQ(LimitError("json_depth=1001"),
            "json_depth: must be a number from 1 to 1000, got \"1001\"");
  EXPECT_EQ(LimitError("downstream_connections=1KiB"),
            "downstream_connections: must be a number from 1 to 1048576, got \"1KiB\"");
  EXPECT_EQ(TimeoutError("connect_timeout=5"),
            "connect_timeout: must be a time from 1ms to 24h, such as 500ms, 10s or 5m, got \"5\"");
  for (const char* value : {"", "=", "=0s", "=25h", "=1d", "=s", "=99999999999999999h"}) {
    EXPECT_THAT(TimeoutError("connect_timeout" + std::string(value)), HasSubstr("must be a time"));
  }
}

TEST(DataplaneFlags, EveryDefaultCanBeGivenAndStandsInTheDocumentation) {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR) + "/docs/configuration.md");
  std::stringstream documentation;
  documentation << file.rdbuf();
  std::set<std::string> names;
  for (const NamedDefault& known : KnownLimits()) {
    EXPECT_EQ(LimitError(known.name + "=" + known.value), "");
    EXPECT_TRUE(names.insert(known.name).second);
    EXPECT_THAT(documentation.str(), HasSubstr("| `" + known.name + "` | " + known.value + " |"));
  }
  for (const NamedDefault& known : KnownFileLimits()) {
    config::FileLimits limits;
    EXPECT_TRUE(SetFileLimit(known.name + "=" + known.value, &limits).ok()) << known.name;
    EXPECT_TRUE(IsFileLimit(known.name));
    EXPECT_TRUE(names.insert(known.name).second);
    EXPECT_THAT(documentation.str(), HasSubstr("| `" + known.name + "` | " + known.value + " |"));
  }
  for (const NamedDefault& known : KnownTimeouts()) {
    EXPECT_EQ(TimeoutError(known.name + "=" + known.value), "");
    EXPECT_TRUE(names.insert(known.name).second);
    EXPECT_THAT(documentation.str(), HasSubstr("| `" + known.name + "` | " + known.value + " |"));
  }
  for (const std::string& name : names) EXPECT_THAT(DataplaneFlagsHelp(), HasSubstr(name));
}

}  // namespace
}  // namespace gw
