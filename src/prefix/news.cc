#include "prefix/news.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "prefix/index.h"

namespace gw {

PrefixNews::PrefixNews(size_t words_max) : ring_(words_max) {
  CHECK(std::has_single_bit(words_max));
}

void PrefixNews::Put(uint32_t slot, size_t block_chars, std::span<const uint64_t> hashes,
                     size_t held) {
  constexpr size_t kStride = PrefixIndex::kMarkStride;
  const size_t marked = PrefixIndex::MarkedOf(held);
  const size_t marks = marked / kStride;
  const size_t tail = hashes.size() - marked;
  const uint64_t at = written_.load(std::memory_order_relaxed);
  const uint64_t used = at - read_.load(std::memory_order_acquire);
  if (kHeadWords + marks + tail > ring_.size() - used) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  uint64_t next = at;
  const auto put = [&](uint64_t word) { ring_[next++ & (ring_.size() - 1)] = word; };
  put(uint64_t{slot} << 32 | static_cast<uint32_t>(block_chars));
  put(marks << 32 | tail);
  for (size_t i = 0; i < marks; ++i) put(hashes[(i + 1) * kStride - 1]);
  for (const uint64_t hash : hashes.subspan(marked)) put(hash);
  written_.store(next, std::memory_order_release);
}

bool PrefixNews::Take(PrefixNote* note) {
  const uint64_t at = read_.load(std::memory_order_relaxed);
  if (at == written_.load(std::memory_order_acquire)) return false;
  const auto word = [&](uint64_t number) { return ring_[number & (ring_.size() - 1)]; };
  const uint64_t sizes = word(at + 1);
  const size_t marks = sizes >> 32;
  const size_t words = marks + static_cast<uint32_t>(sizes);
  note->slot = static_cast<uint32_t>(word(at) >> 32);
  note->block_chars = static_cast<uint32_t>(word(at));
  taken_.resize(words);
  for (size_t i = 0; i < words; ++i) taken_[i] = word(at + kHeadWords + i);
  note->marks = std::span(taken_).first(marks);
  note->tail = std::span(taken_).subspan(marks);
  read_.store(at + kHeadWords + words, std::memory_order_release);
  return true;
}

}  // namespace gw
