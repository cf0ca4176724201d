#include "cli/server_url.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(ServerUrl, IsAnAddressOrAUrl) {
  const struct {
    const char* text;
    const char* address;
    const char* authority;
    const char* path;
  } kCases[] = {{"127.0.0.1:9909", "127.0.0.1:9909", "127.0.0.1:9909", ""},
                {"127.0.0.1:9909/", "127.0.0.1:9909", "127.0.0.1:9909", ""},
                {"http://127.0.0.1:8080/a/v1/", "127.0.0.1:8080", "127.0.0.1:8080", "/a/v1"},
                {"http://127.0.0.1", "127.0.0.1:80", "127.0.0.1", ""},
                {"http://[::1]/x", "[::1]:80", "[::1]", "/x"},
                {"http://[::1]:81", "[::1]:81", "[::1]:81", ""}};
  for (const auto& each : kCases) {
    const absl::StatusOr<ServerUrl> server = ServerUrlOf("--target", each.text, {});
    ASSERT_TRUE(server.ok()) << each.text << ": " << server.status();
    EXPECT_EQ(server->address.ToString(), each.address);
    EXPECT_EQ(server->authority, each.authority);
    EXPECT_EQ(server->path, each.path);
    EXPECT_EQ(server->tls, nullptr);
  }
}

TEST(ServerUrl, OverTlsItsNameIsAskedFor) {
  const auto server = ServerUrlOf("--target", "https://localhost/v1", {.insecure = true});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->address.port(), 443);
  EXPECT_EQ(server->tls->options().server_name, "localhost");
  EXPECT_EQ(server->tls->options().trust, nullptr);
}

TEST(ServerUrl, WhatIsWrongIsSaidOfItsFlag) {
  const auto error = [](const char* text, const ServerTrust& trust) {
    return std::string(ServerUrlOf("--target", text, trust).status().message());
  };
  EXPECT_TRUE(error("127.0.0.1", {}).starts_with("--target: ")) << error("127.0.0.1", {});
  EXPECT_EQ(error("http://127.0.0.1:80", {.insecure = true}),
            "--insecure: is of https: wanted --target https://127.0.0.1:80");
  EXPECT_TRUE(error("https://127.0.0.1", {.ca_file = "/nowhere.pem"}).starts_with("--ca-file: "));
}

}  // namespace
}  // namespace gw
