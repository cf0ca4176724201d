// ModelTable: the InferenceModels bound to one pool: which names clients may ask for, what is sent
// on. ModelRewrites: the pool's InferenceModelRewrites.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/random.h"
#include "pool/pool.h"
#include "routing/sticky.h"

namespace gw {

namespace release {
struct Split;  // release/split.h
}

struct TargetModel {
  std::string name;
  uint32_t weight = 1;
};

// Chooses by weight. REQUIRES: the weights' sum is above 0
const std::string& ChooseTarget(std::span<const TargetModel> targets, Random& random);
// The same by the client's value (routing/sticky.h). They are targets of that name.
const std::string& ChooseTarget(std::span<const TargetModel> targets, uint64_t sticky_value,
                                StickyOf of, std::string_view of_name);

struct ModelBinding {
  std::string requested_model;
  Criticality criticality = Criticality::kStandard;
  std::vector<TargetModel> targets = {};  // empty: the name goes through unchanged
  // nullptr: no release has their weights.
  std::shared_ptr<const release::Split> release_split = nullptr;

  // Chooses a target by weight; the requested name if there are no targets.
  const std::string& Choose(Random& random) const;
  const std::string& ChooseSticky(uint64_t sticky_value) const;
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

// The rules of a pool's InferenceModelRewrites: what is asked for in place of a model's name,
// before the ModelTable is looked at.
class ModelRewrites {
 public:
  // The first rule of a name is its rule, and so is the first of any name. False: there was one.
  bool Add(const std::string& requested_model, std::vector<TargetModel> targets);
  bool AddForAnyName(std::vector<TargetModel> targets);

  bool empty() const { return by_name_.empty() && for_any_name_.empty(); }
  // The targets of the rule for that name, else of the one for any name; nullptr: it stays.
  const std::vector<TargetModel>* Find(std::string_view requested_model) const;

 private:
  absl::flat_hash_map<std::string, std::vector<TargetModel>> by_name_;
  std::vector<TargetModel> for_any_name_;
};

}  // namespace gw
