// Where the kinds have what in their status. Internal to status_patch.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kube/status_conditions.h"

namespace gw::kube {

// A list with an entry for each parent.
struct ParentsShape {
  std::string_view list;  // "parents"
  std::string_view ref;   // "parentRef"
  size_t entries_max = 0;
  bool names_controller = true;      // entries have a controllerName, and it is required or ours
  bool may_lack_controller = false;  // entries of others may have none
  bool always_namespace = false;     // else as the object's own parentRef has it
  // Where nobody serves the object stands an entry of the kind Status and the name "default": it
  // goes when one of ours comes, and comes back when the last goes.
  bool restores_default = false;
};

struct StatusKind {
  enum class Form : uint8_t { kConditions, kClass, kGateway, kParents };
  std::string_view group;
  std::string_view kind;
  Form form = Form::kConditions;
  ConditionTypes types = {};  // of the object, or of its parents' entries
  ParentsShape parents = {};
};

// Null: of such objects no status is written.
const StatusKind* FindStatusKind(std::string_view group, std::string_view kind);
// Of a Gateway's listeners.
ConditionTypes ListenerTypes();

}  // namespace gw::kube
