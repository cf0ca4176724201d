#include "config/config_source.h"

namespace gw::config {

void Apply(const Change& change, api::ResourceSet* set) {
  for (const api::ObjectChange& each : change.objects) {
    if (each.after != nullptr) {
      api::Insert(*each.after, set);
    } else {
      api::Erase(*each.before, set);
    }
  }
  if (change.remarks == nullptr) return;
  set->invalid = change.remarks->invalid;
  set->stale = change.remarks->stale;
  set->skipped = change.remarks->skipped;
}

}  // namespace gw::config
