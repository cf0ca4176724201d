#include "prefix/survivors.h"

#include <algorithm>
#include <bit>

namespace gw::internal {

Survivors::Scratch& Survivors::ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

Survivors::Survivors(std::span<const uint32_t> slots, std::span<uint32_t> hit_blocks)
    : slots_(slots), hit_blocks_(hit_blocks), scratch_(ThreadScratch()), count_(slots.size()) {
  std::fill(hit_blocks.begin(), hit_blocks.end(), 0);
  if (slots.size() > kFewMax) {
    IndexCandidates();
    return;
  }
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
  groups_ = slot_max / HolderGroup::kSlots + 1;
}

bool Survivors::Find(uint32_t slot, uint32_t* position) const {
  if (slot >= scratch_.positions.size()) return false;
  const uint64_t entry = scratch_.positions[slot];
  *position = static_cast<uint32_t>(entry);
  return entry >> 32 == scratch_.stamp;
}

void Survivors::SetBits() {
  scratch_.bits.assign(groups_ * HolderGroup::kWords, 0);
  for (const uint32_t slot : slots_) scratch_.bits[slot / 64] |= uint64_t{1} << (slot % 64);
  form_ = Form::kMany;
}

void Survivors::DropBits(uint64_t dropped, uint32_t first_slot, uint32_t block) {
  if (block == 0) return;  // the results start as 0
  for (; dropped != 0; dropped &= dropped - 1) {
    const uint32_t slot = first_slot + static_cast<uint32_t>(std::countr_zero(dropped));
    hit_blocks_[static_cast<uint32_t>(scratch_.positions[slot])] = block;
  }
}

void Survivors::KeepFew(std::span<const uint16_t> holders, uint32_t block) {
  size_t kept = 0;
  if (form_ == Form::kFew) {
    for (size_t i = 0; i < count_; ++i) {
      if (std::find(holders.begin(), holders.end(), few_[i].slot) != holders.end()) {
        few_[kept++] = few_[i];
      } else {
        hit_blocks_[few_[i].position] = block;
      }
    }
    count_ = kept;
    return;
  }
  for (const uint16_t slot : holders) {
    uint32_t position;
    if (!Find(slot, &position)) continue;
    if (form_ == Form::kMany && (scratch_.bits[slot / 64] >> (slot % 64) & 1) == 0) continue;
    few_[kept++] = {slot, position};
  }
  if (form_ == Form::kMany) {
    // Those kept are among them; their results are written again later.
    for (uint32_t i = 0; i < scratch_.bits.size(); ++i) DropBits(scratch_.bits[i], i * 64, block);
  }
  form_ = Form::kFew;
  count_ = kept;
}

void Survivors::KeepMany(const Cell* cells, uint32_t first_group, uint32_t block) {
  uint32_t cell = first_group;
  if (form_ == Form::kFew) {
    size_t kept = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Candidate candidate = few_[i];
      const uint32_t group = candidate.slot / HolderGroup::kSlots;
      // Candidates need not be in order of slots, so each looks from the start.
      for (cell = first_group; cell != 0 && cells[cell].holders.group < group;) {
        cell = cells[cell].holders.next;
      }
      const uint32_t bit = candidate.slot % HolderGroup::kSlots;
      if (cell != 0 && cells[cell].holders.group == group &&
          (cells[cell].holders.bits[bit / 64] >> (bit % 64) & 1) != 0) {
        few_[kept++] = candidate;
      } else {
        hit_blocks_[candidate.position] = block;
      }
    }
    count_ = kept;
    return;
  }
  if (form_ == Form::kAll) SetBits();
  count_ = 0;
  for (uint32_t group = 0; group < groups_; ++group) {
    while (cell != 0 && cells[cell].holders.group < group) cell = cells[cell].holders.next;
    const bool held = cell != 0 && cells[cell].holders.group == group;
    for (uint32_t i = 0; i < HolderGroup::kWords; ++i) {
      uint64_t& word = scratch_.bits[group * HolderGroup::kWords + i];
      const uint64_t bits = held ? cells[cell].holders.bits[i] : 0;
      DropBits(word & ~bits, (group * HolderGroup::kWords + i) * 64, block);
      word &= bits;
      count_ += static_cast<size_t>(std::popcount(word));
    }
  }
}

void Survivors::Finish(uint32_t blocks) {
  if (form_ == Form::kFew) {
    for (size_t i = 0; i < count_; ++i) hit_blocks_[few_[i].position] = blocks;
  } else if (form_ == Form::kMany) {
    for (uint32_t i = 0; i < scratch_.bits.size(); ++i) DropBits(scratch_.bits[i], i * 64, blocks);
  }
}

}  // namespace gw::internal
