#include "peers/held_topic.h"

#include <algorithm>

#include "peers/varint.h"

namespace gw::peers {
namespace {

// Little enough for the sums of many peers.
constexpr int64_t kRequestsMax = int64_t{1} << 32;
constexpr int64_t kTokensMax = int64_t{1} << 48;
constexpr int64_t kWaitMaxMs = int64_t{7} * 86400 * 1000;

uint64_t Within(int64_t value, int64_t max) {
  return static_cast<uint64_t>(std::clamp<int64_t>(value, 0, max));
}

int64_t WaitMs(TimePoint since, TimePoint now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - since).count();
}

}  // namespace

void HeldTopic::Tell(TimePoint now, bool whole, MessageWriter* out) {
  EndClaims(now);
  wants_whole_ = wants_whole_ || whole;
  // What has changed stays with the queues until all that was gathered before is told.
  if (untold_.empty()) Gather(now);
  std::string entry;
  for (size_t told = 0; !untold_.empty(); ++told) {
    if (told >= tenants_max_) return limit_.Add();
    const auto& [what, key, ours] = untold_.front();
    entry.clear();
    PutVarint(static_cast<uint64_t>(what), &entry);
    if (what == What::kTenant) {
      PutText(key.first, &entry);
      PutText(key.second, &entry);
      PutVarint(Within(ours.requests, kRequestsMax), &entry);
      PutVarint(Within(ours.tokens, kTokensMax), &entry);
      PutVarint(ours.claim ? Within(WaitMs(*ours.claim, now), kWaitMaxMs) : 0, &entry);
    }
    out->Entry(kKind, entry);
    untold_.pop_front();
  }
}

void HeldTopic::Gather(TimePoint now) {
  const bool whole = std::exchange(wants_whole_, false);
  if (whole) {
    queues_.Refresh();
    told_.clear();
    untold_.push_back({.what = What::kBegin});
  }
  for (const auto& [pool, queue] : queues_.all()) {
    for (FairQueue::Held& held : queue->TakeHeld(whole)) {
      if (held.tenant.size() > kNameMax) continue;
      Ours ours{held.requests, held.tokens, std::nullopt};
      if (held.oldest) ours.claim = held.since;
      Note({pool, std::move(held.tenant)}, ours, now);
    }
  }
  if (whole) untold_.push_back({.what = What::kEnd});
}

// It is to be told if it is another than was told, or a claim that is about to be forgotten.
void HeldTopic::Note(Key key, const Ours& ours, TimePoint now) {
  const auto known = told_.find(key);
  const bool is_nothing = ours == Ours();
  if (known == told_.end() && is_nothing) return;
  if (known != told_.end()) {
    Told& told = known->second;
    const bool is_due = ours.claim && now - told.at >= kClaimAgain;
    if (ours == told.ours && !is_due) return;
    told = {ours, now};
    if (is_nothing) told_.erase(known);
  } else {
    told_.emplace(key, Told{ours, now});
  }
  untold_.push_back({What::kTenant, std::move(key), ours});
}

absl::Status HeldTopic::Take(uint64_t id, std::string_view payload, TimePoint now) {
  while (!payload.empty()) {
    uint64_t what = 0;
    if (!TakeVarint(&payload, static_cast<uint64_t>(What::kEnd), &what)) {
      return absl::InvalidArgumentError("malformed held: entry");
    }
    Peer& peer = peers_[id];
    switch (static_cast<What>(what)) {
      case What::kTenant:
        if (const absl::Status status = TakeTenant(id, &payload, now); !status.ok()) return status;
        break;
      case What::kBegin:
        ++peer.wholes;
        break;
      case What::kEnd:
        if (peer.wholes > 0) Drop(id, peer.wholes - 1);
        break;
    }
  }
  return absl::OkStatus();
}

