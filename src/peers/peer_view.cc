#include "peers/peer_view.h"

#include <algorithm>

#include "base/check.h"
#include "prefix/block_hash.h"

namespace gw::peers {
namespace {

// What the endpoint has room for; 0: it does not say.
uint64_t BlocksMax(const EndpointState& state, size_t block_chars) {
  const uint64_t chars = state.cache_chars();
  return chars == 0 ? 0 : std::max<uint64_t>(chars / block_chars, 1);
}

}  // namespace

absl::Status PeerView::Take(const Message& message, TimePoint now) {
  Greet(now);
  switch (message.kind) {
    case Kind::kSums:
      return TakeAllSums(message.payload, /*whole=*/false, now);
    case Kind::kWhole:
      return TakeAllSums(message.payload, /*whole=*/true, now);
    case Kind::kPrefixes:
      return TakePrefixes(message.payload);
    case Kind::kAlive:
      return absl::OkStatus();
    case Kind::kRuns:
      return TakeRuns(message.payload);
    case Kind::kMarks:
      return TakeMarks(message.payload);
    case Kind::kHello:
    case Kind::kBye:
    case Kind::kWantIndex:
      break;
  }
  return absl::InvalidArgumentError("a message that is not about endpoints");
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

// The number may have been another address's.
void PeerView::Rename(std::string_view address, TimePoint now, Theirs* theirs) {
  if (theirs->address == address) return;
  Apply({}, now, theirs);
  theirs->address = address;
  theirs->state.reset();
}

void PeerView::Apply(const GatewaySums& sums, TimePoint now, Theirs* theirs) {
  const std::shared_ptr<EndpointState> state = StateOf(theirs);
  if (state == nullptr) return;
  AddOthers(theirs->sums, sums, now, state.get());
  theirs->sums = sums;
}

// It may have come to us, or be another one of that address, since it was told of.
std::shared_ptr<EndpointState> PeerView::StateOf(Theirs* theirs) {
  std::shared_ptr<EndpointState> state = theirs->state.lock();
  if (state != nullptr) return state;
  state = table_.Find(theirs->address);
  theirs->state = state;
  theirs->sums = {};
  return state;
}

std::shared_ptr<EndpointState> PeerView::StateOf(uint32_t number) {
  const auto known = endpoints_.find(number);
  return known == endpoints_.end() ? nullptr : StateOf(&known->second);
}

absl::Status PeerView::TakePrefixes(std::string_view payload) {
  while (!payload.empty()) {
    PrefixNote note;
    if (const absl::Status status = TakePrefix(&payload, &note, &words_); !status.ok()) {
      return status;
    }
    const std::shared_ptr<EndpointState> state = StateOf(note.slot);
    if (state == nullptr) continue;
    index_.InsertBehind(note.marks, note.tail, state->slot, BlocksMax(*state, note.block_chars));
    ++prefixes_;
  }
  return absl::OkStatus();
}

absl::Status PeerView::TakeRuns(std::string_view payload) {
  if (payload.empty()) has_told_index_ = true;
  std::vector<uint64_t> blocks_max;
  while (!payload.empty()) {
    if (const absl::Status status = TakeRun(&payload, &run_); !status.ok()) return status;
    blocks_max.clear();
    size_t kept = 0;
    for (const RunCopy::Holder& holder : run_.holders) {
      const std::shared_ptr<EndpointState> state = StateOf(holder.slot);
      if (state == nullptr) continue;
      run_.holders[kept++] = {state->slot, holder.blocks};
      // How long a pool's blocks are is not told of runs; the next prompt there says it.
      blocks_max.push_back(BlocksMax(*state, PrefixOptions{}.block_chars));
    }
    run_.holders.resize(kept);
    index_.AdoptRun(run_, blocks_max);
  }
  return absl::OkStatus();
}

absl::Status PeerView::TakeMarks(std::string_view payload) {
  while (!payload.empty()) {
    MarkCopy mark;
    if (const absl::Status status = TakeMark(&payload, &mark); !status.ok()) return status;
    index_.AdoptMark(mark);
  }
  return absl::OkStatus();
}

void PeerView::Greet(TimePoint now) {
  heard_ = std::max(heard_, now);
  silent_ = false;
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
