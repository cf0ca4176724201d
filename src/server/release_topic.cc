#include "server/release_topic.h"

#include <bit>
#include <string>

#include "peers/varint.h"

namespace gw {
namespace {

using peers::kNameMax;  // namespace/name of an object is shorter
using peers::PutFixed;
using peers::PutText;
using peers::PutVarint;
using peers::TakeText;
using peers::TakeVarint;

// More than a gateway ends between two words, and little enough for the sums of a release.
constexpr uint64_t kCountMax = uint64_t{1} << 32;
constexpr uint64_t kNumberMax = uint64_t{1} << 62;

void PutMoments(const release::LogMoments& moments, std::string* out) {
  PutVarint(static_cast<uint64_t>(moments.count), out);
  PutFixed(std::bit_cast<uint64_t>(moments.sum), out);
  PutFixed(std::bit_cast<uint64_t>(moments.sum_squares), out);
}

void PutVersion(const release::VersionSamples& samples, std::string* out) {
  for (const int64_t count : {samples.requests, samples.errors, samples.finished,
                              samples.ended_by_length, samples.ended_abnormally}) {
    PutVarint(static_cast<uint64_t>(count), out);
  }
  PutMoments(samples.ttft, out);
  PutMoments(samples.tpot, out);
}

bool TakeCount(std::string_view* bytes, int64_t* count) {
  uint64_t value = 0;
  if (!TakeVarint(bytes, kCountMax, &value)) return false;
  *count = static_cast<int64_t>(value);
  return true;
}

bool TakeDouble(std::string_view* bytes, double* value) {
  if (bytes->size() < sizeof(uint64_t)) return false;
  *value = std::bit_cast<double>(peers::FixedAt<uint64_t>(*bytes));
  bytes->remove_prefix(sizeof(uint64_t));
  return true;
}

bool TakeMoments(std::string_view* bytes, release::LogMoments* moments) {
  return TakeCount(bytes, &moments->count) && TakeDouble(bytes, &moments->sum) &&
         TakeDouble(bytes, &moments->sum_squares);
}

// Only what requests can have come to.
bool TakeVersion(std::string_view* bytes, release::VersionSamples* samples) {
  for (int64_t* count : {&samples->requests, &samples->errors, &samples->finished,
                         &samples->ended_by_length, &samples->ended_abnormally}) {
    if (!TakeCount(bytes, count)) return false;
  }
  return TakeMoments(bytes, &samples->ttft) && TakeMoments(bytes, &samples->tpot) &&
         samples->IsSane();
}

}  // namespace

void ReleaseTopic::Tell(TimePoint now, bool /*whole*/, peers::MessageWriter* out) {
  if (now < next_at_) return;
  next_at_ = now + kInterval;
  std::string entry;
  for (const ReleaseSamples& each : releases_.TakeSamples()) {
    entry.clear();
    PutText(each.release, &entry);
    PutVarint(static_cast<uint64_t>(each.generation), &entry);
    PutVarint(each.samples.window, &entry);
    PutVersion(each.samples.stable, &entry);
    PutVersion(each.samples.candidate, &entry);
    out->Entry(kKind, entry);
  }
}

absl::Status ReleaseTopic::Take(uint64_t /*peer*/, std::string_view payload, TimePoint /*now*/) {
  while (!payload.empty()) {
    std::string_view name;
    uint64_t generation = 0;
    ReleaseSamples told;
    if (!TakeText(&payload, kNameMax, &name)) {
      return absl::InvalidArgumentError("malformed samples: release");
    }
    if (!TakeVarint(&payload, kNumberMax, &generation) ||
        !TakeVarint(&payload, kNumberMax, &told.samples.window)) {
      return absl::InvalidArgumentError("malformed samples: window");
    }
    if (!TakeVersion(&payload, &told.samples.stable) ||
        !TakeVersion(&payload, &told.samples.candidate)) {
      return absl::InvalidArgumentError("malformed samples: sums");
    }
    told.release = name;
    told.generation = static_cast<int64_t>(generation);
    releases_.AddSamples(told);
  }
  return absl::OkStatus();
}

}  // namespace gw
