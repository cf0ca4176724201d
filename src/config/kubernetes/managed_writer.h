// ManagedWriter: keeps a Deployment and a Service in the cluster for each Gateway that is to have
// them (managed_objects.h), for as long as this gateway is the one of several that writes (see
// kube/lease.h).
//
//   told what there is (Deployments it watches by itself, Services it is told of) and what there is
//   to be (Want), it applies by server-side apply what is not there or is another than it was left,
//   and deletes what has the labels of a Gateway (api/managed.h) and belongs to none
//     2xx -> the watch tells what has become of it; what the server keeps is compared with that
//     403, 422 and whatever else says that what was sent is wrong
//         -> logged once with the server's words, tried again after slow_retry
//     409, 5xx, no answer -> tried again after a back-off of 1 s to 30 s
//
// Fields that nobody here has named (replicas, a node port) are whoever's who sets them. Nothing is
// sent before all Deployments were read, and nothing is deleted before the first Want: what belongs
// to nobody is known then.
//
// On the loop's thread, all of it.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "api/conditions.h"
#include "api/managed.h"
#include "base/random.h"
#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/reflector.h"
#include "kube/resource.h"

namespace gw::config {

struct ManagedWriterOptions {
  size_t calls_max = 4;                            // under way at once
  Duration slow_retry = std::chrono::seconds(30);  // by a fifth to and fro
  kube::ReflectorOptions reflector;
};

// Since the beginning. Read by any thread.
struct ManagedWriterCounts {
  std::atomic<uint64_t> applied = 0;
  std::atomic<uint64_t> deleted = 0;
  std::atomic<uint64_t> refused = 0;  // 403, 422 and its like
  std::atomic<uint64_t> failed = 0;   // no answer, or none of the above
};

class ManagedWriter final : private kube::ReflectorSink {
 public:
  // `from`: the Deployment that those of the Gateways are made of. `client` outlives it.
  // `on_errors`: what Explain says is another. Random: of its own, by a seed that is passed in.
  ManagedWriter(kube::ApiClient& client, api::ObjectKey from, Random random,
                std::function<void()> on_errors, const ManagedWriterOptions& options = {});
  ~ManagedWriter();

  // Of any object that the server has: others than Services of the namespace are ignored.
  void Seen(const kube::Resource& resource, const kube::ApiObject& object);
  void Gone(const kube::Resource& resource, const api::ObjectKey& key);
  void Want(api::ManagedGateways wanted);
  // Inactive, as it is at first, it sends nothing, and what is under way is cancelled.
  void SetActive(bool active);

  // Adds to the Gateways' conditions what keeps something from being written.
  void Explain(api::StatusSet* statuses) const;

  const ManagedWriterCounts& counts() const { return counts_; }

 private:
  enum class Kind : uint8_t { kDeployment, kService };
  using Id = std::pair<Kind, std::string>;  // with its name
  struct Entry;
  enum class Step : uint8_t { kNone, kApply, kDelete };

  void OnChanged(kube::ApiObject object) override;
  void OnDeleted(const api::ObjectKey& key) override;
  void OnStatus(const kube::ReflectorStatus& status) override;

  const kube::Resource& ResourceOf(Kind kind) const;
  Entry& EntryOf(const Id& id);
  void Hold(const Id& id, const kube::ApiObject& object);
  void Drop(const Id& id);
  void Wish();
  void Consider(const Id& id);
  void ConsiderAll();
  void Pump();
  Step NextStep(const Entry& entry) const;
  void Compare(const Id& id);
  void Apply(const Id& id, Entry& entry);
  void Delete(const Id& id, Entry& entry);
  void OnApplied(const Id& id, const kube::ApiAnswer& answer);
  void OnRemoved(const Id& id, const kube::ApiAnswer& answer);
  void OnFailure(const Id& id, Entry& entry, const kube::ApiAnswer& answer);
  std::string NameOf(const Id& id) const;

  kube::ApiClient& client_;
  const api::ObjectKey from_;
  Random random_;
  const std::function<void()> on_errors_;
  const ManagedWriterOptions options_;
  const kube::Resource deployments_;
  const kube::Resource services_;
  bool active_ = false;
  std::optional<api::ManagedGateways> wanted_;
  std::optional<kube::ApiObject> own_;            // the Deployment `from`
  std::map<api::ObjectKey, std::string> unmade_;  // why nothing can be made for them
  std::map<Id, std::unique_ptr<Entry>> entries_;
  std::set<Id> due_;  // to be compared
  size_t calls_ = 0;
  ManagedWriterCounts counts_;
  Timer pump_;
  std::unique_ptr<kube::Reflector> reflector_;
};

}  // namespace gw::config
