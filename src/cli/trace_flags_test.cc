#include "cli/trace_flags.h"

#include <gtest/gtest.h>

#include <map>

namespace gw {
namespace {

using Variables = std::map<std::string, std::string>;

absl::StatusOr<TraceOptions> Read(const TraceFlags& flags, const Variables& variables = {}) {
  return TraceOptionsOf(flags, [&](const char* name) -> const char* {
    const auto it = variables.find(name);
    return it == variables.end() ? nullptr : it->second.c_str();
  });
}

std::string Error(const TraceFlags& flags, const Variables& variables = {}) {
  const auto read = Read(flags, variables);
  return read.ok() ? "" : std::string(read.status().message());
}

TEST(TraceFlags, WithoutAUrlNothingIsTraced) {
  EXPECT_FALSE(Read({})->on());
  EXPECT_FALSE(Read({}, {{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}})->on());
}

TEST(TraceFlags, SpansGoBelowTheUrl) {
  const struct {
    const char* url;
    const char* address;
    const char* authority;
    const char* path;
  } kCases[] = {
      {"http://127.0.0.1:4318", "127.0.0.1:4318", "127.0.0.1:4318", "/v1/traces"},
      {"http://collector.monitoring:4318/", "collector.monitoring:4318",
       "collector.monitoring:4318", "/v1/traces"},
      {"collector:4318", "collector:4318", "collector:4318", "/v1/traces"},
      {"http://collector/otlp/", "collector:80", "collector", "/otlp/v1/traces"},
      {"http://collector/v1/traces", "collector:80", "collector", "/v1/traces"},
  };
  for (const auto& each : kCases) {
    const auto read = Read({.url = each.url});
    ASSERT_TRUE(read.ok()) << each.url << ": " << read.status();
    EXPECT_EQ(read->address, each.address);
    EXPECT_EQ(read->authority, each.authority);
    EXPECT_EQ(read->path, each.path);
    EXPECT_EQ(read->tls, nullptr);
    EXPECT_EQ(read->service_name, "penstock");
  }
  EXPECT_EQ(Read({.url = "https://collector"})->tls->options().server_name, "collector");
}

TEST(TraceFlags, PromptsAreCarriedOnlyIfAskedFor) {
  EXPECT_FALSE(Read({.url = "collector:4318"})->prompts);
  EXPECT_TRUE(Read({.url = "collector:4318", .prompts = true})->prompts);
}

TEST(TraceFlags, VariablesSayWhatFlagsDoNot) {
  const Variables set = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:1"},
                         {"OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c,, d = e=f"},
                         {"OTEL_SERVICE_NAME", "edge"}};
  const auto read = Read({}, set);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->address, "base:1");
  EXPECT_EQ(read->path, "/v1/traces");
  EXPECT_EQ(read->service_name, "edge");
  const std::vector<std::pair<std::string, std::string>> headers = {{"a", "b c"}, {"d", "e=f"}};
  EXPECT_EQ(read->headers, headers);
  Variables whole = set;
  whole["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://traces:2/x";
  EXPECT_EQ(Read({}, whole)->address, "traces:2");
  EXPECT_EQ(Read({}, whole)->path, "/x");
  const auto flags = Read({.url = "flag:3", .service_name = "own", .headers = {"k: v"}}, whole);
  EXPECT_EQ(flags->address, "flag:3");
  EXPECT_EQ(flags->service_name, "own");
  EXPECT_EQ(flags->headers.size(), 1);
}

TEST(TraceFlags, WhatIsWrongIsSaidOfItsFlagOrVariable) {
  EXPECT_EQ(Error({.url = "collector"}),
            "--traces: wanted a URL such as http://127.0.0.1:4318, got collector");
  EXPECT_EQ(Error({.url = "x:1", .headers = {"nothing"}}), "--traces-header: must be NAME: VALUE");
  for (const char* const wrong : {"two words: x", "host: x", "Content-Type: x", ": x"}) {
    EXPECT_TRUE(Error({.url = "x:1", .headers = {wrong}}).starts_with("--traces-header: must be a"))
        << wrong;
  }
  EXPECT_TRUE(Error({.url = "x:1"}, {{"OTEL_EXPORTER_OTLP_HEADERS", "a"}})
                  .starts_with("OTEL_EXPORTER_OTLP_HEADERS: "));
  EXPECT_TRUE(Error({.url = "x:1"}, {{"OTEL_EXPORTER_OTLP_HEADERS", "a=%0d%0ab:c"}})
                  .starts_with("OTEL_EXPORTER_OTLP_HEADERS: "));
  EXPECT_TRUE(
      Error({.url = "https://x", .ca_file = "/nowhere"}).starts_with("--traces-ca-file: /nowhere"));
  EXPECT_TRUE(
      Error({.url = "http://x", .ca_file = "/nowhere"}).starts_with("--traces-ca-file: is"));
}

}  // namespace
}  // namespace gw
