#include "config/kubernetes/kubeconfig.h"

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "tls/test_certificates.h"

namespace gw::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class KubeconfigTest : public testing::Test {
 protected:
  // A file with one context, cluster and user, called "a"; `user` and `cluster` are flow maps.
  void Write(const std::string& user, const std::string& cluster = "{server: https://api:6443}",
             const std::string& name = "config") {
    folder_.Write(name,
                  "apiVersion: v1\n"
                  "kind: Config\n"
                  "preferences: {}\n"
                  "current-context: a\n"
                  "contexts:\n"
                  "- name: a\n"
                  "  context: {cluster: a, user: a, namespace: ns}\n"
                  "clusters:\n"
                  "- name: a\n"
                  "  cluster: " +
                      cluster +
                      "\n"
                      "users:\n"
                      "- name: a\n"
                      "  user: " +
                      user + "\n");
  }
  absl::StatusOr<ClusterAccess> Read(const std::string& context = "") {
    return ReadKubeconfig({folder_ / "config", context}, {});
  }
  std::string Error() { return std::string(Read().status().message()); }
  std::string UserError(const std::string& user) {
    Write(user);
    return Error();
  }
  std::string ClusterError(const std::string& cluster) {
    Write("{}", cluster);
    return Error();
  }
  std::string At(int line) {
    return " (" + (folder_ / "config") + ":" + std::to_string(line) + ")";
  }

  TestFolder folder_;
};

TEST_F(KubeconfigTest, ANamedKubeconfigGoesBeforeTheServiceAccountAndThatBeforeHome) {
  Write("{}");
  folder_.Write("token", "t");
  folder_.Write("ca.crt", "c");
  const KubeEnvironment pod = {
      .home = folder_.path(), .service_host = "10.0.0.1", .service_port = "443"};
  const std::string file = "context \"a\" (" + folder_ / "config" + ")";
  EXPECT_EQ(FindClusterAccess({}, pod, folder_.path())->source, "service account");
  EXPECT_EQ(FindClusterAccess({.file = folder_ / "config"}, pod, folder_.path())->source, file);
  KubeEnvironment named = pod;
  named.kubeconfig = folder_ / "config";
  EXPECT_EQ(FindClusterAccess({}, named, folder_.path())->source, file);
  EXPECT_EQ(FindClusterAccess({.context = "a"}, named, folder_.path())->source, file);
  EXPECT_FALSE(FindClusterAccess({}, {.home = folder_.path()}, folder_.path()).ok());
}

std::string Base64(const std::string& text) { return absl::Base64Escape(text); }

TEST_F(KubeconfigTest, AWholeOneIsRead) {
  Write("{token: abc}",
        "{server: 'https://api:6443/k8s', tls-server-name: kubernetes, "
        "certificate-authority: ca.crt, disable-compression: true}");
  const auto access = Read();
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->ns, "ns");
  EXPECT_EQ(access->source, "context \"a\" (" + (folder_ / "config") + ")");
  kube::AccessOptions wanted;
  wanted.server = {true, "api", 6443, "/k8s"};
  wanted.tls_server_name = "kubernetes";
  wanted.disable_compression = true;
  wanted.ca.file = folder_ / "ca.crt";
  wanted.token = "abc";
  EXPECT_EQ(access->access, wanted);
}

TEST_F(KubeconfigTest, AUserWithoutCredentialsIsAllowed) {
  for (const char* user : {"{}", "", "null", "{token: '', client-key: '', extensions: [{a: b}]}"}) {
    Write(user);
    const auto access = Read();
    ASSERT_TRUE(access.ok()) << access.status();
    kube::AccessOptions wanted;
    wanted.server = {true, "api", 6443, ""};
    EXPECT_EQ(access->access, wanted);
  }
}

TEST_F(KubeconfigTest, AContextWithoutUserAndNamespaceIsAllowed) {
  folder_.Write("config",
                "contexts: [{name: a, context: {cluster: a, user: '', namespace: ''}}]\n"
                "clusters: [{name: a, cluster: {server: 'http://localhost:8001'}}]\n");
  const auto access = Read("a");
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->ns, "default");
  EXPECT_FALSE(access->access.server.tls);
}

