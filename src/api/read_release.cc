#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <string_view>

#include "api/kinds.h"

namespace gw::api {
namespace {

// A number that is in a range; its line is kept for those who judge the whole plan.
std::optional<double> ReadNumber(const Value& field, bool (*fits)(double),
                                 std::string_view wanted) {
  field.Keep();
  const std::optional<double> number = field.Number();
  if (!number || fits(*number)) return number;
  field.Error(fmt::format("must be {}, got {}", wanted, *number));
  return std::nullopt;
}

std::optional<double> ReadShare(const Value& field) {
  return ReadNumber(
      field, [](double share) { return share >= 0 && share < 1; }, "at least 0 and below 1");
}

std::optional<double> ReadRatio(const Value& field) {
  return ReadNumber(field, [](double ratio) { return ratio >= 1; }, "a ratio of at least 1");
}

ModelRelease::Destination ReadDestination(const Value& value, bool of_model) {
  ModelRelease::Destination destination;
  value.Keep();
  if (!value.present()) return destination;
  MapReader in = value.Map();
  destination.name = in.Require("name").Text(1, 253);
  const Value kind = in.Get("kind");
  const Value group = in.Get("group");
  if (of_model) {
    destination.kind = "";
    for (const Value& field : {kind, group}) {
      if (field.present()) field.Error("must not be given beside model, whose targets have none");
    }
    return destination;
  }
  if (kind.present()) destination.kind = kind.Kind();
  if (group.present()) destination.group = group.Group();
  return destination;
}

ModelRelease::Step ReadStep(const Value& value) {
  ModelRelease::Step step;
  value.Keep();
  MapReader in = value.Map();
  const auto weight = ReadNumber(
      in.Require("weight"), [](double percent) { return percent > 0 && percent <= 100; },
      "above 0 and at most 100");
  step.weight_percent = weight.value_or(0);
  const Value pause = in.Get("pause");
  pause.Keep();
  step.pause = pause.DurationText().value_or(Duration(0));
  const Value samples_min = in.Get("samplesMin");
  samples_min.Keep();
  step.samples_min = samples_min.Integer(0, std::numeric_limits<int64_t>::max()).value_or(0);
  return step;
}

ModelRelease::Criteria ReadCriteria(const Value& value) {
  MapReader in = value.Map();
  return {.error_rate = ReadShare(in.Get("errorRate")),
          .ttft = ReadRatio(in.Get("ttft")),
          .tpot = ReadRatio(in.Get("tpot")),
          .finish_reasons = ReadShare(in.Get("finishReasons"))};
}

// What is shifted.
void ReadSubject(MapReader& spec, ModelRelease* release) {
  const Value route = spec.Get("route");
  const Value model = spec.Get("model");
  route.Keep();
  model.Keep();
  if (route.present() == model.present()) {
    spec.Error(fmt::format("must have exactly one of route and model, got {}",
                           route.present() ? "both" : "none"));
  }
  if (route.present()) {
    MapReader in = route.Map();
    release->route = in.Require("name").Text(1, 253);
    const Value rule = in.Get("rule");
    rule.Keep();
    if (rule.present()) release->rule = rule.Text(1, 253);
  }
  if (model.present()) release->model = model.Map().Require("name").Text(1, 253);
  // With both of them there is an error already.
  const bool of_model = model.present() && !route.present();
  release->stable = ReadDestination(spec.Require("stable"), of_model);
  release->candidate = ReadDestination(spec.Require("candidate"), of_model);
}

}  // namespace

ModelRelease ReadModelRelease(ObjectInput& in) {
  using OnBreach = ModelRelease::OnBreach;
  using Request = ModelRelease::Request;
  static constexpr OnBreach kOnBreach[] = {OnBreach::kRollBack, OnBreach::kHold};
  static constexpr Request kRequests[] = {Request::kNone, Request::kPromote, Request::kAbort};
  ModelRelease release;
  MapReader spec = in.top.Require("spec").Map();
  ReadSubject(spec, &release);
  const Value steps = spec.Require("steps");
  steps.Keep();
  for (const Value& item : steps.List(1, kReleaseStepsMax)) release.steps.push_back(ReadStep(item));
  release.criteria = ReadCriteria(spec.Get("criteria"));
  const auto rate = ReadNumber(
      spec.Get("falseAlarmRate"), [](double share) { return share > 0 && share <= 0.5; },
      "above 0 and at most 0.5");
  if (rate) release.false_alarm_rate = *rate;
  release.on_breach = kOnBreach[spec.Get("onBreach").OneOf({"RollBack", "Hold"}, 0)];
  release.paused = spec.Get("paused").Bool().value_or(false);
  release.request = kRequests[spec.Get("request").OneOf({"None", "Promote", "Abort"}, 0)];
  if (in.of_cluster) release.status = in.top.Get("status").Json();
  release.meta = std::move(in.meta);
  return release;
}

}  // namespace gw::api
