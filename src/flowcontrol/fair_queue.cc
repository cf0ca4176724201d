#include "flowcontrol/fair_queue.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace gw {
namespace {

// How fast the length of a tenant's answers is learnt: so much of what is expected is the last one.
constexpr double kLearned = 0.2;
// Those that are not told apart.
constexpr std::string_view kOthers = "(others)";

}  // namespace

// A tenant, in all priorities.
struct FairQueue::Tenant {
  std::string_view name;  // of its entry
  Terms terms;
  int64_t requests = 0;  // in flight
  int64_t tokens = 0;
  std::vector<Account*> accounts;  // one for each priority that it uses

  bool MayHaveMore() const {
    return (!terms.requests_max || requests < *terms.requests_max) &&
           (!terms.tokens_max || tokens < *terms.tokens_max);
  }
  // How many more of so many tokens each it may have, at most `most`.
  size_t MayHaveMore(int64_t tokens_each, size_t most) const {
    auto more = static_cast<int64_t>(most);
    if (terms.requests_max) more = std::min(more, *terms.requests_max - requests);
    if (terms.tokens_max) {
      const int64_t each = std::max<int64_t>(1, tokens_each);
      more = std::min(more, (*terms.tokens_max - tokens + each - 1) / each);
    }
    return static_cast<size_t>(std::max<int64_t>(0, more));
  }
};

