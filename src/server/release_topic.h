// ReleaseTopic: what the requests of gateways that follow came to (release/samples.h), for the one
// that leads, which judges releases by the requests of all (server/releases.h).
//
//   samples = *( release, generation, window, stable, candidate )
//   each    = requests, errors, finished, by length, abnormally, moments of TTFT, moments of TPOT
//   moments = count, sum, sum of squares: doubles as 8 bytes
//
// What is told is what has come since the last time, and told once: of what a peer does not take
// the judgement has fewer samples, never wrong ones. A gateway that leads tells nothing, and one
// that follows forgets what it hears.

#pragma once

#include <string_view>

#include "peers/topic.h"
#include "server/releases.h"

namespace gw {

class ReleaseTopic final : public peers::Topic {
 public:
  static constexpr peers::Kind kKind{131};
  // The one that leads looks each second.
  static constexpr Duration kInterval = std::chrono::milliseconds(200);

  // `releases` outlives it.
  explicit ReleaseTopic(Releases& releases) : releases_(releases) {}

  peers::Kind kind() const override { return kKind; }
  void Tell(TimePoint now, bool whole, peers::MessageWriter* out) override;
  absl::Status Take(uint64_t peer, std::string_view payload, TimePoint now) override;
  void Forget(uint64_t /*peer*/, TimePoint /*now*/) override {}

 private:
  Releases& releases_;
  TimePoint next_at_{};
};

}  // namespace gw
