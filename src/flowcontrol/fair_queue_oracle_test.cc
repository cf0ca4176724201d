// FairQueue against one that looks at everything each time.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "flowcontrol/fair_queue.h"

namespace gw {
namespace {

class SlowQueue {
 public:
  explicit SlowQueue(FairQueue::Limits limits) : limits_(std::move(limits)) {}

  FairQueue::Refused Push(const FairQueue::Request& request) {
    Enter(request);
    size_t count = 0, bytes = 0;
    for (const Item& item : waiting_) {
      if (item.priority != request.priority) continue;
      ++count;
      bytes += item.bytes;
    }
    const bool many = count >= limits_.requests_max;
    const bool large = bytes + request.bytes > limits_.bytes_max;
    if (many || large) {
      Left(request.priority, std::string(request.tenant));
      return large ? FairQueue::Refused::kBytes : FairQueue::Refused::kRequests;
    }
    waiting_.push_back({request.id, request.priority, std::string(request.tenant), request.tokens,
                        request.bytes, request.since});
    return FairQueue::Refused::kNo;
  }
  std::optional<FairQueue::Id> Pop(int64_t* charged) {
    const auto next = Next();
    if (next == waiting_.end()) return std::nullopt;
    const Item item = *next;
    waiting_.erase(next);
    *charged = Start(item);
    return item.id;
  }
  std::optional<int64_t> Pass(const FairQueue::Request& request) {
    Enter(request);
    const Key key{request.priority, std::string(request.tenant)};
    if (!MayStart(key, request.tokens, TimePoint::max())) {
      Left(request.priority, std::string(request.tenant));
      return std::nullopt;
    }
    return Start({request.id, request.priority, std::string(request.tenant), request.tokens, 0});
  }
  bool Remove(FairQueue::Id id) {
    const auto found =
        std::ranges::find_if(waiting_, [&](const Item& item) { return item.id == id; });
    if (found == waiting_.end()) return false;
    const Item item = *found;
    waiting_.erase(found);
    Left(item.priority, item.tenant);
    return true;
  }
  void Settle(int priority, const std::string& tenant, int64_t prompt, int64_t charged,
              std::optional<int64_t> used) {
    Account& account = accounts_[{priority, tenant}];
    if (used) {
      const auto answer = static_cast<double>(std::max<int64_t>(0, *used - prompt));
      account.answer += 0.2 * (answer - account.answer);
      answer_[priority] += 0.2 * (answer - answer_[priority]);
    }
    account.counter += static_cast<double>(used.value_or(0) - charged) / terms_[tenant].weight;
    --account.in_flight;
    --requests_[tenant];
    tokens_[tenant] -= charged;
    Left(priority, tenant);
  }
  void SetElsewhere(const std::string& tenant, const FairQueue::Elsewhere& elsewhere) {
    elsewhere_[tenant] = elsewhere;
  }
  void ServedElsewhere(int priority, const std::string& tenant, int64_t tokens) {
    const Key key{priority, tenant};
    const auto found = accounts_.find(key);
    if (found == accounts_.end() || (!HasWaiting(key) && found->second.in_flight == 0)) return;
    Account& account = found->second;
    double change = static_cast<double>(tokens) / terms_[tenant].weight;
    if (change < -account.elsewhere) change = -account.elsewhere;
    if (const auto least = LeastReady(priority, key); change > 0 && least) {
      const double most = accounts_[*least].counter + 1e6 - account.counter;
      change = std::min(change, std::max(0.0, most));
    }
    account.counter += change;
    account.elsewhere += change;
    Left(priority, tenant);
  }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Item {
    FairQueue::Id id;
    int priority;
    std::string tenant;
    int64_t tokens;
    size_t bytes;
    TimePoint since;
  };
  struct Account {
    uint64_t number = 0;
    double counter = 0;
    double answer = 0;
    int in_flight = 0;
    double elsewhere = 0;
  };
  using Key = std::pair<int, std::string>;

