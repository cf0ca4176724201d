// ModelTable: the InferenceModels bound to one pool: which names clients may ask for, what is sent
// on.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/random.h"
#include "pool/pool.h"

namespace gw {

struct TargetModel {
  std::string name;
  uint32_t weight = 1;
};

struct ModelBinding {
  std::string requested_model;
  Criticality criticality = Criticality::kStandard;
  std::vector<TargetModel> targets = {};  // empty: the name goes through unchanged

  // Chooses a target by weight; the requested name if there are no targets.
  const std::string& Choose(Random& random) const;
};

class ModelTable {
 public:
  ModelTable() = default;
  explicit ModelTable(std::vector<ModelBinding> bindings);

  // A pool without any InferenceModel takes any name.
  bool takes_any_name() const { return bindings_.empty(); }
  const ModelBinding* Find(std::string_view requested_model) const;
  // The names clients may ask for, in the order of the bindings.
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  absl::flat_hash_map<std::string, ModelBinding> bindings_;
};

}  // namespace gw
