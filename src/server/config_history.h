// ConfigHistory: what the last changes of the configuration were, object by object, for whoever
// asks what is another than before. Texts are shared with the objects: nothing is rendered here.

#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "config/config_source.h"

namespace gw {

// Thread-safe.
class ConfigHistory {
 public:
  static constexpr size_t kEntriesMax = 20;   // the oldest goes
  static constexpr size_t kObjectsMax = 100;  // of an entry with their texts; others are counted

  struct ChangedObject {
    std::string name;                           // "HTTPRoute default/chat"
    std::shared_ptr<const std::string> before;  // as YAML; null: it was not there, or is not shown
    std::shared_ptr<const std::string> after;
    bool shown = true;  // false: of a kind of which no text is kept (api::WrittenOf)
  };
  struct Entry {
    uint64_t generation = 0;
    int64_t changed_at_unix_ms = 0;
    size_t added = 0;
    size_t changed = 0;
    size_t removed = 0;
    std::string first;  // the name of the first object
    std::vector<ChangedObject> objects;
  };

  // Nothing if only such objects have changed as come and go by themselves: Pods, EndpointSlices.
  void Add(uint64_t generation, int64_t unix_ms, const config::Change& change);

  // The oldest first; without their objects.
  std::vector<Entry> Look() const;
  std::optional<Entry> Find(uint64_t generation) const;
  // Grows with each entry.
  uint64_t version() const;

 private:
  mutable Mutex mutex_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gw
