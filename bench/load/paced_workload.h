// A LoadWorkload of single requests: a Pace says when, and a function says what.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "bench/load/load_workload.h"
#include "bench/load/pace.h"
#include "bench/load/request_body.h"

namespace gw::bench {

// The longest that a workload's texts and answers may be meant to be.
inline constexpr uint32_t kTokensMax = 10'000'000;

// Of random streams that must not depend on each other, and of ids of texts.
enum class Stream : uint64_t {
  kPace,
  kOrder,
  kLengths,
  kSystem,
  kQuestion,
  kBlock,
  kTenants,
  kObjectives
};

// `make` is given the request's number, from 0, and fills everything but id, due and api.
std::unique_ptr<LoadWorkload> NewPacedWorkload(std::unique_ptr<Pace> pace, ApiKind api,
                                               std::function<Ask(uint64_t number)> make,
                                               std::string description);

}  // namespace gw::bench
