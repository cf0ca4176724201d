// FairQueue: which of the requests that wait is next.
//
// Strictly by priority, the highest first. A priority may have a smallest share, so that batch work
// trickles on under interactive load. Inside a priority tenants are served alike, by tokens and not
// by requests, or as their weights say: the Virtual Token Counter of Sheng et al., "Fairness in
// Serving Large Language Models" (OSDI 2024). It counts for each tenant the tokens that it was
// served, over its weight; the tenant with the least of those that have something waiting is next.
// Who comes back from nothing waiting is lifted to the least of the others: nobody saves up, and
// who waits has had its turn once the others have had as much. Inside a tenant: first come, first
// served.
//
// What a request uses is known when it has ended. It is charged at its start for its prompt and for
// as long an answer as its tenant's have been lately, and the difference at its end.
//
// A tenant may have a ceiling of requests and of tokens that are in flight, whatever their
// priority. While it is reached its requests wait and stand in nobody's way.
//
// Other gateways serve the same tenants: what they did is charged to those that wait or are served
// here, too, so that shares hold over all gateways, and what they have in flight counts for the
// ceiling. A place below it that comes free goes to the gateway whose request has waited longest:
// as many are left here as there are gateways that claim one for an older request. Priorities are
// each gateway's own.
//
// All but the visits costs O(log n) of the tenants of a priority, however many requests wait;
// Remove of one in the middle O(1). One thread at a time; reads no clock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "flowcontrol/fair_values.h"

namespace gw {

class FairQueue {
 public:
  using Id = uint64_t;
  static constexpr int kAnyPriority = std::numeric_limits<int>::min();
  using Limits = fair::Limits;
  using Terms = fair::Terms;
  using Request = fair::Request;
  using Ready = fair::Ready;
  using Ahead = fair::Ahead;
  using TenantView = fair::TenantView;
  using Served = fair::Served;
  using Elsewhere = fair::Elsewhere;
  using Held = fair::Held;

  enum class Refused : uint8_t { kNo, kRequests, kBytes };

 private:
  struct Tenant;
  struct Account;
  struct Band;

 public:
  // What a request in flight was charged. Moved, and settled once.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept { *this = std::move(other); }
    Charge& operator=(Charge&& other) noexcept {
      account_ = std::exchange(other.account_, nullptr);
      prompt_tokens_ = other.prompt_tokens_;
      tokens_ = other.tokens_;
      return *this;
    }
    bool held() const { return account_ != nullptr; }
    int64_t tokens() const { return tokens_; }

   private:
    friend class FairQueue;
    Charge(Account* account, int64_t prompt_tokens, int64_t tokens)
        : account_(account), prompt_tokens_(prompt_tokens), tokens_(tokens) {}
    Account* account_ = nullptr;
    int64_t prompt_tokens_ = 0;
    int64_t tokens_ = 0;
  };

  struct Next {
    Id id = 0;
    Charge charge = {};
    int priority = 0;
    bool of_share = false;  // one of a higher priority waits: it is its own one's smallest share
  };

  explicit FairQueue(Limits limits);
  ~FairQueue();
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // What is above new limits goes on waiting.
  void SetLimits(Limits limits);

  // It waits from now on. REQUIRES: no other one with its id does
  Refused Push(const Request& request);
  // The next one of that priority and higher ones, which waits no more; nullopt: nobody of them
  // waits but whose tenant's ceiling is reached.
  std::optional<Next> Pop(int at_least = kAnyPriority);
  // The same of the id alone, and without an effect.
  std::optional<Id> Peek() const;
  // In place of Push and Pop for one that need not wait. nullopt: its tenant's ceiling is reached.
  std::optional<Charge> Pass(const Request& request);
  // False: that one does not wait.
  bool Remove(Id id);
  // It has ended, and used so many tokens, of prompt and answer. Its tenant may have another one.
  // nullopt: it was not served, and nothing is charged.
  void Settle(Charge charge, std::optional<int64_t> used_tokens);

  size_t waiting() const { return waiting_.size(); }
  size_t waiting_bytes() const { return waiting_bytes_; }
  // Of that priority and higher ones.
  size_t WaitingAtLeast(int priority) const;

  // Those of that priority and higher ones that wait for nothing but room.
  Ready ReadyAtLeast(int priority, size_t most) const;

  Ahead AheadOf(int priority, std::string_view tenant) const;

  // What was served here since the last call, each tenant once or as often as it was forgotten
  // meanwhile. Beyond kServedMax of them it is not kept, as nobody asks.
  static constexpr size_t kServedMax = 4096;
  std::vector<Served> TakeServed();
  // Another gateway's. It is not among what TakeServed gives. Who has nothing here is not charged:
  // it begins where the others are when it comes. Nobody gets so far ahead by it that it would have
  // to wait for more than kAheadMax of another tenant's, over weight, once it is served only here.
  static constexpr double kAheadMax = 1e6;
  void ServedElsewhere(int priority, std::string_view tenant, int64_t tokens);

  // What others have of a tenant from now on, whether or not it has anything here. True: some of
  // its requests that could not may go now.
  bool SetElsewhere(std::string_view tenant, Elsewhere elsewhere);

  // Of tenants for which it may be another than at the last call, and those of which something
  // waits. One that is there no more has nothing.
  std::vector<Held> TakeHeld();
  // Of all that have something in flight or waiting.
  std::vector<Held> AllHeld() const;

  // The highest priority first.
  void ForEachTenant(const std::function<void(const TenantView&)>& visit) const;

 private:
  struct Waiting;
  struct ByCounter {
    bool operator()(const Account* a, const Account* b) const;
  };
  using Accounts = std::set<Account*, ByCounter>;
  using Bands = std::map<int, Band, std::greater<>>;

  Tenant& TenantOf(std::string_view name, const Terms& terms);
  Band& BandOf(int priority);
  Account& AccountOf(const Request& request);
  struct Turn {
    Account* account = nullptr;  // nullptr: nobody's
    int priority = 0;
    bool of_share = false;
  };
  Turn NextTurn(int at_least) const;
  Charge Start(Account& account, int64_t prompt_tokens);
  void Share(const Band& from, int64_t tokens);
  void NoteServed(Account& account, int64_t tokens);
  void NoteHeld(Tenant& tenant);
  static bool IsAtCeiling(const Account& account);
  static Held HeldBy(const Tenant& tenant);
  void Unlink(Waiting& waiting);
  void SetReady(Account& account);
  void SetReady(Tenant& tenant);
  void Leave(Account& account);
  void ForgetIdle(Band& band);

  Limits limits_;
  Bands bands_;
  std::map<std::string, Tenant, std::less<>> tenants_;
  absl::flat_hash_map<Id, std::unique_ptr<Waiting>> waiting_;
  size_t waiting_bytes_ = 0;
  uint64_t accounts_made_ = 0;
  std::vector<Served> served_;  // since TakeServed
  std::map<std::string, Elsewhere, std::less<>> elsewhere_;
  std::set<std::string, std::less<>> held_;  // tenants that TakeHeld is to look at
  uint64_t served_taken_ = 1;                // how often
};

}  // namespace gw