  // Whether one may start besides as many as others have older ones.
  bool MayStart(const Key& key, int64_t prompt, TimePoint since) {
    const std::string& tenant = key.second;
    const FairQueue::Terms& terms = terms_[tenant];
    const FairQueue::Elsewhere& others = elsewhere_[tenant];
    int64_t requests = requests_[tenant] + others.requests;
    int64_t tokens = tokens_[tenant] + others.tokens;
    const int64_t each = std::max<int64_t>(1, Expected(key, prompt));
    const auto older = std::ranges::count_if(others.claims, [&](auto at) { return at < since; });
    for (int64_t more = 0; more <= older; ++more, ++requests, tokens += each) {
      if (terms.requests_max && requests >= *terms.requests_max) return false;
      if (terms.tokens_max && tokens >= *terms.tokens_max) return false;
    }
    return true;
  }
  bool HasWaiting(const Key& key) {
    return std::ranges::any_of(waiting_, [&](const Item& item) {
      return item.priority == key.first && item.tenant == key.second;
    });
  }
  bool IsReady(const Key& key) {
    if (!HasWaiting(key)) return false;
    TimePoint oldest = TimePoint::max();
    for (const Item& item : waiting_) {
      if (item.tenant == key.second) oldest = std::min(oldest, item.since);
    }
    return MayStart(key, FirstOf(key)->tokens, oldest);
  }
  std::optional<Key> LeastReady(int priority, const std::optional<Key>& but = std::nullopt) {
    std::optional<Key> least;
    for (const auto& [key, account] : accounts_) {
      if (key.first != priority || key == but || !IsReady(key)) continue;
      if (!least || std::pair(account.counter, account.number) <
                        std::pair(accounts_[*least].counter, accounts_[*least].number)) {
        least = key;
      }
    }
    return least;
  }
  double Entry(int priority) {
    const auto least = LeastReady(priority);
    return least ? accounts_[*least].counter : left_at_[priority];
  }
  void Enter(const FairQueue::Request& request) {
    const std::string tenant(request.tenant);
    terms_[tenant] = request.terms;
    const Key key{request.priority, tenant};
    priorities_.insert(request.priority);
    const bool is_new = !accounts_.contains(key);
    Account& account = accounts_[key];
    if (is_new) account = {++made_, 0, answer_[request.priority], 0};
    if (!HasWaiting(key)) account.counter = std::max(account.counter, Entry(request.priority));
  }
  std::list<Item>::iterator FirstOf(const Key& key) {
    return std::ranges::find_if(waiting_, [&](const Item& item) {
      return item.priority == key.first && item.tenant == key.second;
    });
  }
  std::list<Item>::iterator Next() {
    auto best = waiting_.end();
    for (auto it = priorities_.rbegin(); it != priorities_.rend(); ++it) {
      const auto least = LeastReady(*it);
      if (!least) continue;
      const auto first = FirstOf(*least);
      const double needed = static_cast<double>(Expected(*least, first->tokens));
      if (limits_.shares.contains(*it) && owed_[*it] >= needed) return first;
      if (best == waiting_.end()) best = first;
    }
    return best;
  }
  int64_t Expected(const Key& key, int64_t prompt) {
    return prompt + std::llround(accounts_[key].answer);
  }
  int64_t Start(const Item& item) {
    const Key key{item.priority, item.tenant};
    Account& account = accounts_[key];
    const int64_t tokens = Expected(key, item.tokens);
    account.counter += static_cast<double>(tokens) / terms_[item.tenant].weight;
    ++account.in_flight;
    ++requests_[item.tenant];
    tokens_[item.tenant] += tokens;
    if (!LeastReady(item.priority)) {
      left_at_[item.priority] = std::max(left_at_[item.priority], account.counter);
    }
    for (const auto& [priority, share] : limits_.shares) {
      const double served = static_cast<double>(tokens);
      owed_[priority] += share * served - (priority == item.priority ? served : 0);
      if (owed_[priority] < 0 || !LeastReady(priority)) owed_[priority] = 0;
    }
    ForgetIdle(item.priority);
    return tokens;
  }
  void Left(int priority, const std::string& tenant) {
    if (!LeastReady(priority)) {
      left_at_[priority] = std::max(left_at_[priority], accounts_[{priority, tenant}].counter);
    }
    ForgetIdle(priority);
  }
  void ForgetIdle(int priority) {
    std::erase_if(accounts_, [&](const auto& entry) {
      const auto& [key, account] = entry;
      return key.first == priority && account.in_flight == 0 && !HasWaiting(key) &&
             account.counter <= Entry(priority);
    });
  }

  const FairQueue::Limits limits_;
  std::list<Item> waiting_;
  std::map<Key, Account> accounts_;
  std::map<std::string, FairQueue::Terms> terms_;
  std::map<std::string, FairQueue::Elsewhere> elsewhere_;
  std::map<std::string, int64_t> requests_, tokens_;
  std::map<int, double> left_at_, answer_, owed_;
  std::set<int> priorities_;
  uint64_t made_ = 0;
};

// One run of both, in which all that can happen does.
class Both {
 public:
  explicit Both(uint64_t seed) : random_(seed), limits_(LimitsOf(seed)) {}

  void Step() {
    const uint64_t what = random_.Below(100);
    if (what < 10) {
      Pass();
    } else if (what < 40) {
      const FairQueue::Request request = SomeRequest();
      ASSERT_EQ(queue_.Push(request), slow_.Push(request));
    } else if (what < 65) {
      Pop();
    } else if (what < 70) {
      Elsewhere();
    } else if (what < 78) {
      const FairQueue::Id id = 1 + random_.Below(requests_.size() + 1);
      ASSERT_EQ(queue_.Remove(id), slow_.Remove(id));
    } else if (!in_flight_.empty()) {
      Settle(random_.Below(in_flight_.size()));
    }
    ASSERT_EQ(queue_.waiting(), slow_.waiting());
  }