TEST_F(KubeconfigTest, PathsAreRelativeToTheFolderOfTheFile) {
  Write("{tokenFile: token, client-certificate: tls/c.crt, client-key: /abs/c.key}",
        "{server: 'https://api:6443', certificate-authority: ../ca.crt}");
  const auto access = Read();
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->access.token_file, folder_ / "token");
  EXPECT_EQ(access->access.client_certificate.file, folder_ / "tls/c.crt");
  EXPECT_EQ(access->access.client_key.file, "/abs/c.key");
  EXPECT_EQ(access->access.ca.file, folder_ / "../ca.crt");
}

TEST_F(KubeconfigTest, DataWinsOverAFile) {
  const TestCertificate client = ServerCertificate("client");
  Write("{client-certificate: c.crt, client-certificate-data: " + Base64(client.pem) +
            ", client-key: c.key, client-key-data: " + Base64(client.key_pem()) + "}",
        "{server: 'https://api:6443', certificate-authority: ca.crt, "
        "certificate-authority-data: " +
            Base64(TestAuthority().pem) + "}");
  const auto access = Read();
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->access.ca.text, TestAuthority().pem);
  EXPECT_EQ(access->access.ca.name,
            "clusters[\"a\"].cluster.certificate-authority-data (" + (folder_ / "config") + ":10)");
  EXPECT_EQ(access->access.client_certificate.text, client.pem);
  EXPECT_EQ(access->access.client_key.text, client.key_pem());
}

TEST_F(KubeconfigTest, AnExecUserIsRead) {
  Write(
      "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/login, "
      "args: [get-token, --id, '7'], env: [{name: A, value: b}, {name: C}], "
      "interactiveMode: IfAvailable, provideClusterInfo: true, installHint: install it}}",
      "{server: 'https://api:6443', extensions: [{name: other, extension: 1}, "
      "{name: client.authentication.k8s.io/exec, extension: {audience: x, n: 1}}]}");
  const auto access = Read();
  ASSERT_TRUE(access.ok()) << access.status();
  ASSERT_TRUE(access->access.exec.has_value());
  kube::ExecOptions wanted;
  wanted.command = folder_ / "./bin/login";
  wanted.args = {"get-token", "--id", "7"};
  wanted.env = {{"A", "b"}, {"C", ""}};
  wanted.api_version = "client.authentication.k8s.io/v1";
  wanted.install_hint = "install it";
  wanted.provide_cluster_info = true;
  wanted.cluster_config_json = R"({"audience":"x","n":1})";
  EXPECT_EQ(*access->access.exec, wanted);
}

TEST_F(KubeconfigTest, ACommandWithoutASlashIsLookedForAlongPath) {
  Write("{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, env: null}}");
  const auto access = Read();
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->access.exec->command, "aws");
  EXPECT_EQ(access->access.exec->api_version, "client.authentication.k8s.io/v1beta1");
}

TEST_F(KubeconfigTest, OfTwoFilesTheFirstThatHasANameWins) {
  Write("{token: first}", "{server: https://first}", "one");
  folder_.Write("two",
                "current-context: b\n"
                "contexts:\n"
                "- {name: a, context: {cluster: b, user: b}}\n"
                "- {name: b, context: {cluster: a, user: b, namespace: two}}\n"
                "clusters: [{name: a, cluster: {server: 'https://second', proxy-url: p}}]\n"
                "users: [{name: b, user: {tokenFile: t}}, {name: a, user: {token: second}}]\n");
  KubeEnvironment environment;
  environment.kubeconfig =
      ":" + (folder_ / "none") + ":" + (folder_ / "one") + ":" + (folder_ / "two") + ":";
  auto access = ReadKubeconfig({}, environment);
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->access.server.host, "first");
  EXPECT_EQ(access->access.token, "first");
  access = ReadKubeconfig({"", "b"}, environment);  // of the second file, its cluster of the first
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->ns, "two");
  EXPECT_EQ(access->access.server.host, "first");
  EXPECT_EQ(access->access.token_file, folder_ / "t");
}

