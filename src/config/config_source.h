// ConfigSource: where objects come from: files, or a cluster's API server. It says what is there at
// first and then what changes, from a thread of its own; which of them are served is its own
// business (last good versions of what is broken), and what they amount to is translate's.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/conditions.h"
#include "api/managed.h"
#include "api/object.h"
#include "base/status.h"
#include "stats/metrics.h"

namespace gw::config {

// What is to be said of objects beside those that are served.
struct Remarks {
  std::vector<api::InvalidObject> invalid;  // in the order of reading
  std::vector<api::StaleObject> stale;
  std::map<std::string, int> skipped;  // of kinds that are not ours
  // Why some cannot be read at all, so that what was read there before goes on serving.
  std::vector<std::string> errors;
  // Of a cluster, whose resources fail one by one and in other words each time: the names of those
  // that these errors are of, sorted. Files, where other words are another mistake: empty.
  std::vector<std::string> unread;

  bool operator==(const Remarks&) const = default;
};

// What is different from the last one delivered, the first one from nothing at all.
struct Change {
  std::vector<api::ObjectChange> objects;  // each name once
  std::shared_ptr<const Remarks> remarks;  // null: as they were
  // For the log: of the stale ones those that were not before, and what is no longer stale.
  std::vector<api::StaleObject> news;
  std::vector<api::ObjectRef> recovered;
  std::vector<std::string_view> limits;  // names of the source's limits that were reached
};

// Makes of a set what it is after the change.
void Apply(const Change& change, api::ResourceSet* set);

struct FirstLoad {
  Change change;
  // For the log.
  size_t files = 0;
  size_t objects = 0;  // that were read, refused ones too
  std::string places;  // where from
};

// What became of the objects.
struct Outcome {
  // True: `status` has all objects that there are. False: those of which it may be another than was
  // said before; which objects there are stays as it was, and of all others what was said of them.
  bool whole = true;
  api::StatusSet status;
  // On which Gateways without an address of their own are listened for, sorted.
  std::vector<uint16_t> shared_ports;
  // What there is to be for Gateways that have a Deployment each; nullopt: they have none.
  std::optional<api::ManagedGateways> managed = {};
};

// Something that happened to an object, for its users to see.
struct ObjectEvent {
  api::ObjectRef object;
  bool warning = false;
  std::string reason;  // one word
  std::string message;
};

class ConfigSource {
 public:
  using OnChange = std::function<void(Change change)>;

  // No call runs afterwards.
  virtual ~ConfigSource() = default;

  // All there is, or why it cannot be read. Blocks. Once, before Start.
  virtual absl::StatusOr<FirstLoad> Load() = 0;
  // From now on, until Stop, each change is told: on the source's own thread, one call at a time.
  // It may block; what changes meanwhile is told by the next one.
  virtual void Start(OnChange on_change) = 0;
  // Waits for a call that is running; none runs afterwards. Not from within one.
  virtual void Stop() = 0;
  // Any thread, between Start and Stop. Looks at once for what has changed; behind that `done` is
  // called on the source's thread, and told whether anything had.
  virtual void LookNow(std::function<void(bool changed)> done) = 0;
  // Any thread, after Load. What became of all the objects that were told, for a source that it can
  // be written back to. Adds to what was said before, or replaces it.
  virtual void SetOutcome(Outcome outcome) {}
  // Any thread, after Load. Told to a source that has a place for it, while this gateway leads.
  virtual void Tell(ObjectEvent event) {}
  // Any thread. Of several gateways that are told the same this one decides what only one may.
  virtual bool leads() const { return true; }
  // Any thread; before Start. What it counts; `metrics` is rendered no more when it is destroyed.
  virtual void AddMetrics(MetricRegistry& metrics) {}
  // The names of its limits, as Change::limits has them.
  virtual std::vector<std::string_view> limits() const = 0;
};

}  // namespace gw::config
