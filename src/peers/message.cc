#include "peers/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "peers/varint.h"

namespace gw::peers {
namespace {

// A message that has as much is ended; no entry that may follow reaches kPayloadMax then.
constexpr size_t kPayloadEnough = size_t{64} << 10;
// Blocks of a prompt that are told: one that is longer is told up to there.
constexpr size_t kHashesMax = 100'000;
constexpr size_t kHashBytes = sizeof(uint64_t);
// As the index has them (prefix/run.h): of a run, before it, and who may hold it, twice each.
constexpr uint64_t kRunBlocksMax = 256;
constexpr uint64_t kBaseMax = (1u << 24) - 1;
constexpr uint64_t kHoldersMax = 2 * (uint64_t{kNumberMax} + 1);
static_assert(kPayloadEnough + kHashesMax * kHashBytes + 64 <= kPayloadMax);

// What is below 0 for a moment, as its parts are read one by one, is nothing.
template <class T>
void PutSum(T sum, std::string* out) {
  PutVarint(static_cast<uint64_t>(std::max<T>(sum, 0)), out);
}

// More than any endpoint has, and little enough for the sums of many peers.
constexpr uint64_t kRequestsMax = 1u << 24;
constexpr uint64_t kTokensMax = uint64_t{1} << 48;

template <class T>
bool TakeSum(std::string_view* bytes, uint64_t max, T* sum) {
  uint64_t value = 0;
  if (!TakeVarint(bytes, max, &value)) return false;
  *sum = static_cast<T>(value);
  return true;
}

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("malformed {}", what));
}

bool IsKnown(uint8_t kind) {
  return (kind >= static_cast<uint8_t>(Kind::kHello) &&
          kind <= static_cast<uint8_t>(Kind::kMarks)) ||
         kind >= kOptionalKinds;
}

}  // namespace

void MessageWriter::Begin(Kind kind) {
  const bool is_open = began_ != std::string::npos;
  if (is_open && out_[began_] == static_cast<char>(kind)) return;
  End();
  began_ = out_.size();
  out_.push_back(static_cast<char>(kind));
  PutFixed<uint32_t>(0, &out_);
}

void MessageWriter::End() {
  if (began_ == std::string::npos) return;
  const size_t length = out_.size() - began_ - kHeadBytes;
  CHECK(length <= kPayloadMax);
  for (size_t i = 0; i < 4; ++i) out_[began_ + 1 + i] = static_cast<char>(length >> (8 * i));
  began_ = std::string::npos;
}

void MessageWriter::SumsOf(Kind kind, uint32_t number, std::string_view address,
                           const GatewaySums& sums) {
  Begin(kind);
  PutVarint(number, &out_);
  PutText(address, &out_);
  PutSum(sums.requests, &out_);
  PutSum(sums.prompts, &out_);
  PutSum(sums.pending_tokens, &out_);
  PutSum(sums.decoding_tokens, &out_);
  PutSum(sums.context_tokens, &out_);
  PutSum(sums.generated_tokens, &out_);
  PutVarint(sums.doubted ? 1 : 0, &out_);
}

void MessageWriter::Sums(uint32_t number, const GatewaySums& sums) {
  SumsOf(Kind::kSums, number, "", sums);
  if (out_.size() - began_ >= kPayloadEnough) End();
}

// All in one: what it does not have is no longer there.
void MessageWriter::Whole(uint32_t number, std::string_view address, const GatewaySums& sums) {
  SumsOf(Kind::kWhole, number, address, sums);
}

void MessageWriter::EmptyWhole() { Begin(Kind::kWhole); }
void MessageWriter::Alive() { Empty(Kind::kAlive); }
void MessageWriter::WantIndex() { Empty(Kind::kWantIndex); }
void MessageWriter::EndOfIndex() { Empty(Kind::kRuns); }

void MessageWriter::Prefix(const PrefixNote& note) {
  if (note.marks.size() > kHashesMax) return;
  Begin(Kind::kPrefixes);
  const auto tail = note.tail.first(std::min(note.tail.size(), kHashesMax - note.marks.size()));
  PutVarint(note.slot, &out_);
  PutVarint(note.block_chars, &out_);
  PutVarint(note.marks.size(), &out_);
  PutVarint(tail.size(), &out_);
  for (const uint64_t hash : note.marks) PutFixed(hash, &out_);
  for (const uint64_t hash : tail) PutFixed(hash, &out_);
  if (out_.size() - began_ >= kPayloadEnough) End();
}

void MessageWriter::Run(const RunCopy& run) {
  Begin(Kind::kRuns);
  PutFixed(run.name, &out_);
  PutVarint(run.base, &out_);
  PutVarint(run.hashes.size() + 1, &out_);
  for (const uint32_t half : run.hashes) PutFixed(half, &out_);
  PutVarint(run.holders.size(), &out_);
  for (const RunCopy::Holder& holder : run.holders) {
    PutVarint(holder.slot, &out_);
    PutVarint(holder.blocks, &out_);
  }
  if (out_.size() - began_ >= kPayloadEnough) End();
}

void MessageWriter::Mark(const MarkCopy& mark) {
  Begin(Kind::kMarks);
  PutFixed(mark.name, &out_);
  PutFixed(mark.place.run, &out_);
  PutVarint(mark.place.base, &out_);
  PutVarint(mark.place.offset, &out_);
  PutFixed(mark.place.hash, &out_);
  if (out_.size() - began_ >= kPayloadEnough) End();
}

void MessageWriter::Entry(Kind kind, std::string_view bytes) {
  DCHECK(bytes.size() <= kEntryMax);
  Begin(kind);
  out_ += bytes;
  if (out_.size() - began_ >= kPayloadEnough) End();
}

