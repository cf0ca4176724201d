// ModelReleases: which rules and models have weights of a release in the place of what stands in
// them. The objects themselves stay as they are: what a release shifts are two of a rule's
// destinations, or of a model's targets, and it shares out what both have together.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/resources.h"
#include "routing/model_table.h"
#include "routing/route_table.h"
#include "translate/translate.h"

namespace gw::internal {

struct Context;
struct Verdict;
class PoolSet;

// A value.
class ReleaseSet {
 public:
  ReleaseSet() = default;
  // All that are accepted. Writes the conditions of all: what two want the older one has, of
  // equally old ones the one that had it.
  explicit ReleaseSet(Context& context);

  // Gives the rule, the `index`-th of that route, its weights. Notes which pools its versions are.
  void ShareRule(const Context& context, const PoolSet& pools, const api::ObjectKey& route,
                 size_t index, RouteRule* rule);
  // The same of a model, whose targets are those that stand in it, in their order.
  void ShareModel(const Context& context, const api::ObjectKey& model, ModelBinding* binding);
  // The pools of models, once there are any.
  void FindPoolsOfModels(const Context& context, PoolSet& pools);

  // Some release is about a rule of that route.
  bool IsAbout(const api::ObjectKey& route) const;
  // nullptr: there is none of that name, or it is not accepted.
  const ServedRelease* Find(const std::string& name) const;
  const std::vector<ServedRelease>& all() const { return all_; }

 private:
  static Verdict Accept(const Context& context, const api::ModelRelease& spec,
                        ServedRelease* served);
  Verdict FindPlace(const api::ModelRelease& spec, const ServedRelease& served) const;
  ServedRelease* Of(ServedRelease::Subject subject, const api::ObjectKey& key, size_t rule);

  std::vector<ServedRelease> all_;
};

// Of the weights those of stable and candidate are shared out anew; all are scaled, so that shares
// are as fine as they can be. REQUIRES: one of both is above 0
void ShareOut(size_t stable, size_t candidate, const release::Weights& weights,
              std::vector<uint32_t>* all);

}  // namespace gw::internal
