// What gateways tell each other of the endpoints that they share, as bytes.
//
//   message  = 1 byte kind, 4 bytes length of the payload (little-endian), payload
//   sums     = *( number, address, requests, prompts, 4 sums of tokens, doubted ): one for each
//              endpoint whose sums have changed; absolute, so that what is lost is made good by the
//              next
//   whole    = the same of all endpoints; those that it does not have are no longer told of
//   prefixes = *( number, block_chars, marks, blocks, hashes ): PrefixIndex::InsertBehind
//   alive    = nothing
//   want     = nothing: who sends it is new, and asks for the prefix index
//   runs     = *( name, base, blocks, halves of hashes, holders, *( number, blocks ) ): RunCopy;
//              none: all has been told
//   marks    = *( name, run, base, offset, half of the hash ): MarkCopy
//
// Numbers are unsigned varints (LEB128), hashes 8 bytes, little-endian. An endpoint's number is the
// teller's own; in `whole` its address ("10.0.0.7:8000") stands behind it, in `sums` an empty one.
//
// Values, without I/O. What comes from a peer is believed in what it says, never in its form: a
// message that is not as above is refused with a reason.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "pool/gateway_sums.h"
#include "prefix/news.h"
#include "prefix/run_copy.h"

namespace gw::peers {

enum class Kind : uint8_t {
  kHello = 1,
  kSums = 2,
  kWhole = 3,
  kPrefixes = 4,
  kAlive = 5,
  kBye = 6,
  kWantIndex = 7,
  kRuns = 8,
  kMarks = 9
};

// Kinds from here on are topics' (topic.h), and may be left out by whoever does not know them.
inline constexpr uint8_t kOptionalKinds = 128;

inline constexpr size_t kHeadBytes = 5;
// Longer ones are refused; whoever writes begins another one well before.
inline constexpr size_t kPayloadMax = size_t{1} << 20;
inline constexpr size_t kEntryMax = size_t{64} << 10;
inline constexpr uint32_t kNumberMax = 65535;
inline constexpr size_t kAddressMax = 256;

// Appends messages to `out`, each begun when it is needed and ended when it is long enough, or by
// End.
class MessageWriter {
 public:
  explicit MessageWriter(std::string* out) : out_(*out) {}
  ~MessageWriter() { End(); }
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

  void Sums(uint32_t number, const GatewaySums& sums);
  // All of these follow each other, and End.
  void Whole(uint32_t number, std::string_view address, const GatewaySums& sums);
  void Prefix(const PrefixNote& note);
  void Run(const RunCopy& run);
  void Mark(const MarkCopy& mark);
  // Of a kind of its own: at most kEntryMax.
  void Entry(Kind kind, std::string_view bytes);
  // Messages without entries.
  void Alive();
  void WantIndex();
  void EndOfIndex();
  void EmptyWhole();
  void End();

 private:
  void Begin(Kind kind);
  void Empty(Kind kind);
  void SumsOf(Kind kind, uint32_t number, std::string_view address, const GatewaySums& sums);

  std::string& out_;
  size_t began_ = std::string::npos;  // where the open message's head is
};

struct Message {
  Kind kind = Kind::kAlive;
  std::string_view payload;
};

// The first message of `bytes`, which is taken from them. False: it is not whole yet. An error:
// it never will be.
absl::Status TakeMessage(std::string_view* bytes, Message* message, bool* whole);

struct SumsEntry {
  uint32_t number = 0;
  std::string_view address;
  GatewaySums sums;
};

// The first entry of a payload that is not empty, which is taken from it.
absl::Status TakeSums(std::string_view* payload, SumsEntry* entry);
absl::Status TakeRun(std::string_view* payload, RunCopy* run);
absl::Status TakeMark(std::string_view* payload, MarkCopy* mark);
// `words` holds what the note speaks of, until the next call.
absl::Status TakePrefix(std::string_view* payload, PrefixNote* note, std::vector<uint64_t>* words);

}  // namespace gw::peers