void MessageWriter::Empty(Kind kind) {
  End();
  Begin(kind);
  End();
}

absl::Status TakeMessage(std::string_view* bytes, Message* message, bool* whole) {
  *whole = false;
  if (bytes->empty()) return absl::OkStatus();
  const auto kind = static_cast<uint8_t>(bytes->front());
  if (!IsKnown(kind)) return Malformed(fmt::format("message: there is no kind {}", kind));
  if (bytes->size() < kHeadBytes) return absl::OkStatus();
  const auto length = FixedAt<uint32_t>(bytes->substr(1));
  if (length > kPayloadMax) {
    return Malformed(fmt::format("message: {} bytes, more than {}", length, kPayloadMax));
  }
  if (bytes->size() - kHeadBytes < length) return absl::OkStatus();
  *message = {static_cast<Kind>(kind), bytes->substr(kHeadBytes, length)};
  bytes->remove_prefix(kHeadBytes + length);
  *whole = true;
  return absl::OkStatus();
}

absl::Status TakeSums(std::string_view* payload, SumsEntry* entry) {
  uint64_t number = 0;
  if (!TakeVarint(payload, kNumberMax, &number) ||
      !TakeText(payload, kAddressMax, &entry->address)) {
    return Malformed("endpoint");
  }
  entry->number = static_cast<uint32_t>(number);
  GatewaySums& sums = entry->sums;
  uint64_t doubted = 0;
  const bool good = TakeSum(payload, kRequestsMax, &sums.requests) &&
                    TakeSum(payload, kRequestsMax, &sums.prompts) &&
                    TakeSum(payload, kTokensMax, &sums.pending_tokens) &&
                    TakeSum(payload, kTokensMax, &sums.decoding_tokens) &&
                    TakeSum(payload, kTokensMax, &sums.context_tokens) &&
                    TakeSum(payload, kTokensMax, &sums.generated_tokens) &&
                    TakeVarint(payload, 1, &doubted);
  sums.doubted = doubted != 0;
  return good ? absl::OkStatus() : Malformed("sums");
}

absl::Status TakeRun(std::string_view* payload, RunCopy* run) {
  uint64_t base = 0;
  uint64_t blocks = 0;
  uint64_t holders = 0;
  if (payload->size() < kHashBytes) return Malformed("run");
  run->name = FixedAt<uint64_t>(*payload);
  payload->remove_prefix(kHashBytes);
  if (!TakeVarint(payload, kBaseMax, &base) || !TakeVarint(payload, kRunBlocksMax, &blocks) ||
      blocks == 0 || (blocks - 1) * sizeof(uint32_t) > payload->size()) {
    return Malformed("run");
  }
  run->base = static_cast<uint32_t>(base);
  run->hashes.resize(blocks - 1);
  for (uint32_t& half : run->hashes) {
    half = FixedAt<uint32_t>(*payload);
    payload->remove_prefix(sizeof half);
  }
  run->holders.clear();
  if (!TakeVarint(payload, kHoldersMax, &holders)) return Malformed("run");
  for (uint64_t i = 0; i < holders; ++i) {
    uint64_t number = 0;
    uint64_t held = 0;
    if (!TakeVarint(payload, kNumberMax, &number) || !TakeVarint(payload, blocks, &held)) {
      return Malformed("holder of a run");
    }
    run->holders.push_back({static_cast<uint32_t>(number), static_cast<uint32_t>(held)});
  }
  return absl::OkStatus();
}

absl::Status TakeMark(std::string_view* payload, MarkCopy* mark) {
  uint64_t base = 0;
  uint64_t offset = 0;
  if (payload->size() < 2 * kHashBytes) return Malformed("mark");
  mark->name = FixedAt<uint64_t>(*payload);
  mark->place.run = FixedAt<uint64_t>(payload->substr(kHashBytes));
  payload->remove_prefix(2 * kHashBytes);
  if (!TakeVarint(payload, kBaseMax, &base) || !TakeVarint(payload, kRunBlocksMax - 1, &offset) ||
      payload->size() < sizeof(uint32_t)) {
    return Malformed("mark");
  }
  mark->place.base = static_cast<uint32_t>(base);
  mark->place.offset = static_cast<uint32_t>(offset);
  mark->place.hash = FixedAt<uint32_t>(*payload);
  payload->remove_prefix(sizeof(uint32_t));
  return absl::OkStatus();
}

absl::Status TakePrefix(std::string_view* payload, PrefixNote* note, std::vector<uint64_t>* words) {
  uint64_t number = 0;
  uint64_t block_chars = 0;
  uint64_t marks = 0;
  uint64_t tail = 0;
  const bool good = TakeVarint(payload, kNumberMax, &number) &&
                    TakeVarint(payload, std::numeric_limits<uint32_t>::max(), &block_chars) &&
                    TakeVarint(payload, kHashesMax, &marks) &&
                    TakeVarint(payload, kHashesMax, &tail) && block_chars > 0 &&
                    (marks + tail) * kHashBytes <= payload->size();
  if (!good) return Malformed("prefix");
  words->resize(marks + tail);
  for (uint64_t& word : *words) {
    word = FixedAt<uint64_t>(*payload);
    payload->remove_prefix(kHashBytes);
  }
  const std::span<const uint64_t> all(*words);
  *note = {static_cast<uint32_t>(number), static_cast<uint32_t>(block_chars), all.first(marks),
           all.subspan(marks)};
  return absl::OkStatus();
}

}  // namespace gw::peers
