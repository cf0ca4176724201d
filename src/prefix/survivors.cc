#include "prefix/survivors.h"

#include <algorithm>
#include <bit>

namespace gw::internal {

static_assert(HolderGroup::kSlots == 64);

Survivors::Scratch& Survivors::ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

Survivors::Survivors(std::span<const uint32_t> slots, std::span<uint32_t> hit_blocks)
    : slots_(slots), hit_blocks_(hit_blocks), scratch_(ThreadScratch()), count_(slots.size()) {
  std::fill(hit_blocks.begin(), hit_blocks.end(), 0);
  if (slots.size() > kFewMax) return;
  form_ = Form::kFew;
  for (uint32_t i = 0; i < slots.size(); ++i) few_[i] = {slots[i], i};
}

// Stamps make clearing the table after each match unnecessary.
void Survivors::IndexCandidates() {
  const uint32_t slot_max = *std::max_element(slots_.begin(), slots_.end());
  std::vector<uint64_t>& positions = scratch_.positions;
  if (slot_max >= positions.size()) positions.resize(std::bit_ceil(slot_max + 1));
  if (++scratch_.stamp > UINT32_MAX) {
    std::fill(positions.begin(), positions.end(), 0);
    scratch_.stamp = 1;
  }
  const uint64_t stamp = scratch_.stamp << 32;
  for (uint32_t i = 0; i < slots_.size(); ++i) positions[slots_[i]] = stamp | i;
}

bool Survivors::Find(uint32_t slot, uint32_t* position) const {
  if (slot >= scratch_.positions.size()) return false;
  const uint64_t entry = scratch_.positions[slot];
  *position = static_cast<uint32_t>(entry);
  return entry >> 32 == scratch_.stamp;
}

void Survivors::SetBits() {
  IndexCandidates();
  const uint32_t slot_max = *std::max_element(slots_.begin(), slots_.end());
  scratch_.bits.assign(slot_max / 64 + 1, 0);
  for (const uint32_t slot : slots_) scratch_.bits[slot / 64] |= uint64_t{1} << (slot % 64);
  form_ = Form::kMany;
}

void Survivors::Result(uint32_t position, uint32_t blocks) {
  hit_blocks_[position] = std::max(hit_blocks_[position], blocks);
  most_ = std::max(most_, blocks);
}

void Survivors::Drop(uint64_t dropped, uint32_t first_slot, uint32_t blocks) {
  if (blocks == 0) return;  // the results start as 0
  for (; dropped != 0; dropped &= dropped - 1) {
    const uint32_t slot = first_slot + static_cast<uint32_t>(std::countr_zero(dropped));
    Result(static_cast<uint32_t>(scratch_.positions[slot]), blocks);
  }
}

void Survivors::Keep(Holders* holders, Run* run, uint32_t met) {
  if (form_ == Form::kAll) SetBits();
  if (form_ == Form::kFew) {
    KeepOfFew(holders, run, met);
  } else {
    KeepOfMany(holders, run, met);
  }
}

void Survivors::KeepOfFew(Holders* holders, Run* run, uint32_t met) {
  uint32_t held[kFewMax] = {};
  holders->ForEachListed(run, [&](uint32_t slot, uint32_t blocks) {
    for (size_t i = 0; i < count_; ++i) {
      if (few_[i].slot == slot) held[i] = std::max(held[i], blocks);
    }
  });
  size_t kept = 0;
  for (size_t i = 0; i < count_; ++i) {
    if (run->dense_holders != 0) {
      held[i] = std::max(held[i], holders->HeldByTable(*run, few_[i].slot));
    }
    if (held[i] >= met) {
      few_[kept++] = few_[i];
    } else {
      Result(few_[i].position, run->base + held[i]);
    }
  }
  count_ = kept;
}

void Survivors::KeepOfMany(Holders* holders, Run* run, uint32_t met) {
  scratch_.listed.clear();
  holders->ForEachListed(run, [&](uint32_t slot, uint32_t blocks) {
    uint32_t position;
    if (!Find(slot, &position) || !IsHere(slot)) return;
    if (blocks >= met) {
      scratch_.listed.push_back(slot);
    } else {
      Result(position, run->base + blocks);
    }
  });
  if (run->dense_holders != 0) {
    KeepByTable(holders, run, met);
  } else {
    for (uint32_t i = 0; i < scratch_.bits.size(); ++i) {
      Drop(scratch_.bits[i], i * 64, run->base);
      scratch_.bits[i] = 0;
    }
    count_ = 0;
  }
  // Those kept by the list may have been dropped above; their results are written again later.
  for (const uint32_t slot : scratch_.listed) {
    count_ += !IsHere(slot);
    scratch_.bits[slot / 64] |= uint64_t{1} << (slot % 64);
  }
  if (count_ <= kFewMax) BecomeFew();
}

void Survivors::KeepByTable(Holders* holders, Run* run, uint32_t met) {
  HolderGroup* group = holders->GroupAt(run->dense_holders);
  count_ = 0;
  for (uint32_t i = 0; i < scratch_.bits.size(); ++i) {
    uint64_t& here = scratch_.bits[i];
    while (group != nullptr && group->group < i) group = holders->GroupAt(group->next);
    const bool is_group = group != nullptr && group->group == i;
    if (here == 0) continue;
    const uint64_t who = is_group ? holders->WhoHolds(*run, group, met) : 0;
    Drop(here & ~who, i * 64, run->base);
    if (is_group) DropByTable(here & ~who & group->some, *holders, *run, i * 64);
    here &= who;
    count_ += static_cast<size_t>(std::popcount(here));
  }
}

void Survivors::DropByTable(uint64_t dropped, const Holders& holders, const Run& run,
                            uint32_t first_slot) {
  for (; dropped != 0; dropped &= dropped - 1) {
    const uint32_t slot = first_slot + static_cast<uint32_t>(std::countr_zero(dropped));
    Result(static_cast<uint32_t>(scratch_.positions[slot]),
           run.base + holders.HeldByTable(run, slot));
  }
}

void Survivors::BecomeFew() {
  count_ = 0;
  for (uint32_t i = 0; i < scratch_.bits.size(); ++i) {
    for (uint64_t left = scratch_.bits[i]; left != 0; left &= left - 1) {
      const uint32_t slot = i * 64 + static_cast<uint32_t>(std::countr_zero(left));
      few_[count_++] = {slot, static_cast<uint32_t>(scratch_.positions[slot])};
    }
  }
  form_ = Form::kFew;
}

uint32_t Survivors::Finish(uint32_t blocks) {
  if (blocks == 0) return most_;
  if (form_ == Form::kFew) {
    for (size_t i = 0; i < count_; ++i) Result(few_[i].position, blocks);
  } else if (form_ == Form::kMany) {
    for (uint32_t i = 0; i < scratch_.bits.size(); ++i) Drop(scratch_.bits[i], i * 64, blocks);
  }
  return most_;
}

}  // namespace gw::internal