TEST_F(KubeconfigTest, WithoutKubeconfigThatOfTheHomeIsRead) {
  Write("{token: home}", "{server: https://api}", ".kube/config");
  KubeEnvironment environment;
  environment.home = folder_.path();
  EXPECT_EQ(ReadKubeconfig({}, environment)->access.token, "home");
  EXPECT_EQ(ReadKubeconfig({}, {}).status().message(),
            "no kubeconfig: neither KUBECONFIG nor HOME is set");
}

TEST_F(KubeconfigTest, MissingFilesAreNamed) {
  EXPECT_EQ(Error(), (folder_ / "config") + ": cannot read: No such file or directory");
  KubeEnvironment environment;
  environment.kubeconfig = "/none/a:/none/b";
  EXPECT_EQ(ReadKubeconfig({}, environment).status().message(),
            "no kubeconfig: there is no /none/a and no /none/b");
}

TEST_F(KubeconfigTest, MissingNamesAreNamed) {
  const std::string file = folder_ / "config";
  Write("{}");
  EXPECT_EQ(Read("b").status().message(), "context \"b\" is in none of " + file);
  folder_.Write("config", "contexts: [{name: a, context: {cluster: c, user: u}}]");
  EXPECT_EQ(Read("a").status().message(),
            "user \"u\", which context \"a\" names, is in none of " + file);
  folder_.Write("config", "contexts: [{name: a, context: {cluster: c}}]");
  EXPECT_EQ(Read("a").status().message(),
            "cluster \"c\", which context \"a\" names, is in none of " + file);
  EXPECT_EQ(Error(), "current-context: must be set where no context is chosen (" + file + ")");
  folder_.Write("config", "");
  EXPECT_EQ(Error(), "current-context: must be set where no context is chosen (" + file + ")");
}

TEST_F(KubeconfigTest, WhatIsNoKubeconfigIsTold) {
  folder_.Write("config", "kind: Pod\n");
  EXPECT_EQ(Error(), "kind: must be Config in a kubeconfig, got \"Pod\"" + At(1));
  folder_.Write("config", "- a\n");
  EXPECT_EQ(Error(), (folder_ / "config") + ": must be a kubeconfig, is a list");
  folder_.Write("config", "a: [\n");
  EXPECT_THAT(Error(), HasSubstr((folder_ / "config") + ":"));
  folder_.Write("config", "current-context: a\ncontexts: {}\n");
  EXPECT_EQ(Error(), "contexts: must be a list" + At(2));
  folder_.Write("config", "current-context: a\ncontexts: [{name: a}]\n");
  EXPECT_EQ(Error(), "contexts[\"a\"].context: must be a map with a cluster" + At(2));
  folder_.Write("config", "current-context: a\ncontexts: [{name: a}, {name: a}]\n");
  EXPECT_EQ(Error(), "contexts: must have the name \"a\" once" + At(2));
}

TEST_F(KubeconfigTest, OtherEntriesAreNotLookedAt) {
  Write("{token: abc}");
  std::string text = "- {name: b, user: {auth-provider: {name: gcp}, nonsense: 1}}\n- 5\n- {}\n";
  std::ofstream(folder_ / "config", std::ios::app) << text;
  EXPECT_TRUE(Read().ok()) << Read().status();
}

TEST_F(KubeconfigTest, ClustersAreReadStrictly) {
  const std::string path = "clusters[\"a\"].cluster";
  EXPECT_EQ(ClusterError("{}"), path + ".server: is required" + At(10));
  EXPECT_EQ(ClusterError(""), path + ": must be a map with a server" + At(10));
  EXPECT_EQ(ClusterError("{server: 'api:6443'}"),
            path + ".server: must begin with https:// or http://" + At(10));
  EXPECT_EQ(
      ClusterError("{server: 'https://a', proxy-url: 'http://me:secret@proxy'}"),
      path + ".proxy-url: is not supported: the API server is connected to directly" + At(10));
  EXPECT_EQ(
      ClusterError(
          "{server: 'https://a', insecure-skip-tls-verify: true, certificate-authority: c}"),
      path + ".insecure-skip-tls-verify: must not be true beside a certificate-authority" + At(10));
  EXPECT_EQ(
      ClusterError("{server: 'https://a', certificate-authority-data: '%%%'}"),
      path + ".certificate-authority-data: must be base64, got 3 characters that are not" + At(10));
  EXPECT_EQ(
      ClusterError("{server: 'https://a', certificate-authority-data: aGVsbG8=}"),
      path + ".certificate-authority-data: must have a certificate in PEM, has none" + At(10));
  EXPECT_EQ(ClusterError("{server: 'https://a', certificate-authoriti: b}"),
            path +
                ".certificate-authoriti: unknown field, did you mean "
                "\"certificate-authority\"?" +
                At(10));
  EXPECT_EQ(ClusterError("{server: 'http://a', certificate-authority: c}"),
            path + ": must have an https server, as it says what certificate to believe" + At(10));
  EXPECT_EQ(ClusterError("{server: 'https://a', tls-server-name: 'a b'}"),
            path + ".tls-server-name: must be a host name or an IP address" + At(10));
}

