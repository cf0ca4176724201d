#include "routing/model_table.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace gw {

const std::string& ModelBinding::Choose(Random& random) const {
  if (targets.empty()) return requested_model;
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

}  // namespace gw
