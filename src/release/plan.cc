#include "release/plan.h"

#include <cmath>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "fmt/format.h"

namespace gw::release {
namespace {

absl::Status Invalid(std::string_view field, std::string_view wanted) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", field, wanted));
}

absl::Status ValidateSteps(const std::vector<Step>& steps) {
  if (steps.empty()) return Invalid("steps", "at least one step is wanted");
  if (steps.size() > kStepsMax) {
    return Invalid("steps", fmt::format("at most {} are allowed, not {}", kStepsMax, steps.size()));
  }
  double before = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const std::string field = fmt::format("steps[{}]", i);
    // Written so that what is not a number is refused as well.
    if (!(step.weight_percent > 0 && step.weight_percent <= 100)) {
      return Invalid(field + ".weight",
                     fmt::format("above 0 and at most 100 is wanted, not {}", step.weight_percent));
    }
    if (step.weight_percent <= before) {
      return Invalid(field + ".weight", fmt::format("weights rise from step to step, and {} is not "
                                                    "above {}",
                                                    step.weight_percent, before));
    }
    before = step.weight_percent;
    if (step.pause < Duration(0) || step.pause > kPauseMax) {
      return Invalid(field + ".pause",
                     fmt::format("from 0s to {} is wanted, not {}", DurationText(kPauseMax),
                                 DurationText(step.pause)));
    }
    if (step.samples_min < 0 || step.samples_min > kSamplesMinMax) {
      return Invalid(field + ".samplesMin", fmt::format("from 0 to {} is wanted, not {}",
                                                        kSamplesMinMax, step.samples_min));
    }
    if (step.pause == Duration(0) && step.samples_min == 0) {
      return Invalid(field, "a pause or samplesMin is wanted: the step would be over at once");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateCriteria(const Criteria& criteria) {
  const auto share = [](std::string_view field, std::optional<double> value) {
    if (!value || (*value >= 0 && *value < 1)) return absl::OkStatus();
    return Invalid(field, fmt::format("at least 0 and below 1 is wanted, not {}", *value));
  };
  const auto ratio = [](std::string_view field, std::optional<double> value) {
    if (!value || (*value >= 1 && std::isfinite(*value))) return absl::OkStatus();
    return Invalid(field, fmt::format("a ratio of at least 1 is wanted, not {}", *value));
  };
  RETURN_IF_ERROR(share("criteria.errorRate", criteria.error_rate));
  RETURN_IF_ERROR(ratio("criteria.ttft", criteria.ttft));
  RETURN_IF_ERROR(ratio("criteria.tpot", criteria.tpot));
  return share("criteria.finishReasons", criteria.finish_reasons);
}

// How many comparisons each step makes; that of a candidate that answers nothing is always made.
int TestsOf(const Criteria& criteria) {
  return 1 + (criteria.error_rate ? 1 : 0) + (criteria.ttft ? 1 : 0) + (criteria.tpot ? 1 : 0) +
         (criteria.finish_reasons ? 2 : 0);
}

std::string CriteriaText(const ReleasePlan& plan) {
  const Criteria& criteria = plan.criteria;
  const std::string than = absl::StrCat(" than ", plan.stable);
  std::string text = fmt::format("a breach: {} answers (nearly) nothing that {} answers",
                                 plan.candidate, plan.stable);
  const auto share = [&](std::string_view what, std::optional<double> value) {
    if (value) {
      text += fmt::format("; over {:g} percentage points more {}{}", *value * 100, what, than);
    }
  };
  const auto ratio = [&](std::string_view what, std::optional<double> value) {
    if (value) text += fmt::format("; {} over {:g} times that of {}", what, *value, plan.stable);
  };
  share("errors", criteria.error_rate);
  ratio("TTFT", criteria.ttft);
  ratio("TPOT", criteria.tpot);
  share("answers that are cut for their length, or that end abnormally,", criteria.finish_reasons);
  return text + "\n";
}

}  // namespace

std::string PercentText(double percent) { return fmt::format("{:g} %", percent); }

std::string DurationText(Duration duration) {
  if (duration < Duration(0)) return absl::StrCat("-", DurationText(-duration));
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(duration);
  duration -= hours;
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(duration);
  duration -= minutes;
  std::string text;
  if (hours.count() > 0) absl::StrAppend(&text, hours.count(), "h");
  if (minutes.count() > 0) absl::StrAppend(&text, minutes.count(), "m");
  if (duration > Duration(0) || text.empty()) text += fmt::format("{:g}s", ToSeconds(duration));
  return text;
}

absl::Status Validate(const ReleasePlan& plan) {
  if (plan.stable.empty()) return Invalid("stable", "a destination is wanted");
  if (plan.candidate.empty()) return Invalid("candidate", "a destination is wanted");
  if (plan.stable == plan.candidate) {
    return Invalid(
        "candidate",
        fmt::format("another destination than the stable one ({}) is wanted", plan.stable));
  }
  RETURN_IF_ERROR(ValidateSteps(plan.steps));
  RETURN_IF_ERROR(ValidateCriteria(plan.criteria));
  if (!(plan.false_alarm_rate > 0 && plan.false_alarm_rate <= 0.5)) {
    return Invalid("falseAlarmRate",
                   fmt::format("above 0 and at most 0.5 is wanted, not {}", plan.false_alarm_rate));
  }
  return absl::OkStatus();
}

double TestFalseAlarmRate(const ReleasePlan& plan) {
  return plan.false_alarm_rate / static_cast<double>(plan.steps.size()) / TestsOf(plan.criteria);
}

std::string PlanText(const ReleasePlan& plan) {
  std::string text =
      fmt::format("release {}: from {} to {}\n", plan.name, plan.stable, plan.candidate);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    const bool has_both = step.weight_percent < 100;
    text += fmt::format("step {} of {}: {} of requests to {}", i + 1, plan.steps.size(),
                        PercentText(step.weight_percent), plan.candidate);
    if (step.pause > Duration(0)) text += fmt::format(", for {}", DurationText(step.pause));
    if (step.samples_min > 0) {
      text += fmt::format("{} {} samples{}", step.pause > Duration(0) ? " and" : ", for",
                          step.samples_min, has_both ? " of each" : "");
    }
    if (!has_both) {
      text += fmt::format("; {} has no requests to compare with", plan.stable);
    }
    text += "\n";
  }
  text += fmt::format("then: all requests to {}\n", plan.candidate);
  text += CriteriaText(plan);
  text += plan.on_breach == OnBreach::kRollBack
              ? fmt::format("after a breach: rolled back, all requests to {}\n", plan.stable)
              : "after a breach: held at the weight of its step until somebody decides\n";
  text += fmt::format("false alarms: in at most {} of releases, over all steps and criteria\n",
                      PercentText(plan.false_alarm_rate * 100));
  if (plan.paused) text += "paused: goes no step further until it is resumed\n";
  if (plan.request == Request::kPromote) text += "asked for: promote at once\n";
  if (plan.request == Request::kAbort) text += "asked for: abort\n";
  return text;
}

}  // namespace gw::release