 private:
  struct InFlight {
    FairQueue::Id id;
    FairQueue::Charge charge;
  };

  static FairQueue::Limits LimitsOf(uint64_t seed) {
    FairQueue::Limits limits{.requests_max = 30, .bytes_max = 2000};
    if (seed % 2 == 0) limits.shares = {{-1, 0.1}, {0, 0.25}};
    return limits;
  }

  const FairQueue::Request& SomeRequest() {
    static constexpr std::array kTenants = {"a", "b", "c", "d"};
    const size_t tenant = random_.Below(4);
    FairQueue::Terms& terms = terms_[tenant];
    if (random_.Below(20) == 0) {
      terms = {.weight = 1 + static_cast<double>(random_.Below(3))};
      if (random_.Below(2) == 0) terms.requests_max = 1 + random_.Below(3);
      if (random_.Below(3) == 0) terms.tokens_max = 500;
    }
    const FairQueue::Id id = requests_.size() + 1;
    return requests_[id] = {.id = id,
                            .priority = static_cast<int>(random_.Below(3)) - 1,
                            .tenant = kTenants[tenant],
                            .terms = terms,
                            .tokens = 1 + static_cast<int64_t>(random_.Below(400)),
                            .bytes = random_.Below(200),
                            .since = TimePoint(Duration(id))};
  }
  void Elsewhere() {
    const std::string tenant(1, static_cast<char>('a' + random_.Below(4)));
    if (random_.Below(2) == 0) {
      const auto tokens = static_cast<int64_t>(random_.Below(1500)) - 500;
      const int64_t times = random_.Below(20) == 0 ? 5000 : 1;
      const int priority = static_cast<int>(random_.Below(4)) - 1;
      queue_.ServedElsewhere(priority, tenant, tokens * times);
      return slow_.ServedElsewhere(priority, tenant, tokens * times);
    }
    FairQueue::Elsewhere others;
    if (random_.Below(3) > 0) {
      others.requests = static_cast<int64_t>(random_.Below(3));
      others.tokens = static_cast<int64_t>(random_.Below(300));
      for (uint64_t i = random_.Below(3); i > 0; --i) {
        others.claims.push_back(TimePoint(Duration(random_.Below(requests_.size() + 1))));
      }
    }
    const bool had_next = queue_.Peek().has_value();
    const bool may_go = queue_.SetElsewhere(tenant, others);
    slow_.SetElsewhere(tenant, others);
    // Who may go by it is not missed.
    ASSERT_TRUE(may_go || had_next || !queue_.Peek());
  }
  void Pass() {
    const FairQueue::Request& request = SomeRequest();
    auto charge = queue_.Pass(request);
    const auto charged = slow_.Pass(request);
    ASSERT_EQ(charge.has_value(), charged.has_value());
    if (!charge) return;
    ASSERT_EQ(charge->tokens(), *charged);
    in_flight_.push_back({request.id, *std::move(charge)});
  }
  void Pop() {
    const auto peeked = queue_.Peek();
    auto next = queue_.Pop();
    int64_t charged = 0;
    const auto expected = slow_.Pop(&charged);
    ASSERT_EQ(peeked, expected);
    ASSERT_EQ(next.has_value(), expected.has_value());
    if (!next) return;
    ASSERT_EQ(next->id, *expected);
    ASSERT_EQ(next->charge.tokens(), charged);
    in_flight_.push_back({next->id, std::move(next->charge)});
  }
  void Settle(size_t at) {
    InFlight& ended = in_flight_[at];
    const FairQueue::Request& request = requests_[ended.id];
    std::optional<int64_t> used;
    if (random_.Below(5) > 0) used = static_cast<int64_t>(random_.Below(900));
    slow_.Settle(request.priority, std::string(request.tenant), request.tokens,
                 ended.charge.tokens(), used);
    queue_.Settle(std::move(ended.charge), used);
    in_flight_.erase(in_flight_.begin() + static_cast<ptrdiff_t>(at));
  }

  Random random_;
  const FairQueue::Limits limits_;
  FairQueue queue_{limits_};
  SlowQueue slow_{limits_};
  std::array<FairQueue::Terms, 4> terms_;
  std::map<FairQueue::Id, FairQueue::Request> requests_;
  std::vector<InFlight> in_flight_;
};

TEST(FairQueue, ServesAsTheSlowOneDoes) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Both both(seed);
    for (int step = 0; step < 600; ++step) {
      both.Step();
      ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace gw
