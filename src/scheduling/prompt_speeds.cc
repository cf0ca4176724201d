#include "scheduling/prompt_speeds.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

namespace gw {
namespace {

// What no model server does.
constexpr double kRateMin = 1;
constexpr double kRateMax = 1e8;

bool OthersHavePrompts(const EndpointState& state) {
  return state.others.prompts.load(std::memory_order_relaxed) > 0 ||
         state.foreign_requests.load(std::memory_order_relaxed) >= 1;
}

}  // namespace

// What stands there at first is of no time.
double PromptSpeeds::Sums::Left(TimePoint now, Duration decay) const {
  if (as_of == TimePoint()) return 1;
  return std::exp(-ToSeconds(std::max(now - as_of, Duration(0))) / ToSeconds(decay));
}

void PromptSpeeds::Sums::Learn(double tokens, double took_s, TimePoint now, Duration decay) {
  const double left = Left(now, decay);
  as_of = std::max(as_of, now);
  square = square * left + tokens * tokens;
  time = time * left + tokens * took_s;
  groups = groups * left + 1;
}

double PromptSpeeds::Sums::rate() const { return std::clamp(square / time, kRateMin, kRateMax); }

PromptSpeeds::OfEndpoint& PromptSpeeds::At(uint32_t slot) {
  if (endpoints_.size() <= slot) endpoints_.resize(slot + 1);
  return endpoints_[slot];
}

void PromptSpeeds::OnDispatch(const EndpointState& state) {
  if (OthersHavePrompts(state)) At(state.slot).next_shared = true;
}

// A group is known to be whole when the first token behind it comes.
void PromptSpeeds::OnFirstToken(const EndpointState& state, int64_t uncached_tokens,
                                TimePoint dispatched, TimePoint now) {
  OfEndpoint& of = At(state.slot);
  const bool shared = OthersHavePrompts(state);
  of.next_shared |= shared;
  if (of.any && now - of.group_came <= kTogether) {
    of.group_tokens += uncached_tokens;
    of.group_dispatched = std::min(of.group_dispatched, dispatched);
  } else {
    if (of.any) LearnGroup(of);
    of.any_before = of.any;
    of.last_before = of.last;
    of.any = true;
    of.group_tokens = uncached_tokens;
    of.group_dispatched = dispatched;
    of.group_came = now;
    of.group_shared = std::exchange(of.next_shared, shared);
  }
  of.last = now;
}

void PromptSpeeds::LearnGroup(OfEndpoint& of) {
  if (of.group_tokens <= 0 || of.group_tokens > kGroupTokensMax) return;
  const TimePoint from =
      of.any_before ? std::max(of.group_dispatched, of.last_before) : of.group_dispatched;
  const double took_s = ToSeconds(of.group_came - from);
  if (took_s <= 0) return;
  const auto tokens = static_cast<double>(of.group_tokens);
  pool_.Learn(tokens, took_s, of.group_came, kDecay);
  if (!of.group_shared) of.own.Learn(tokens, took_s, of.group_came, kOwnDecay);
  if (of.group_came - looked_at_ >= kSpreadInterval) LookAtSpread(of.group_came);
}

double PromptSpeeds::Weight(const OfEndpoint& of, TimePoint now) {
  const double groups = of.own.groups * of.own.Left(now, kOwnDecay);
  return groups < kOwnGroupsMin ? 0 : groups / (groups + kOwnGroupsHalf);
}

void PromptSpeeds::LookAtSpread(TimePoint now) {
  looked_at_ = now;
  double weights = 0;
  double sum = 0;
  double sum_square = 0;
  for (const OfEndpoint& of : endpoints_) {
    const double weight = Weight(of, now);
    if (weight == 0) continue;
    const double value = std::log(of.own.rate());
    weights += weight;
    sum += weight * value;
    sum_square += weight * value * value;
  }
  const double mean = weights > 0 ? sum / weights : 0;
  mixed_ = weights > 0 && sum_square / weights - mean * mean > kMixedSpread * kMixedSpread;
  if (!mixed_) return;
  middle_ = std::exp(mean);
  rates_.assign(endpoints_.size(), middle_);
  for (size_t slot = 0; slot < endpoints_.size(); ++slot) {
    const double weight = Weight(endpoints_[slot], now);
    if (weight > 0) rates_[slot] *= std::pow(endpoints_[slot].own.rate() / middle_, weight);
  }
}

double PromptSpeeds::pool() const { return pool_.rate(); }

double PromptSpeeds::Of(uint32_t slot) const {
  if (!mixed_) return pool();
  return slot < rates_.size() ? rates_[slot] : middle_;
}

}  // namespace gw
