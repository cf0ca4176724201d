#include "dns/resolver.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "base/mutex.h"
#include "dns/fake_dns.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Waits for a table that has what is looked for.
class ResolverTest : public testing::Test {
 protected:
  void Start(ResolverOptions options = {}) {
    options.servers = dns_.address();
    options.cache.lifetime_min = milliseconds(20);
    options.cache.retry_min = milliseconds(20);
    auto started = Resolver::Start(options, metrics_, [this] {
      const MutexLock lock(mutex_);
      ++changes_;
      changed_.notify_all();
    });
    ASSERT_TRUE(started.ok()) << started.status();
    resolver_ = *std::move(started);
  }
  template <typename Holds>
  bool Await(Holds holds) {
    const TimePoint end = RealClock().Now() + seconds(20);
    const MutexLock lock(mutex_);
    while (!holds(*resolver_->table())) {
      if (RealClock().Now() > end) return false;
      mutex_.WaitUntil(changed_, RealClock().Now() + milliseconds(200));
    }
    return true;
  }
  bool AwaitIps(const std::string& name, const std::vector<std::string>& ips) {
    return Await([&](const NameTable& table) {
      const auto found = table.find(name);
      return found != table.end() && found->second.asked && found->second.ips == ips;
    });
  }

  FakeDns dns_;
  MetricRegistry metrics_;
  Mutex mutex_;
  std::condition_variable changed_;
  int changes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Resolver> resolver_;  // ends first
};

TEST_F(ResolverTest, FindsAddressesOfSeveralNames) {
  dns_.Set("models.example.com", {.ips = {"192.0.2.2", "192.0.2.1"}});
  dns_.Set("other.example.com", {.ips = {"192.0.2.9"}});
  Start();
  resolver_->SetWanted({"models.example.com", "other.example.com"});
  resolver_->WaitForAll(seconds(20));
  const auto table = resolver_->table();
  EXPECT_EQ(table->at("models.example.com").ips,
            (std::vector<std::string>{"192.0.2.1", "192.0.2.2"}));
  EXPECT_EQ(table->at("other.example.com").ips, (std::vector<std::string>{"192.0.2.9"}));
}

TEST_F(ResolverTest, TakesIpv6WhereThereIsNoIpv4) {
  dns_.Set("both.example.com", {.ips = {"2001:db8::1", "192.0.2.1"}});
  dns_.Set("six.example.com", {.ips = {"2001:db8::2"}});
  Start();
  resolver_->SetWanted({"both.example.com", "six.example.com"});
  EXPECT_TRUE(AwaitIps("both.example.com", {"192.0.2.1"}));
  EXPECT_TRUE(AwaitIps("six.example.com", {"2001:db8::2"}));
}

TEST_F(ResolverTest, AsksAgainWhenTheLifetimeIsOver) {
  dns_.Set("moves.example.com", {.ips = {"192.0.2.1"}, .lifetime_s = 0});
  Start();
  resolver_->SetWanted({"moves.example.com"});
  ASSERT_TRUE(AwaitIps("moves.example.com", {"192.0.2.1"}));
  dns_.Set("moves.example.com", {.ips = {"192.0.2.7"}, .lifetime_s = 0});
  EXPECT_TRUE(AwaitIps("moves.example.com", {"192.0.2.7"}));
}

TEST_F(ResolverTest, AnAliasIsAskedForAgainWhenItsOwnLifetimeIsOver) {
  dns_.Set("alias.example.com",
           {.ips = {"192.0.2.1"}, .lifetime_s = 3600, .alias_of = "real.example.com"});
  Start();
  resolver_->SetWanted({"alias.example.com"});
  ASSERT_TRUE(AwaitIps("alias.example.com", {"192.0.2.1"}));
  dns_.Set("alias.example.com", {.ips = {"192.0.2.2"}, .alias_of = "real.example.com"});
  EXPECT_TRUE(AwaitIps("alias.example.com", {"192.0.2.2"})) << "the alias lived for 2 s";
}

TEST_F(ResolverTest, TellsThatANameDoesNotExist) {
  dns_.Set("gone.example.com", {.exists = false});
  Start();
  resolver_->SetWanted({"gone.example.com"});
  EXPECT_TRUE(Await([](const NameTable& table) {
    const auto found = table.find("gone.example.com");
    return found != table.end() && found->second.asked && found->second.ips.empty() &&
           !found->second.error.empty();
  }));
}

TEST_F(ResolverTest, KeepsWhatItKnewWhileTheServerIsSilent) {
  dns_.Set("kept.example.com", {.ips = {"192.0.2.1"}, .lifetime_s = 0});
  ResolverOptions options;
  options.try_timeout = milliseconds(30);
  options.tries = 1;
  Start(options);
  resolver_->SetWanted({"kept.example.com"});
  ASSERT_TRUE(AwaitIps("kept.example.com", {"192.0.2.1"}));
  dns_.Set("kept.example.com", {.answers = false});
  EXPECT_TRUE(Await([](const NameTable& table) {
    return !table.at("kept.example.com").error.empty() &&
           table.at("kept.example.com").ips == std::vector<std::string>{"192.0.2.1"};
  }));
  dns_.Set("kept.example.com", {.ips = {"192.0.2.1"}});
  EXPECT_TRUE(
      Await([](const NameTable& table) { return table.at("kept.example.com").error.empty(); }));
}

TEST_F(ResolverTest, NothingOfASearchListIsPutBehindAName) {
  dns_.Set("absent", {.exists = false});
  Start();
  resolver_->SetWanted({"absent"});
  ASSERT_TRUE(Await([](const NameTable& table) { return table.at("absent").asked; }));
  EXPECT_GT(dns_.questions("absent"), 0);
}

TEST_F(ResolverTest, AllNamesAreAskedForThoughOneAtATime) {
  ResolverOptions options;
  options.lookups_max = 1;
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) {
    names.insert("n" + std::to_string(i) + ".example.com");
    dns_.Set("n" + std::to_string(i) + ".example.com", {.ips = {"192.0.2.1"}});
  }
  Start(options);
  resolver_->SetWanted(names);
  resolver_->WaitForAll(seconds(20));
  for (const auto& [name, known] : *resolver_->table()) EXPECT_EQ(known.ips.size(), 1u) << name;
  EXPECT_NE(metrics_.Render().find("penstock_limit_reached_total{limit=\"dns_lookups\"} 1"),
            std::string::npos);
}

TEST_F(ResolverTest, AHostsFileComesFirst) {
  Start();
  resolver_->SetWanted({"localhost"});
  EXPECT_TRUE(AwaitIps("localhost", {"127.0.0.1"}));
  EXPECT_EQ(dns_.questions("localhost"), 0);
}

TEST(CheckDnsServers, WantsAddresses) {
  for (const char* good : {"10.0.0.10", "10.0.0.10:5353", "10.0.0.1,10.0.0.2:53", "[::1]:53"}) {
    EXPECT_TRUE(CheckDnsServers(good).ok()) << good;
  }
  for (const char* bad : {"", "dns.example.com", "10.0.0.300", "10.0.0.1;10.0.0.2"}) {
    EXPECT_FALSE(CheckDnsServers(bad).ok()) << bad;
  }
}

TEST_F(ResolverTest, EndsWhileItWaitsForAnAnswer) {
  dns_.Set("silent.example.com", {.answers = false});
  Start();
  resolver_->SetWanted({"silent.example.com"});
  while (dns_.questions("silent.example.com") == 0) std::this_thread::yield();
  resolver_.reset();
}

}  // namespace
}  // namespace gw
