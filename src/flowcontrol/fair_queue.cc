#include "flowcontrol/fair_queue.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "flowcontrol/fair_accounts.h"

namespace gw {
namespace {

// How fast the length of a tenant's answers is learnt: so much of what is expected is the last one.
constexpr double kLearned = 0.2;
// Those that are not told apart.
constexpr std::string_view kOthers = "(others)";

}  // namespace

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
    const auto others = elsewhere_.find(name);
    if (others != elsewhere_.end()) found->second.elsewhere = &others->second;
  }
  Tenant& tenant = found->second;
  if (tenant.terms != terms) {
    NoteHeld(tenant);
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
  bool is_ready = account.first != nullptr;
  if (is_ready && account.tenant->has_ceiling()) {
    const TimePoint since = account.tenant->Oldest()->first->since;
    is_ready =
        account.tenant->MayStart(since, account.ExpectedTokens(account.first->tokens), 1) > 0;
  }
  if (is_ready == account.is_ready) return;
  account.is_ready = is_ready;
  if (is_ready) {
    account.band->ready.insert(&account);
  } else {
    account.band->ready.erase(&account);
  }
}

// Whether its ceiling is reached may be another, or who of it waits.
void FairQueue::SetReady(Tenant& tenant) {
  NoteHeld(tenant);
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
      Waiting{request.id, &account, request.tokens, request.bytes, request.since, account.last});
  (account.first == nullptr ? account.first : account.last->after) = waiting.get();
  account.last = waiting.get();
  ++account.waiting;
  account.bytes += request.bytes;
  ++band.waiting;
  band.bytes += request.bytes;
  waiting_bytes_ += request.bytes;
  CHECK(waiting_.emplace(request.id, std::move(waiting)).second);
  SetReady(*account.tenant);
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
  // All that waits elsewhere is older.
  const int64_t tokens = account.ExpectedTokens(request.tokens);
  if (account.tenant->MayStart(TimePoint::max(), tokens, 1) == 0) {
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
  SetReady(*account.tenant);
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
      const Tenant& tenant = *account->tenant;
      ready.count += tenant.MayStart(tenant.Oldest()->first->since, tokens, left);
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

bool FairQueue::IsAtCeiling(const Account& account) {
  return account.first == nullptr ? account.tenant->MayHaveMore(1, 1) == 0 : !account.is_ready;
}

void FairQueue::ForEachTenant(const std::function<void(const TenantView&)>& visit) const {
  for (const auto& [priority, band] : bands_) {
    for (const auto& [name, account] : band.accounts) {
      visit({priority, name, account->waiting, account->bytes,
             account->first == nullptr ? std::nullopt : std::optional<Id>(account->first->id),
             account->in_flight, account->in_flight_tokens, IsAtCeiling(*account),
             account->counter});
    }
  }
}

}  // namespace gw