TEST_F(KubeconfigTest, InsecureIsRead) {
  Write("{}", "{server: 'https://[::1]:6443', insecure-skip-tls-verify: true}");
  const auto access = Read();
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_TRUE(access->access.insecure_skip_tls_verify);
  EXPECT_EQ(access->access.server.host, "::1");
}

TEST_F(KubeconfigTest, CredentialsDoNotGoOverHttp) {
  for (const char* user : {"{token: secret}", "{tokenFile: t}", "{username: u, password: secret}",
                           "{client-certificate: a, client-key: b}"}) {
    Write(user, "{server: 'http://a'}");
    EXPECT_EQ(Error(),
              "clusters[\"a\"].cluster.server: must be https: over http the user's credentials "
              "would be there to read" +
                  At(10));
  }
}

TEST_F(KubeconfigTest, UsersAreReadStrictly) {
  const std::string path = "users[\"a\"].user";
  EXPECT_EQ(UserError("{auth-provider: {name: oidc, config: {id-token: secret}}}"),
            path +
                ".auth-provider: is not supported: Kubernetes 1.26 removed such providers; "
                "use exec" +
                At(13));
  EXPECT_EQ(UserError("{as: someone}"),
            path + ".as: is not supported: we are nobody else than the user" + At(13));
  EXPECT_EQ(UserError("{client-certificate: a}"),
            path + ": must have a client-certificate and a client-key, or their -data, or neither" +
                At(13));
  EXPECT_EQ(UserError("{username: 'a:b', password: secret}"),
            path + ".username: must have no ':', which ends it (RFC 7617)" + At(13));
  EXPECT_EQ(UserError("{password: secret}"),
            path + ": must have a username beside its password" + At(13));
  EXPECT_EQ(UserError("{token: secret, username: a}"),
            path + ": must have a token or a username, not both" + At(13));
  EXPECT_EQ(UserError("{tokn: secret}"),
            path + ".tokn: unknown field, did you mean \"token\"?" + At(13));
  EXPECT_EQ(UserError("{token: \"secret\\nsecret\"}"),
            path + ".token: must be visible ASCII characters without spaces" + At(13));
}

TEST_F(KubeconfigTest, PluginsAreReadStrictly) {
  const std::string path = "users[\"a\"].user.exec";
  const auto error = [this](const std::string& fields) {
    return UserError("{exec: {apiVersion: client.authentication.k8s.io/v1, " + fields + "}}");
  };
  EXPECT_EQ(
      error("command: c, interactiveMode: Always"),
      path + ".interactiveMode: Always is not supported: nobody is there to be asked" + At(13));
  EXPECT_EQ(error("command: c"), path + ".interactiveMode: is required" + At(13));
  EXPECT_EQ(error("interactiveMode: Never"), path + ".command: is required" + At(13));
  EXPECT_EQ(error("command: c, interactiveMode: Never, env: [{name: 'A=b'}]"),
            path + ".env[0].name: must have no '='" + At(13));
  EXPECT_EQ(UserError("{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: c, "
                      "interactiveMode: Never}}"),
            path +
                ".apiVersion: must be one of client.authentication.k8s.io/v1, "
                "client.authentication.k8s.io/v1beta1, got "
                "\"client.authentication.k8s.io/v1alpha1\"" +
                At(13));
  EXPECT_EQ(UserError("{token: t, exec: {apiVersion: client.authentication.k8s.io/v1, command: c, "
                      "interactiveMode: Never}}"),
            "users[\"a\"].user: must have exec, or what it would give, not both" + At(13));
}

