#include "routing/model_table.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace gw {

const std::string& ChooseTarget(std::span<const TargetModel> targets, Random& random) {
  uint64_t total = 0;
  for (const TargetModel& target : targets) total += target.weight;
  CHECK(total > 0);
  uint64_t draw = random.Below(total);
  for (const TargetModel& target : targets) {
    if (draw < target.weight) return target.name;
    draw -= target.weight;
  }
  CHECK(false);  // draw < total
}

const std::string& ChooseTarget(std::span<const TargetModel> targets, uint64_t sticky_value,
                                StickyOf of, std::string_view of_name) {
  const std::string* chosen = nullptr;
  StickyChoice choice(sticky_value);
  for (const TargetModel& target : targets) {
    if (choice.Leads(StickyKey(of, of_name, target.name), target.weight)) chosen = &target.name;
  }
  CHECK(chosen != nullptr);
  return *chosen;
}

const std::string& ModelBinding::Choose(Random& random) const {
  return targets.empty() ? requested_model : ChooseTarget(targets, random);
}

const std::string& ModelBinding::ChooseSticky(uint64_t sticky_value) const {
  if (targets.empty()) return requested_model;
  return ChooseTarget(targets, sticky_value, StickyOf::kModel, requested_model);
}

ModelTable::ModelTable(std::vector<ModelBinding> bindings) {
  for (ModelBinding& binding : bindings) {
    std::string name = binding.requested_model;
    const auto [it, is_new] = bindings_.emplace(name, std::move(binding));
    CHECK(is_new);
    names_.push_back(std::move(name));
  }
}

const ModelBinding* ModelTable::Find(std::string_view requested_model) const {
  // Abseil as Debian builds it has a string view of its own.
  const auto it = bindings_.find(absl::string_view(requested_model.data(), requested_model.size()));
  return it == bindings_.end() ? nullptr : &it->second;
}

bool ModelRewrites::Add(const std::string& requested_model, std::vector<TargetModel> targets) {
  CHECK(!targets.empty());
  return by_name_.emplace(requested_model, std::move(targets)).second;
}

bool ModelRewrites::AddForAnyName(std::vector<TargetModel> targets) {
  CHECK(!targets.empty());
  if (!for_any_name_.empty()) return false;
  for_any_name_ = std::move(targets);
  return true;
}

const std::vector<TargetModel>* ModelRewrites::Find(std::string_view requested_model) const {
  if (!by_name_.empty()) {
    const auto it =
        by_name_.find(absl::string_view(requested_model.data(), requested_model.size()));
    if (it != by_name_.end()) return &it->second;
  }
  return for_any_name_.empty() ? nullptr : &for_any_name_;
}

}  // namespace gw
