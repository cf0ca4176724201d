// Split: what a rule's destinations, or a model's targets, have to do with a release: which two of
// them are its versions, and where their requests leave what they came to. Immutable, part of a
// Snapshot.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "release/sample_sink.h"

namespace gw::release {

struct Split {
  std::string release;  // "default/chat-v2"
  size_t stable = 0;    // index the rule's destinations, or the model's targets
  size_t candidate = 0;
  uint64_t window = 0;  // of Weights
  std::shared_ptr<SampleSink> sink;

  std::optional<Version> VersionOf(size_t index) const {
    if (index == stable) return Version::kStable;
    if (index == candidate) return Version::kCandidate;
    return std::nullopt;
  }
};

constexpr std::string_view NameOf(Version version) {
  return version == Version::kStable ? "stable" : "candidate";
}

}  // namespace gw::release