TEST_F(KubeconfigTest, NoSecretIsShownWhereverItStands) {
  for (const char* user :
       {"{token: 271828}", "{password: 271828}", "{client-key-data: 271828}", "271828", "[271828]",
        "'271828'", "{exec: '271828'}", "{exec: {command: {a: 271828}}}",
        "{exec: {args: [271828]}}", "{exec: {args: '271828'}}", "{exec: {env: '271828'}}",
        "{exec: {env: ['271828']}}", "{exec: {env: [{name: a, value: 271828}]}}",
        "{exec: {provideClusterInfo: '271828'}}", "{token: [271828]}",
        "{client-certificate: a, client-key-data: '%271828'}",
        "{client-certificate-data: MjcxODI4, client-key-data: MjcxODI4}"}) {
    EXPECT_THAT(UserError(user), AllOf(HasSubstr("users[\"a\"].user"), HasSubstr("config:13"),
                                       Not(HasSubstr("271828")), Not(HasSubstr("MjcxODI4"))))
        << user;
  }
}

TEST_F(KubeconfigTest, EverythingThatIsWrongIsToldAtOnce) {
  Write("{as: a, token: 1}", "{server: x, proxy-url: y}");
  EXPECT_THAT(Error(), AllOf(HasSubstr("user.token: must be text"), HasSubstr("cluster.server: "),
                             HasSubstr("cluster.proxy-url: ")));
}

class InClusterAccessTest : public testing::Test {
 protected:
  InClusterAccessTest() {
    environment_.service_host = "10.0.0.1";
    environment_.service_port = "443";
    folder_.Write("token", "t");
    folder_.Write("ca.crt", "c");
    folder_.Write("namespace", "ns\n");
  }
  std::string Error() {
    return std::string(InClusterAccess(environment_, folder_.path()).status().message());
  }

  TestFolder folder_;
  KubeEnvironment environment_;
};

TEST_F(InClusterAccessTest, TheServiceAccountIsUsed) {
  const auto access = InClusterAccess(environment_, folder_.path());
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->ns, "ns");
  EXPECT_EQ(access->source, "service account");
  kube::AccessOptions wanted;
  wanted.server = {true, "10.0.0.1", 443, ""};
  wanted.token_file = folder_ / "token";
  wanted.ca.file = folder_ / "ca.crt";
  EXPECT_EQ(access->access, wanted);
}

TEST_F(InClusterAccessTest, TheHostMayBeIpv6) {
  environment_.service_host = "fd00::1";
  EXPECT_EQ(InClusterAccess(environment_, folder_.path())->access.server.ToString(),
            "https://[fd00::1]:443");
}

TEST_F(InClusterAccessTest, ANamespaceNeedNotBeThere) {
  folder_.Remove("namespace");
  EXPECT_EQ(InClusterAccess(environment_, folder_.path())->ns, "default");
  folder_.Write("namespace", "A b");
  EXPECT_EQ(Error(), folder_ / "namespace" + ": must be a DNS label, got \"A b\"");
}

TEST_F(InClusterAccessTest, ErrorsNameWhatIsMissing) {
  environment_.service_port = "tcp://10.0.0.1:443";
  EXPECT_EQ(Error(), "KUBERNETES_SERVICE_PORT: must be 1..65535, got \"tcp://10.0.0.1:443\"");
  environment_.service_port = "443";
  environment_.service_host = "a/b";
  EXPECT_EQ(Error(), "KUBERNETES_SERVICE_HOST: must be an IP address or a host name, got \"a/b\"");
  environment_.service_host = "10.0.0.1";
  folder_.Remove("ca.crt");
  EXPECT_EQ(Error(), folder_ / "ca.crt" + ": cannot read: No such file or directory");
  folder_.Remove("token");
  EXPECT_EQ(Error(), folder_ / "token" + ": cannot read: No such file or directory");
  EXPECT_EQ(InClusterAccess({}, folder_.path()).status().message(),
            "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be set");
}

}  // namespace
}  // namespace gw::config
