#include "collect/wanted.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"

namespace gw {
namespace {

std::string Text(const std::string& pool_id, Runtime runtime, bool scraped,
                 const EndpointAccess* access) {
  return fmt::format("{} {} {} {}", pool_id, NameOf(runtime), scraped ? "scraped" : "probed",
                     access == nullptr ? "openly" : access->credential->value);
}

// Obvious and slow: looks through everything.
std::map<std::string, std::string> Expected(const Snapshot& snapshot) {
  std::map<std::string, std::string> all;
  for (const auto kind : {Pool::Kind::kInferencePool, Pool::Kind::kService}) {
    for (const auto& entry : snapshot.pools) {
      if (entry->pool.kind != kind) continue;
      for (const Endpoint& endpoint : entry->pool.endpoints) {
        all.emplace(endpoint.address,
                    Text(entry->pool.id, endpoint.runtime, kind == Pool::Kind::kInferencePool,
                         entry->pool.access.get()));
      }
    }
  }
  return all;
}

TEST(Wanted, FollowsWhatALookThroughEverythingFinds) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    EndpointTable table;
    const auto some_pool = [&](size_t index) {
      auto entry = std::make_shared<PoolEntry>();
      entry->pool.kind = index % 3 == 2 ? Pool::Kind::kService : Pool::Kind::kInferencePool;
      entry->pool.id = fmt::format("pool{}", index);
      if (const uint64_t key = random.Below(4); key > 0) {
        entry->pool.access = std::make_shared<const EndpointAccess>(
            EndpointAccess{.credential = EndpointAccess::Credential{.value = std::to_string(key)}});
      }
      for (uint64_t i = 1; i <= 12; ++i) {
        if (random.Below(3) > 0) continue;
        Endpoint endpoint;
        endpoint.ip = fmt::format("127.0.0.{}", i);
        endpoint.port = 8000;
        endpoint.address = endpoint.ip + ":8000";
        endpoint.runtime = random.Below(4) == 0 ? Runtime::kSglang : Runtime::kVllm;
        endpoint.state = table.Get(endpoint.address);
        entry->pool.endpoints.push_back(std::move(endpoint));
      }
      return entry;
    };
    Wanted wanted;
    auto snapshot = std::make_shared<Snapshot>();
    std::map<const EndpointState*, ScrapeTarget::Identity> known;
    for (int step = 0; step < 200; ++step) {
      auto next = std::make_shared<Snapshot>(*snapshot);
      if (next->pools.empty() || random.Below(20) == 0) {
        next->pools.resize(random.Below(7));
        for (size_t i = 0; i < next->pools.size(); ++i) next->pools[i] = some_pool(i);
      } else {
        for (uint64_t i = random.Below(3); i > 0; --i) {
          const size_t index = random.Below(next->pools.size());
          next->pools[index] = some_pool(index);
        }
      }
      Wanted::Change change = wanted.Follow(next);
      for (const EndpointState* state : change.gone) ASSERT_EQ(known.erase(state), 1u);
      for (auto& identity : change.put) known[identity.state.get()] = identity;
      snapshot = next;
      std::map<std::string, std::string> found;
      for (const auto& [state, identity] : known) {
        EXPECT_EQ(identity.address.ToString(), identity.name);
        found[identity.name] =
            Text(identity.pool_id, identity.runtime, identity.scraped, identity.access.get());
      }
      ASSERT_EQ(found, Expected(*snapshot)) << "seed " << seed << " step " << step;
    }
  }
}

TEST(Wanted, SaysNothingOfPoolsThatAreAsTheyWere) {
  EndpointTable table;
  auto snapshot = std::make_shared<Snapshot>();
  for (const char* ip : {"127.0.0.1", "127.0.0.2"}) {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = ip;
    entry->pool.endpoints.push_back({.ip = ip, .port = 80, .address = ip, .state = table.Get(ip)});
    snapshot->pools.push_back(entry);
  }
  Wanted wanted;
  EXPECT_EQ(wanted.Follow(snapshot).put.size(), 2u);
  auto next = std::make_shared<Snapshot>(*snapshot);
  auto changed = std::make_shared<PoolEntry>(*next->pools[1]);
  changed->pool.endpoints.clear();
  next->pools[1] = changed;
  const Wanted::Change change = wanted.Follow(next);
  EXPECT_TRUE(change.put.empty());
  EXPECT_EQ(change.gone.size(), 1u);
}

}  // namespace
}  // namespace gw
