// What FairQueue keeps of tenants and priorities. Of its own files alone.

#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "flowcontrol/fair_queue.h"

namespace gw {

// A tenant, in all priorities.
struct FairQueue::Tenant {
  std::string_view name;  // of its entry
  Terms terms;
  int64_t requests = 0;  // in flight
  int64_t tokens = 0;
  std::vector<Account*> accounts;  // one for each priority that it uses

  const Elsewhere* elsewhere = nullptr;  // nullptr: nothing
  bool is_noted = false;                 // it is among FairQueue::held_

  bool has_ceiling() const { return terms.requests_max || terms.tokens_max; }
  // How many more of so many tokens each it may have over all gateways, at most `most`.
  size_t MayHaveMore(int64_t tokens_each, size_t most) const {
    auto more = static_cast<int64_t>(most);
    if (terms.requests_max) {
      const int64_t others = elsewhere == nullptr ? 0 : elsewhere->requests;
      more = std::min(more, *terms.requests_max - requests - others);
    }
    if (terms.tokens_max) {
      const int64_t others = elsewhere == nullptr ? 0 : elsewhere->tokens;
      const int64_t each = std::max<int64_t>(1, tokens_each);
      more = std::min(more, (*terms.tokens_max - tokens - others + each - 1) / each);
    }
    return static_cast<size_t>(std::max<int64_t>(0, more));
  }
  // How many of those may be here, if the oldest that waits here came then.
  size_t MayStart(TimePoint since, int64_t tokens_each, size_t most) const {
    if (!has_ceiling()) return most;
    size_t older = 0;
    if (elsewhere != nullptr) {
      older = std::count_if(elsewhere->claims.begin(), elsewhere->claims.end(),
                            [&](TimePoint claim) { return claim < since; });
    }
    const size_t more = MayHaveMore(tokens_each, most + older);
    return more > older ? more - older : 0;
  }
  // The account whose request has waited longest; nullptr: nothing waits.
  const Account* Oldest() const;
};

struct FairQueue::Waiting {
  Id id;
  Account* account;
  int64_t tokens;
  size_t bytes;
  TimePoint since;
  Waiting* before = nullptr;
  Waiting* after = nullptr;
};

// A tenant in one priority.
struct FairQueue::Account {
  Tenant* tenant;
  Band* band;
  uint64_t number;  // of equal counters the older account is first
  double counter = 0;
  double answer_tokens = 0;  // that its answers have had lately
  int64_t in_flight = 0;
  int64_t in_flight_tokens = 0;
  size_t waiting = 0;
  size_t bytes = 0;  // of them
  Waiting* first = nullptr;
  Waiting* last = nullptr;
  bool is_ready = false;  // it is among the band's
  bool is_idle = false;
  double elsewhere = 0;    // of its counter: what others have served
  uint64_t served_in = 0;  // FairQueue::served_taken_ that served_at is of
  size_t served_at = 0;    // its entry of FairQueue::served_

  int64_t ExpectedTokens(int64_t prompt_tokens) const {
    return prompt_tokens + std::llround(answer_tokens);
  }
};

struct FairQueue::Band {
  int priority = 0;
  std::map<std::string_view, std::unique_ptr<Account>> accounts;
  Accounts ready;  // that have something waiting and may have more in flight
  Accounts idle;   // that have neither, and more on their counter than who comes in
  size_t waiting = 0;
  size_t bytes = 0;
  double left_at = 0;        // the highest counter of who left nobody waiting
  double answer_tokens = 0;  // for tenants of which nothing is known yet
  double share = 0;
  double owed_tokens = 0;  // of its share

  // Where who comes in begins.
  double entry() const { return ready.empty() ? left_at : (*ready.begin())->counter; }
};

inline const FairQueue::Account* FairQueue::Tenant::Oldest() const {
  const Account* oldest = nullptr;
  for (const Account* account : accounts) {
    if (account->first == nullptr) continue;
    if (oldest == nullptr || account->first->since < oldest->first->since) oldest = account;
  }
  return oldest;
}

}  // namespace gw
