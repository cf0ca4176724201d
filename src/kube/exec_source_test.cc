#include "kube/exec_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "base/text.h"

namespace gw::kube {
namespace {

using testing::HasSubstr;

class ExecSourceTest : public testing::Test {
 protected:
  ExecSourceTest() {
    access_.exec.emplace();
    access_.exec->api_version = kExecV1;
    Plugin("");
  }

  // Runs `shell` and then answers with a token of its own for each call, which expires at
  // `expires_unix_s`.
  void Plugin(const std::string& shell, int64_t expires_unix_s = 0) {
    const std::string expiry =
        expires_unix_s == 0 ? ""
                            : R"(,\"expirationTimestamp\":\")" + UtcText(expires_unix_s) + R"(\")";
    access_.exec->command = files_.WriteProgram(
        "plugin", "cd " + (files_ / ".") + "\necho x >>calls\n" + shell + "\n" +
                      R"(echo "{\"apiVersion\":\"client.authentication.k8s.io/v1\",)" +
                      R"(\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t$(wc -l <calls)\")" +
                      expiry + R"(}}")" + "\n");
  }
  size_t calls() const { return files_.Read("calls").size() / 2; }
  std::string ErrorOf(ExecSource& source) { return std::string(source.Get("").status().message()); }

  TestFolder files_;
  ManualClock clock_;  // begins one second after 1970 did
  AccessOptions access_;
};

TEST_F(ExecSourceTest, WhatDoesNotExpireIsAskedForOnce) {
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  clock_.Advance(std::chrono::hours(1000));
  EXPECT_EQ(source.Get("")->token, "t1");
  EXPECT_EQ(calls(), 1u);
}

TEST_F(ExecSourceTest, WhatWasRefusedIsAskedForAnew) {
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  source.Expire();
  EXPECT_EQ(source.Get("")->token, "t2");
}

TEST_F(ExecSourceTest, ItIsAskedAgainShortlyBeforeExpiry) {
  Plugin("", 1001);
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  clock_.Advance(std::chrono::seconds(969));
  EXPECT_EQ(source.Get("")->token, "t1");
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(source.Get("")->token, "t2");
}

TEST_F(ExecSourceTest, AShortLifeIsUsedForFourFifths) {
  Plugin("", 11);
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  clock_.Advance(std::chrono::milliseconds(7999));
  EXPECT_EQ(source.Get("")->token, "t1");
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(source.Get("")->token, "t2");
}

TEST_F(ExecSourceTest, OneThatHasExpiredIsUsedButNotForLong) {
  Plugin("", 1);
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  EXPECT_EQ(source.Get("")->token, "t1");
  clock_.Advance(ExecSource::kAskAgain);
  EXPECT_EQ(source.Get("")->token, "t2");
}

TEST_F(ExecSourceTest, AFailureBeforeExpiryLeavesTheCredential) {
  Plugin("test -e broken && exit 1", 101);
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  files_.Write("broken", "");
  clock_.Advance(std::chrono::seconds(85));
  EXPECT_EQ(source.Get("")->token, "t1");
  EXPECT_EQ(source.Get("")->token, "t1");
  EXPECT_EQ(calls(), 2u);  // not with every request
  clock_.Advance(std::chrono::seconds(15));
  EXPECT_THAT(ErrorOf(source), HasSubstr("ended with exit status 1"));
  files_.Remove("broken");
  EXPECT_EQ(source.Get("")->token, "t4");
}

TEST_F(ExecSourceTest, AFailureAfterARefusalIsAnError) {
  Plugin("test -e broken && exit 1");
  ExecSource source(access_, clock_);
  EXPECT_EQ(source.Get("")->token, "t1");
  files_.Write("broken", "");
  source.Expire();
  EXPECT_FALSE(source.Get("").ok());
}

TEST_F(ExecSourceTest, ItIsToldWhatItIsAskedFor) {
  Plugin("echo \"$KUBERNETES_EXEC_INFO\" >info; echo \"$1 $A\" >rest");
  access_.exec->provide_cluster_info = true;
  access_.exec->args = {"get-token"};
  access_.exec->env = {{"A", "b"}};
  access_.server.host = "api";
  ExecSource source(access_, clock_);
  ASSERT_TRUE(source.Get("ca").ok());
  EXPECT_EQ(files_.Read("info"), ExecInfo(access_, "ca") + "\n");
  EXPECT_EQ(files_.Read("rest"), "get-token b\n");
}

TEST_F(ExecSourceTest, ErrorsNameThePluginAndWhatItDid) {
  const std::string plugin = "credential plug-in " + access_.exec->command;
  ExecSource source(access_, clock_);
  Plugin("echo secret-reason >&2; exit 3");
  EXPECT_EQ(ErrorOf(source), plugin + " ended with exit status 3");
  Plugin("kill -KILL $$");
  EXPECT_EQ(ErrorOf(source), plugin + " was ended by signal 9");
  Plugin("echo secret; exit 0");
  EXPECT_THAT(ErrorOf(source), HasSubstr(plugin + " gave no credential: the answer must be JSON"));
  EXPECT_THAT(ErrorOf(source), testing::Not(HasSubstr("secret")));
  Plugin("head -c 10000000 /dev/zero");
  EXPECT_EQ(ErrorOf(source), plugin + " was killed: it wrote more than 1048576 bytes");
  access_.exec->timeout = std::chrono::milliseconds(300);
  Plugin("sleep 1000");
  EXPECT_EQ(ErrorOf(source), plugin + " was killed: it took longer than 1 s");
  files_.Remove("plugin");
  EXPECT_EQ(ErrorOf(source), plugin + " is not there");
  access_.exec->install_hint = "apt install it";
  EXPECT_EQ(ErrorOf(source), plugin + " is not there: apt install it");
}

}  // namespace
}  // namespace gw::kube
