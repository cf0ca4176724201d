// FairQueue, as far as it is one of several gateways': what others are told, and what they have.

#include <algorithm>
#include <utility>

#include "flowcontrol/fair_accounts.h"
#include "flowcontrol/fair_queue.h"

namespace gw {

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

bool FairQueue::SetElsewhere(std::string_view name, Elsewhere elsewhere) {
  const auto found = tenants_.find(name);
  Tenant* const tenant = found == tenants_.end() ? nullptr : &found->second;
  auto known = elsewhere_.find(name);
  if (!elsewhere.any()) {
    if (known == elsewhere_.end()) return false;
    elsewhere_.erase(known);
    if (tenant != nullptr) tenant->elsewhere = nullptr;
  } else {
    if (known == elsewhere_.end()) known = elsewhere_.try_emplace(std::string(name)).first;
    known->second = std::move(elsewhere);
    if (tenant != nullptr) tenant->elsewhere = &known->second;
  }
  if (tenant == nullptr) return false;
  const auto ready = [&] {
    return std::count_if(tenant->accounts.begin(), tenant->accounts.end(),
                         [](const Account* account) { return account->is_ready; });
  };
  const auto before = ready();
  SetReady(*tenant);
  return ready() > before;
}

void FairQueue::NoteHeld(Tenant& tenant) {
  if (!tenant.has_ceiling() || std::exchange(tenant.is_noted, true)) return;
  held_.emplace(tenant.name);
}

FairQueue::Held FairQueue::HeldBy(const Tenant& tenant) {
  Held held{.tenant = std::string(tenant.name)};
  if (!tenant.has_ceiling()) return held;
  held.requests = tenant.requests;
  held.tokens = tenant.tokens;
  const Account* const oldest = tenant.Oldest();
  if (oldest == nullptr || oldest->is_ready) return held;
  held.oldest = oldest->first->id;
  held.priority = oldest->band->priority;
  held.since = oldest->first->since;
  return held;
}

// What waits goes on to be looked at: whether there is room for it is for others to know.
std::vector<FairQueue::Held> FairQueue::TakeHeld() {
  std::vector<Held> all;
  for (auto name = held_.begin(); name != held_.end();) {
    const auto found = tenants_.find(*name);
    const bool is_here = found != tenants_.end();
    all.push_back(is_here ? HeldBy(found->second) : Held{.tenant = *name});
    if (is_here && all.back().oldest) {
      ++name;
      continue;
    }
    if (is_here) found->second.is_noted = false;
    name = held_.erase(name);
  }
  return all;
}

std::vector<FairQueue::Held> FairQueue::AllHeld() const {
  std::vector<Held> all;
  for (const auto& [name, tenant] : tenants_) {
    if (tenant.has_ceiling()) all.push_back(HeldBy(tenant));
  }
  return all;
}

}  // namespace gw