absl::Status HeldTopic::TakeTenant(uint64_t id, std::string_view* payload, TimePoint now) {
  std::string_view pool;
  std::string_view tenant;
  uint64_t requests = 0;
  uint64_t tokens = 0;
  uint64_t wait_ms = 0;
  if (!TakeText(payload, kNameMax, &pool)) {
    return absl::InvalidArgumentError("malformed held: pool");
  }
  if (!TakeText(payload, kNameMax, &tenant)) {
    return absl::InvalidArgumentError("malformed held: tenant");
  }
  if (!TakeVarint(payload, kRequestsMax, &requests) || !TakeVarint(payload, kTokensMax, &tokens)) {
    return absl::InvalidArgumentError("malformed held: in flight");
  }
  if (!TakeVarint(payload, kWaitMaxMs, &wait_ms)) {
    return absl::InvalidArgumentError("malformed held: wait");
  }
  Theirs theirs{static_cast<int64_t>(requests), static_cast<int64_t>(tokens), std::nullopt, now};
  if (wait_ms > 0) theirs.claim = now - std::chrono::milliseconds(wait_ms);
  Set(id, {std::string(pool), std::string(tenant)}, theirs);
  return absl::OkStatus();
}

void HeldTopic::Set(uint64_t id, Key key, const Theirs& theirs) {
  Peer& peer = peers_[id];
  auto at_key = theirs_.find(key);
  const bool is_known = at_key != theirs_.end() && at_key->second.contains(id);
  const bool is_nothing = theirs.requests == 0 && theirs.tokens == 0 && !theirs.claim;
  if (is_nothing) {
    if (!is_known) return;
    at_key->second.erase(id);
    --peer.tenants;
  } else {
    if (!is_known && peer.tenants >= kTenantsOfPeerMax) return limit_.Add();
    if (at_key == theirs_.end()) at_key = theirs_.try_emplace(key).first;
    at_key->second[id] = theirs;
    at_key->second[id].whole = peer.wholes;
    if (theirs.claim) claimed_.insert(key);
    if (!is_known) ++peer.tenants;
  }
  Apply(key);
}

void HeldTopic::Forget(uint64_t peer, TimePoint /*now*/) {
  const auto known = peers_.find(peer);
  if (known == peers_.end()) return;
  Drop(peer, known->second.wholes);
  peers_.erase(known);
}

void HeldTopic::Drop(uint64_t id, uint64_t whole) {
  std::vector<Key> changed;
  for (auto& [key, peers] : theirs_) {
    const auto theirs = peers.find(id);
    if (theirs == peers.end() || theirs->second.whole > whole) continue;
    peers.erase(theirs);
    --peers_[id].tenants;
    changed.push_back(key);
  }
  for (const Key& key : changed) Apply(key);
}

void HeldTopic::EndClaims(TimePoint now) {
  for (auto key = claimed_.begin(); key != claimed_.end();) {
    const auto peers = theirs_.find(*key);
    bool is_left = false;
    bool has_ended = false;
    if (peers != theirs_.end()) {
      for (auto& [id, theirs] : peers->second) {
        if (!theirs.claim) continue;
        const bool ends = now - theirs.told_at > kClaimMax;
        if (ends) theirs.claim.reset();
        has_ended = has_ended || ends;
        is_left = is_left || !ends;
      }
    }
    if (has_ended) Apply(*key);
    key = is_left ? std::next(key) : claimed_.erase(key);
  }
}

// A queue that comes later is told with the next whole.
void HeldTopic::Apply(const Key& key) {
  FairQueue::Elsewhere sum;
  if (const auto peers = theirs_.find(key); peers != theirs_.end()) {
    for (const auto& [id, theirs] : peers->second) {
      sum.requests += theirs.requests;
      sum.tokens += theirs.tokens;
      if (theirs.claim) sum.claims.push_back(*theirs.claim);
    }
    if (peers->second.empty()) theirs_.erase(peers);
  }
  RequestQueue* const queue = queues_.Find(key.first);
  if (queue != nullptr) queue->SetElsewhere(key.second, std::move(sum));
}

}  // namespace gw::peers
