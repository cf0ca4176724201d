#include "peers/peer_view.h"

#include <algorithm>

#include "base/check.h"

namespace gw::peers {

absl::Status PeerView::Take(const Message& message, TimePoint now) {
  heard_ = std::max(heard_, now);
  silent_ = false;
  switch (message.kind) {
    case Kind::kSums:
      return TakeAllSums(message.payload, /*whole=*/false, now);
    case Kind::kWhole:
      return TakeAllSums(message.payload, /*whole=*/true, now);
    case Kind::kPrefixes:
      return TakePrefixes(message.payload);
    case Kind::kAlive:
      return absl::OkStatus();
    case Kind::kHello:
    case Kind::kBye:
      break;
  }
  return absl::InvalidArgumentError("a greeting or an end where sums are told");
}

absl::Status PeerView::TakeAllSums(std::string_view payload, bool whole, TimePoint now) {
  if (whole) ++wholes_;
  while (!payload.empty()) {
    SumsEntry entry;
    if (const absl::Status status = TakeSums(&payload, &entry); !status.ok()) return status;
    if (whole) {
      Theirs& theirs = endpoints_[entry.number];
      theirs.whole = wholes_;
      Rename(entry.address, now, &theirs);
      Apply(entry.sums, now, &theirs);
      continue;
    }
    // Of one that is new to the peer all is told within a second.
    const auto known = endpoints_.find(entry.number);
    if (known != endpoints_.end()) Apply(entry.sums, now, &known->second);
  }
  if (!whole) return absl::OkStatus();
  absl::erase_if(endpoints_, [&](auto& each) {
    if (each.second.whole == wholes_) return false;
    Apply({}, now, &each.second);
    return true;
  });
  return absl::OkStatus();
}

// The number is of that address, which may have come to us, or be another one, since it was told.
void PeerView::Rename(std::string_view address, TimePoint now, Theirs* theirs) {
  const std::shared_ptr<EndpointState> before = theirs->state.lock();
  if (before != nullptr && theirs->address == address) return;
  Apply({}, now, theirs);
  theirs->address = address;
  theirs->state = table_.Find(address);
  theirs->sums = {};
}

void PeerView::Apply(const GatewaySums& sums, TimePoint now, Theirs* theirs) {
  const std::shared_ptr<EndpointState> state = theirs->state.lock();
  if (state == nullptr) return;
  AddOthers(theirs->sums, sums, now, state.get());
  theirs->sums = sums;
}

absl::Status PeerView::TakePrefixes(std::string_view payload) {
  while (!payload.empty()) {
    PrefixNote note;
    if (const absl::Status status = TakePrefix(&payload, &note, &words_); !status.ok()) {
      return status;
    }
    const auto known = endpoints_.find(note.slot);
    if (known == endpoints_.end()) continue;
    const std::shared_ptr<EndpointState> state = known->second.state.lock();
    if (state == nullptr) continue;
    const uint64_t chars = state->cache_chars();
    const uint64_t blocks_max = chars == 0 ? 0 : std::max<uint64_t>(chars / note.block_chars, 1);
    index_.InsertBehind(note.marks, note.tail, state->slot, blocks_max);
    ++prefixes_;
  }
  return absl::OkStatus();
}

bool PeerView::Expire(TimePoint now) {
  if (silent_ || now - heard_ <= kSilentMax) return false;
  Withdraw(now);
  silent_ = true;
  return true;
}

void PeerView::Withdraw(TimePoint now) {
  for (auto& [number, theirs] : endpoints_) Apply({}, now, &theirs);
}

GatewaySums PeerView::Total() const {
  GatewaySums total;
  for (const auto& [number, theirs] : endpoints_) {
    const GatewaySums& sums = theirs.sums;
    total.requests += sums.requests;
    total.prompts += sums.prompts;
    total.pending_tokens += sums.pending_tokens;
    total.decoding_tokens += sums.decoding_tokens;
    total.context_tokens += sums.context_tokens;
    total.generated_tokens += sums.generated_tokens;
  }
  return total;
}

}  // namespace gw::peers
