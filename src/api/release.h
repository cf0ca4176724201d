// ModelRelease (penstock.dev/v1alpha1): requests go over from a stable destination to a candidate,
// step by step, as long as the candidate is not worse.
//
// The fields are those of release::ReleasePlan, as somebody wrote them: whether the plan as a whole
// makes sense (release::Validate), and whether its destinations exist, others say.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/meta.h"
#include "base/clock.h"

namespace gw::api {

struct ModelRelease {
  // A backendRef of the rule, or one of the model's targetModels.
  struct Destination {
    std::string name;
    std::string kind = "InferencePool";  // "" with a model, whose targets are only names
    std::optional<std::string> group;    // nullopt: any that has the kind

    bool operator==(const Destination&) const = default;
  };

  struct Step {
    double weight_percent = 0;  // of the candidate, above 0 and at most 100
    Duration pause{0};
    int64_t samples_min = 0;  // at least 0

    bool operator==(const Step&) const = default;
  };

  struct Criteria {
    std::optional<double> error_rate;      // in [0, 1)
    std::optional<double> ttft;            // at least 1
    std::optional<double> tpot;            // the same
    std::optional<double> finish_reasons;  // in [0, 1)

    bool operator==(const Criteria&) const = default;
  };

  enum class OnBreach : uint8_t { kRollBack, kHold };
  enum class Request : uint8_t { kNone, kPromote, kAbort };

  ObjectMeta meta;  // `lines` has those of all fields below
  // Exactly one of both is given: an HTTPRoute or an InferenceModel of the same namespace.
  std::string route;
  std::string model;
  std::string rule;  // of the route: its name, or its number from 0; "": the only one
  Destination stable;
  Destination candidate;
  std::vector<Step> steps;  // 1 to kReleaseStepsMax
  Criteria criteria;
  double false_alarm_rate = 0.01;  // above 0 and at most 0.5
  OnBreach on_breach = OnBreach::kRollBack;
  bool paused = false;
  Request request = Request::kNone;
  // JSON text of the object's status as an API server holds it, whole; "" if it has none. Of a file
  // it is never read.
  std::string status;

  bool operator==(const ModelRelease&) const = default;
};

inline constexpr size_t kReleaseStepsMax = 50;

}  // namespace gw::api
