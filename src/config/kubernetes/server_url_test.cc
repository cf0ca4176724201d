#include "config/kubernetes/server_url.h"

#include <gtest/gtest.h>

namespace gw::config {
namespace {

std::string ErrorOf(std::string_view text) {
  return std::string(ParseServerUrl(text).status().message());
}

TEST(ParseServerUrl, ReadsHostPortAndPrefix) {
  EXPECT_EQ(*ParseServerUrl("https://api.example.com:6443"),
            (kube::ServerUrl{true, "api.example.com", 6443, ""}));
  EXPECT_EQ(*ParseServerUrl("https://Rancher.example.com/k8s/clusters/c-1/"),
            (kube::ServerUrl{true, "rancher.example.com", 443, "/k8s/clusters/c-1"}));
  EXPECT_EQ(*ParseServerUrl("HTTP://127.0.0.1"), (kube::ServerUrl{false, "127.0.0.1", 80, ""}));
  EXPECT_EQ(*ParseServerUrl("http://localhost:8001/"),
            (kube::ServerUrl{false, "localhost", 8001, ""}));
}

TEST(ParseServerUrl, ReadsIpv6InBrackets) {
  EXPECT_EQ(*ParseServerUrl("https://[::1]:6443"), (kube::ServerUrl{true, "::1", 6443, ""}));
  EXPECT_EQ(*ParseServerUrl("https://[2001:DB8::1]/a"),
            (kube::ServerUrl{true, "2001:db8::1", 443, "/a"}));
  EXPECT_EQ(ParseServerUrl("https://[::1]:6443/a")->ToString(), "https://[::1]:6443/a");
}

TEST(ParseServerUrl, RefusesWhatItCannotConnectTo) {
  EXPECT_EQ(ErrorOf("api.example.com:6443"), "must begin with https:// or http://");
  EXPECT_EQ(ErrorOf("unix:///run/a"), "must begin with https:// or http://");
  EXPECT_EQ(ErrorOf("https://"), "must have a host name or IP address");
  EXPECT_EQ(ErrorOf("https://:6443"), "must have a host name or IP address");
  EXPECT_EQ(ErrorOf("https://a b"), "must have a host name or IP address");
  EXPECT_EQ(ErrorOf("https://::1:6443"), "must have an IPv6 address in brackets");
  EXPECT_EQ(ErrorOf("https://[::1"), "must have a ']' behind an IPv6 address");
  EXPECT_EQ(ErrorOf("https://[1.2.3.4]"), "must have an IPv6 address between '[' and ']'");
  EXPECT_EQ(ErrorOf("https://[fe80::1%25eth0]"), "must have an IPv6 address between '[' and ']'");
  EXPECT_EQ(ErrorOf("https://[::1]6443"), "must have ':' and a port behind ']'");
  for (const char* port : {"", "0", "65536", "-1", "+1", "6443x", "0x1"}) {
    EXPECT_EQ(ErrorOf(std::string("https://a:") + port),
              "must have a port of 1..65535 behind its host");
  }
  EXPECT_EQ(ErrorOf("https://a?b"), "must have no query and no fragment");
  EXPECT_EQ(ErrorOf("https://a/b#c"), "must have no query and no fragment");
  EXPECT_EQ(ErrorOf("https://a/b/../c"), "must have a path without . and ..");
  EXPECT_EQ(ErrorOf("https://a/b\r\nc"), "must have a path of characters that a URL may have");
}

TEST(ParseServerUrl, ShowsNoPassword) {
  EXPECT_EQ(ErrorOf("https://me:secret@a:6443"),
            "must not hold a user or password: they are the user's, in users");
}

}  // namespace
}  // namespace gw::config
