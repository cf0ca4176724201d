// PromptSpeeds: how fast a pool's endpoints compute prompts, learned from their first tokens:
//
//   sum n^2 / sum (n * dt)
//
// over groups of first tokens that came together: n their uncached tokens, dt the time from their
// first dispatch, or from the endpoint's first token before them if that was later. Never from
// dispatch to first token alone: that contains the queue.
//
// One value for the pool, and where its endpoints differ (other GPUs, a throttled one) one for
// each, drawn to the mean of all for as long as little is known. In a pool of equals their own
// values only say who had the long prompts lately, and are not used.
//
// While others compute prompts at the endpoint (other gateways, direct clients) intervals contain
// theirs: these count for the pool, where all are alike, and not for the endpoint.
//
// One thread at a time. Reads no clock.

#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

class PromptSpeeds {
 public:
  // As if one prompt of kPriorTokens had been computed at kPrior before the first.
  static constexpr double kPrior = 10'000;
  static constexpr double kPriorTokens = 500;
  static constexpr Duration kDecay = std::chrono::minutes(2);
  // First tokens of one endpoint so near to each other are of one step of its engine.
  static constexpr Duration kTogether = std::chrono::milliseconds(2);
  // Larger groups were computed in several steps and say little of one.
  static constexpr int64_t kGroupTokensMax = 8192;

  // Of an endpoint: fewer groups than kOwnGroupsMin say nothing, and with kOwnGroupsHalf it is half
  // way from the mean of all endpoints to what they say.
  static constexpr Duration kOwnDecay = std::chrono::minutes(5);
  static constexpr double kOwnGroupsMin = 20;
  static constexpr double kOwnGroupsHalf = 20;
  // Standard deviation of the logarithms of their own values from which on endpoints differ, looked
  // at so often. Equals with all kinds of prompts have 0.05 to 0.15, two halves of which one is
  // twice as fast 0.35.
  static constexpr double kMixedSpread = 0.25;
  static constexpr Duration kSpreadInterval = std::chrono::seconds(1);

  void OnDispatch(const EndpointState& state);
  void OnFirstToken(const EndpointState& state, int64_t uncached_tokens, TimePoint dispatched,
                    TimePoint now);

  // Tokens per second.
  double pool() const;
  // The pool's if its endpoints are alike; else as of the last look.
  double Of(uint32_t slot) const;
  bool mixed() const { return mixed_; }

 private:
  // Weighted sums, of which the older ones count less.
  struct Sums {
    double square = 0;
    double time = 0;
    double groups = 0;
    TimePoint as_of{};

    // The share of it that still counts.
    double Left(TimePoint now, Duration decay) const;
    void Learn(double tokens, double took_s, TimePoint now, Duration decay);
    double rate() const;
  };
  // Of one endpoint, by its slot. Where the slot has passed to another address what is known of the
  // one before is old, and gone in minutes.
  struct OfEndpoint {
    bool any = false;  // a first token has come
    int64_t group_tokens = 0;
    TimePoint group_dispatched{};  // the first of it
    TimePoint group_came{};        // the first of it
    TimePoint last_before{};       // the last first token before the group
    TimePoint last{};              // the last first token
    bool any_before = false;
    bool group_shared = false;  // others had prompts there meanwhile
    bool next_shared = false;   // since the group
    Sums own;
  };

  OfEndpoint& At(uint32_t slot);
  void LearnGroup(OfEndpoint& of);
  // How far its own value is believed, below 1; 0: it has shown too little.
  static double Weight(const OfEndpoint& of, TimePoint now);
  // What decisions read is computed here, and not for each of them.
  void LookAtSpread(TimePoint now);

  std::vector<OfEndpoint> endpoints_;
  Sums pool_{.square = kPriorTokens * kPriorTokens, .time = kPriorTokens * kPriorTokens / kPrior};
  TimePoint looked_at_{};
  bool mixed_ = false;
  // Where endpoints differ: the mean of their own values, and each one's by slot.
  double middle_ = kPrior;
  std::vector<double> rates_;
};

}  // namespace gw
