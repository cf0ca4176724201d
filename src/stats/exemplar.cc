#include "stats/exemplar.h"

#include <bit>
#include <charconv>

#include "stats/exposition.h"

namespace gw {
namespace {

void AppendHex16(std::string* out, uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) {
    out->push_back("0123456789abcdef"[value >> shift & 15]);
  }
}

// Seconds with three digits behind the point. REQUIRES: ms >= 0
void AppendSeconds(std::string* out, int64_t ms) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), ms / 1000).ptr;
  out->append(digits, end).push_back('.');
  for (int64_t unit = 100; unit > 0; unit /= 10) {
    out->push_back(static_cast<char>('0' + ms / unit % 10));
  }
}

}  // namespace

// Each word is stored with release and loaded with acquire: who sees one that is new sees the odd
// number, too, that was stored before it.
void Exemplars::Keep(size_t bucket, double value, const Exemplar& exemplar) {
  Slot& slot = slots_[bucket];
  uint64_t sequence = slot.sequence.load(std::memory_order_relaxed);
  if (sequence % 2 == 1) return;
  if (!slot.sequence.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
    return;
  }
  const uint64_t words[kWords] = {exemplar.trace_high, exemplar.trace_low, exemplar.span,
                                  std::bit_cast<uint64_t>(exemplar.unix_ms),
                                  std::bit_cast<uint64_t>(value)};
  for (size_t i = 0; i < kWords; ++i) slot.words[i].store(words[i], std::memory_order_release);
  slot.sequence.store(sequence + 2, std::memory_order_release);
}

std::optional<Exemplars::Kept> Exemplars::Last(size_t bucket) const {
  // A writer that is interrupted half-way could keep a reader here: the next page has it, then.
  constexpr int kTries = 100;
  const Slot& slot = slots_[bucket];
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = slot.sequence.load(std::memory_order_acquire);
    if (before == 0) return std::nullopt;
    if (before % 2 == 1) continue;
    uint64_t words[kWords];
    for (size_t w = 0; w < kWords; ++w) words[w] = slot.words[w].load(std::memory_order_acquire);
    if (slot.sequence.load(std::memory_order_relaxed) != before) continue;
    return Kept{{words[0], words[1], words[2], std::bit_cast<int64_t>(words[3])},
                std::bit_cast<double>(words[4])};
  }
  return std::nullopt;
}

void AppendExemplar(std::string* out, const Exemplars::Kept& kept) {
  out->append(" # {trace_id=\"");
  AppendHex16(out, kept.of.trace_high);
  AppendHex16(out, kept.of.trace_low);
  out->append("\",span_id=\"");
  AppendHex16(out, kept.of.span);
  out->append("\"} ");
  AppendNumber(out, kept.value);
  out->push_back(' ');
  AppendSeconds(out, kept.of.unix_ms);
}

}  // namespace gw
