#include "collect/look_plan.h"

#include "base/check.h"
#include "pool/health.h"

namespace gw {

uint8_t News::Of(const EndpointState& state) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  uint8_t news = state.in_flight_requests.load(kRelaxed) > 0 ? kInUse : 0;
  // In the same cache line. What never failed was never ejected or doubted.
  if (!state.ever_failed.load(kRelaxed)) return news;
  if (IsEjected(state)) news |= kEjected;
  if (state.health_doubted.load(kRelaxed)) news |= kDoubted;
  return news;
}

void LookPlan::Put(uint32_t id, const EndpointState* state, const NextLook& next) {
  if (id >= places_.size()) {
    places_.resize(id + 1);
    watched_.resize(id + 1);
  }
  watched_[id].state = state;
  Move(id, Where::kDue, next.at);
  watched_[id].sooner_on = next.sooner_on;
}

void LookPlan::Set(uint32_t id, const NextLook& next) {
  CHECK(id < places_.size() && places_[id].where != Where::kNowhere);
  Move(id, Where::kDue, next.at);
  watched_[id].sooner_on = next.sooner_on;
}

void LookPlan::Remove(uint32_t id) {
  if (id >= places_.size()) return;
  Move(id, Where::kNowhere, {});
  watched_[id] = {};
}

void LookPlan::LeaveOut(uint32_t id, const NextLook& next) {
  // That it is in use makes nothing due that is due already, and must not cost it its place.
  watched_[id].sooner_on = next.sooner_on & ~News::kInUse;
  if (places_[id].where != Where::kLeftOut) Move(id, Where::kLeftOut, {});
}

void LookPlan::Move(uint32_t id, Where where, TimePoint at) {
  Place& place = places_[id];
  if (place.where == Where::kDue) due_.erase(place.key);
  if (place.where == Where::kLeftOut) left_out_.erase(place.key);
  place = {where, {at, next_order_++, id}};
  if (where == Where::kDue) due_.insert(place.key);
  if (where == Where::kLeftOut) left_out_.insert(place.key);
}

void LookPlan::Sweep(TimePoint now) {
  const size_t count = watched_.size();
  const size_t share = (count + kSweepRounds - 1) / kSweepRounds;
  for (size_t left = std::min(count, std::max(share, kSweepMin)); left > 0; --left) {
    if (sweep_at_ >= count) sweep_at_ = 0;
    const size_t id = sweep_at_++;
    Watched& watched = watched_[id];
    if (watched.sooner_on == 0 || (News::Of(*watched.state) & watched.sooner_on) == 0) continue;
    watched.sooner_on = 0;  // until it has been looked at
    const Place& place = places_[id];
    const bool is_due = place.where == Where::kDue && place.key.at <= now;
    if (!is_due) Move(static_cast<uint32_t>(id), Where::kDue, now);
  }
}

}  // namespace gw
