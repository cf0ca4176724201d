#include "bench/load/labelled.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/random.h"
#include "bench/load/paced_workload.h"
#include "bench/load/prose.h"

namespace gw::bench {
namespace {

constexpr char kTenantField[] = "x-llm-d-inference-fairness-id";
constexpr char kObjectiveField[] = "x-llm-d-inference-objective";
// Gateways take longer ones for none.
constexpr size_t kNameBytesMax = 128;
constexpr size_t kLabelsMax = 1000;
constexpr double kWeightMax = 1e12;

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

// What can stand in a header as it is.
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool ReadWeight(std::string_view text, double* weight) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *weight);
  return error == std::errc() && end == text.data() + text.size() && *weight > 0 &&
         *weight <= kWeightMax;
}

// FNV-1a: the same on all machines, as a seed's draws are.
uint64_t HashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

// REQUIRES: labels
const std::string& Drawn(const std::vector<Label>& labels, uint64_t seed) {
  double all = 0;
  for (const Label& label : labels) all += label.weight;
  double left = Random(seed).Unit() * all;
  for (const Label& label : labels) {
    if (left < label.weight) return label.name;
    left -= label.weight;
  }
  return labels.back().name;  // by rounding
}

class Labelled final : public LoadWorkload {
 public:
  Labelled(std::unique_ptr<LoadWorkload> workload, const LabelOptions& options)
      : workload_(std::move(workload)), options_(options) {}

  std::optional<Duration> due() const override { return workload_->due(); }
  Ask Take() override {
    Ask ask = workload_->Take();
    const uint64_t who = ask.session.empty() ? ask.id : HashOf(ask.session);
    if (!options_.tenants.empty()) {
      ask.tenant = Drawn(options_.tenants, IdOf(Stream::kTenants, who));
      ask.fields.emplace_back(kTenantField, ask.tenant);
    }
    if (!options_.objectives.empty()) {
      ask.priority = Drawn(options_.objectives, IdOf(Stream::kObjectives, who));
      ask.fields.emplace_back(kObjectiveField, ask.priority);
    }
    return ask;
  }
  void OnAnswer(const Ask& ask, const Answer& answer, Duration now) override {
    workload_->OnAnswer(ask, answer, now);
  }
  bool done() const override { return workload_->done(); }
  std::optional<Duration> length() const override { return workload_->length(); }
  std::optional<uint64_t> count() const override { return workload_->count(); }
  std::string Describe() const override {
    std::string text = workload_->Describe();
    if (!options_.tenants.empty()) text += fmt::format(", {} tenants", options_.tenants.size());
    if (!options_.objectives.empty()) {
      text += fmt::format(", {} objectives", options_.objectives.size());
    }
    return text;
  }

 private:
  uint64_t IdOf(Stream stream, uint64_t who) const {
    return ProseId(options_.seed, static_cast<uint64_t>(stream), who);
  }

  const std::unique_ptr<LoadWorkload> workload_;
  const LabelOptions options_;
};

}  // namespace

absl::StatusOr<std::vector<Label>> ParseLabels(std::string_view text) {
  std::vector<Label> labels;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    more = comma != text.npos;
    text.remove_prefix(more ? comma + 1 : text.size());
    const size_t equals = one.rfind('=');
    Label label{.name = std::string(one.substr(0, equals))};
    if (!IsName(label.name) ||
        (equals != one.npos && !ReadWeight(one.substr(equals + 1), &label.weight))) {
      return Wrong(fmt::format("wanted NAME=WEIGHT,... with weights above 0, got \"{}\"", one));
    }
    if (std::any_of(labels.begin(), labels.end(),
                    [&label](const Label& other) { return other.name == label.name; })) {
      return Wrong(fmt::format("wanted each name once, got \"{}\" again", label.name));
    }
    if (labels.size() == kLabelsMax) return Wrong(fmt::format("wanted at most {}", kLabelsMax));
    labels.push_back(std::move(label));
  }
  return labels;
}

std::unique_ptr<LoadWorkload> NewLabelled(std::unique_ptr<LoadWorkload> workload,
                                          const LabelOptions& options) {
  return std::make_unique<Labelled>(std::move(workload), options);
}

}  // namespace gw::bench