struct FairQueue::Waiting {
  Id id;
  Account* account;
  int64_t tokens;
  size_t bytes;
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

bool FairQueue::ByCounter::operator()(const Account* a, const Account* b) const {
  return a->counter != b->counter ? a->counter < b->counter : a->number < b->number;
}

FairQueue::FairQueue(Limits limits) : limits_(std::move(limits)) {}

FairQueue::~FairQueue() = default;

void FairQueue::SetLimits(Limits limits) {
  limits_ = std::move(limits);
  for (auto& [priority, band] : bands_) {
    const auto share = limits_.shares.find(priority);
    band.share = share == limits_.shares.end() ? 0 : share->second;
  }
}

FairQueue::Tenant& FairQueue::TenantOf(std::string_view name, const Terms& terms) {
  CHECK(terms.weight > 0);
  auto found = tenants_.find(name);
  if (found == tenants_.end()) {
    const bool is_full = tenants_.size() >= limits_.tenants_max;
    if (is_full && name != kOthers) return TenantOf(kOthers, {});
    found = tenants_.try_emplace(std::string(name)).first;
    found->second.name = found->first;
  }
  Tenant& tenant = found->second;
  if (tenant.terms != terms) {
    tenant.terms = terms;
    SetReady(tenant);
  }
  return tenant;
}

FairQueue::Band& FairQueue::BandOf(int priority) {
  const auto [place, is_new] = bands_.try_emplace(priority);
  if (is_new) {
    place->second.priority = priority;
    const auto share = limits_.shares.find(priority);
    if (share != limits_.shares.end()) place->second.share = share->second;
  }
  return place->second;
}

FairQueue::Account& FairQueue::AccountOf(const Request& request) {
  Tenant& tenant = TenantOf(request.tenant, request.terms);
  Band& band = BandOf(request.priority);
  std::unique_ptr<Account>& account = band.accounts[tenant.name];
  if (account == nullptr) {
    account = std::make_unique<Account>(Account{&tenant, &band, ++accounts_made_});
    account->answer_tokens = band.answer_tokens;
    tenant.accounts.push_back(account.get());
  }
  if (std::exchange(account->is_idle, false)) band.idle.erase(account.get());
  // Who had nothing waiting has no claim on what the others got meanwhile.
  if (account->first == nullptr) account->counter = std::max(account->counter, band.entry());
  return *account;
}

void FairQueue::SetReady(Account& account) {
  const bool is_ready = account.first != nullptr && account.tenant->MayHaveMore();
  if (is_ready == account.is_ready) return;
  account.is_ready = is_ready;
  if (is_ready) {
    account.band->ready.insert(&account);
  } else {
    account.band->ready.erase(&account);
  }
}

// Whether its ceiling is reached may be another.
void FairQueue::SetReady(Tenant& tenant) {
  for (Account* account : tenant.accounts) SetReady(*account);
}

FairQueue::Refused FairQueue::Push(const Request& request) {
  Account& account = AccountOf(request);
  Band& band = *account.band;
  Refused refused = Refused::kNo;
  if (band.waiting >= limits_.requests_max) refused = Refused::kRequests;
  if (band.bytes + request.bytes > limits_.bytes_max) refused = Refused::kBytes;
  if (refused != Refused::kNo) {
    Leave(account);
    return refused;
  }
  auto waiting = std::make_unique<Waiting>(
      Waiting{request.id, &account, request.tokens, request.bytes, account.last});
  (account.first == nullptr ? account.first : account.last->after) = waiting.get();
  account.last = waiting.get();
  ++account.waiting;
  account.bytes += request.bytes;
  ++band.waiting;
  band.bytes += request.bytes;
  waiting_bytes_ += request.bytes;
  CHECK(waiting_.emplace(request.id, std::move(waiting)).second);
  SetReady(account);
  return Refused::kNo;
}

// A band that is owed its share is before all others; else the highest priority is.
FairQueue::Turn FairQueue::NextTurn(int at_least) const {
  Turn best;
  for (const auto& [priority, band] : bands_) {
    if (priority < at_least) break;
    if (band.ready.empty()) continue;
    Account* const first = *band.ready.begin();
    const auto needed = static_cast<double>(first->ExpectedTokens(first->first->tokens));
    const bool owed = band.share > 0 && band.owed_tokens >= needed;
    if (owed) return {first, priority, best.account != nullptr};
    if (best.account == nullptr) best = {first, priority, false};
  }
  return best;
}

std::optional<FairQueue::Id> FairQueue::Peek() const {
  const Account* next = NextTurn(kAnyPriority).account;
  return next == nullptr ? std::nullopt : std::optional<Id>(next->first->id);
}

std::optional<FairQueue::Next> FairQueue::Pop(int at_least) {
  const Turn next = NextTurn(at_least);
  if (next.account == nullptr) return std::nullopt;
  Waiting& first = *next.account->first;
  const Id id = first.id;
  const int64_t tokens = first.tokens;
  Unlink(first);
  waiting_.erase(id);
  return Next{id, Start(*next.account, tokens), next.priority, next.of_share};
}

std::optional<FairQueue::Charge> FairQueue::Pass(const Request& request) {
  Account& account = AccountOf(request);
  if (!account.tenant->MayHaveMore()) {
    Leave(account);
    return std::nullopt;
  }
  return Start(account, request.tokens);
}

FairQueue::Charge FairQueue::Start(Account& account, int64_t prompt_tokens) {
  Band& band = *account.band;
  Tenant& tenant = *account.tenant;
  const int64_t tokens = account.ExpectedTokens(prompt_tokens);
  if (std::exchange(account.is_ready, false)) band.ready.erase(&account);
  account.counter += static_cast<double>(tokens) / tenant.terms.weight;
  ++account.in_flight;
  account.in_flight_tokens += tokens;
  ++tenant.requests;
  tenant.tokens += tokens;
  SetReady(account);
  SetReady(tenant);
  if (band.ready.empty()) band.left_at = std::max(band.left_at, account.counter);
  NoteServed(account, tokens);
  Share(band, tokens);
  ForgetIdle(band);
  return Charge(&account, prompt_tokens, tokens);
}

// Of what is dispatched each band that has something waiting is owed its share.
void FairQueue::Share(const Band& from, int64_t tokens) {
  if (limits_.shares.empty()) return;
  const auto served = static_cast<double>(tokens);
  for (auto& [priority, band] : bands_) {
    band.owed_tokens += band.share * served - (&band == &from ? served : 0);
    if (band.owed_tokens < 0 || band.ready.empty()) band.owed_tokens = 0;
  }
}

bool FairQueue::Remove(Id id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return false;
  Account& account = *found->second->account;
  Unlink(*found->second);
  waiting_.erase(found);
  SetReady(account);
  Leave(account);
  return true;
}

// Of its account's list, and of what is counted.
void FairQueue::Unlink(Waiting& waiting) {
  Account& account = *waiting.account;
  (waiting.before == nullptr ? account.first : waiting.before->after) = waiting.after;
  (waiting.after == nullptr ? account.last : waiting.after->before) = waiting.before;
  --account.waiting;
  account.bytes -= waiting.bytes;
  --account.band->waiting;
  account.band->bytes -= waiting.bytes;
  waiting_bytes_ -= waiting.bytes;
}

void FairQueue::Settle(Charge charge, std::optional<int64_t> used_tokens) {
  CHECK(charge.held());
  Account& account = *charge.account_;
  Band& band = *account.band;
  Tenant& tenant = *account.tenant;
  if (used_tokens) {
    const auto answer =
        static_cast<double>(std::max<int64_t>(0, *used_tokens - charge.prompt_tokens_));
    account.answer_tokens += kLearned * (answer - account.answer_tokens);
    band.answer_tokens += kLearned * (answer - band.answer_tokens);
  }
  if (std::exchange(account.is_ready, false)) band.ready.erase(&account);
  const int64_t more = used_tokens.value_or(0) - charge.tokens_;
  account.counter += static_cast<double>(more) / tenant.terms.weight;
  NoteServed(account, more);
  --account.in_flight;
  account.in_flight_tokens -= charge.tokens_;
  --tenant.requests;
  tenant.tokens -= charge.tokens_;
  SetReady(account);
  SetReady(tenant);
  Leave(account);
}

// Its counter is another, or something of it has ended, which may have been all of it.
void FairQueue::Leave(Account& account) {
  Band& band = *account.band;
  if (band.ready.empty()) band.left_at = std::max(band.left_at, account.counter);
  if (account.first == nullptr && account.in_flight == 0 && !account.is_idle) {
    account.is_idle = true;
    band.idle.insert(&account);
  }
  ForgetIdle(band);
}

// Those that would begin again where they are, or further.
void FairQueue::ForgetIdle(Band& band) {
  while (!band.idle.empty() && (*band.idle.begin())->counter <= band.entry()) {
    Account& account = **band.idle.begin();
    Tenant& tenant = *account.tenant;
    band.idle.erase(band.idle.begin());
    std::erase(tenant.accounts, &account);
    band.accounts.erase(tenant.name);  // the account is gone
    if (tenant.accounts.empty()) tenants_.erase(std::string(tenant.name));
  }
}

// An account may be forgotten before this is told, so it is kept apart.
void FairQueue::NoteServed(Account& account, int64_t tokens) {
  if (account.served_in != served_taken_) {
    if (served_.size() >= kServedMax) return;
    account.served_in = served_taken_;
    account.served_at = served_.size();
    served_.push_back({account.band->priority, std::string(account.tenant->name), 0});
  }
  served_[account.served_at].tokens += tokens;
}

std::vector<FairQueue::Served> FairQueue::TakeServed() {
  if (served_.empty()) return {};
  ++served_taken_;
  return std::exchange(served_, {});
}

void FairQueue::ServedElsewhere(int priority, std::string_view tenant, int64_t tokens) {
  const auto of_priority = bands_.find(priority);
  if (of_priority == bands_.end()) return;
  Band& band = of_priority->second;
  const auto found = band.accounts.find(tenant);
  if (found == band.accounts.end() || found->second->is_idle) return;
  Account& account = *found->second;
  if (std::exchange(account.is_ready, false)) band.ready.erase(&account);
  // Given back is at most what was charged here for others: the charge may have come before it did.
  double change = static_cast<double>(tokens) / account.tenant->terms.weight;
  change = std::max(change, -account.elsewhere);
  if (change > 0 && !band.ready.empty()) {
    change = std::clamp(band.entry() + kAheadMax - account.counter, 0.0, change);
  }
  account.elsewhere += change;
  account.counter += change;
  SetReady(account);
  Leave(account);
}

size_t FairQueue::WaitingAtLeast(int priority) const {
  size_t count = 0;
  for (const auto& [of_band, band] : bands_) {
    if (of_band < priority) break;
    count += band.waiting;
  }
  return count;
}

FairQueue::Ready FairQueue::ReadyAtLeast(int priority, size_t most) const {
  Ready ready;
  for (const auto& [of_band, band] : bands_) {
    if (of_band < priority) break;
    for (const Account* account : band.ready) {
      if (ready.count >= most) return ready;
      if (ready.count == 0) ready.highest = of_band;
      const int64_t tokens = account->ExpectedTokens(account->first->tokens);
      const size_t left = std::min(account->waiting, most - ready.count);
      ready.count += account->tenant->MayHaveMore(tokens, left);
    }
  }
  return ready;
}

FairQueue::Ahead FairQueue::AheadOf(int priority, std::string_view tenant) const {
  Ahead ahead;
  for (const auto& [of_band, band] : bands_) {
    if (of_band < priority) break;
    if (of_band > priority) {
      ahead.higher += band.waiting;
      continue;
    }
    const auto account = band.accounts.find(tenant);
    if (account != band.accounts.end()) ahead.own = account->second->waiting;
    ahead.others = band.waiting - ahead.own;
  }
  return ahead;
}

void FairQueue::ForEachTenant(const std::function<void(const TenantView&)>& visit) const {
  for (const auto& [priority, band] : bands_) {
    for (const auto& [name, account] : band.accounts) {
      visit({priority, name, account->waiting, account->bytes,
             account->first == nullptr ? std::nullopt : std::optional<Id>(account->first->id),
             account->in_flight, account->in_flight_tokens, !account->tenant->MayHaveMore(),
             account->counter});
    }
  }
}

}  // namespace gw
