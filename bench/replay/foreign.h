// Requests that reach the engines past the gateways, as through a plain Service: the gateways learn
// of them what the engines' metrics say, and what they leave in the caches is found by others.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/load/ask.h"
#include "bench/virtual/fleet.h"
#include "bench/virtual/request.h"

namespace gw::bench {

class ForeignRequests {
 public:
  // When and how one was sent and has ended, times from `start` on.
  using OnEnd = std::function<void(const Ask& ask, const Answer& answer)>;

  ForeignRequests(VirtualFleet& fleet, TimePoint start, OnEnd on_end);
  ~ForeignRequests();

  // To the engines in turn, but for those that are down or not `present`. Its end is told later,
  // never before this returns. `text`: of the answer, where `ask` wants it.
  void Send(Ask ask, std::string text, FleetRequest request, const std::vector<bool>& present);

  bool any_in_flight() const { return !live_.empty(); }
  uint64_t sent() const { return sent_; }
  uint64_t sent_to(size_t engine) const { return sent_to_[engine]; }

 private:
  class One;

  VirtualReplica* NextEngine(const std::vector<bool>& present, size_t* engine);
  void End(uint64_t id, AnswerEnd end, int status);

  VirtualFleet& fleet_;
  const TimePoint start_;
  const OnEnd on_end_;
  uint64_t sent_ = 0;
  size_t turn_ = 0;
  std::vector<uint64_t> sent_to_;
  std::unordered_map<uint64_t, std::unique_ptr<One>> live_;
};

}  // namespace gw::bench
