// Translator: Translate for a configuration that changes bit by bit. A Pod that becomes Ready makes
// the pools that select it anew, another weight its route and the tables that hold it; all else of
// the Snapshot is the one before's. What comes out is what Translate would make of all objects
// (translator_test.cc).

#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/object.h"
#include "base/clock.h"
#include "flowcontrol/breaker.h"
#include "flowcontrol/rate_limit.h"
#include "flowcontrol/request_queues.h"
#include "scheduling/pool_memory.h"
#include "translate/translate.h"

namespace gw {

namespace internal {
struct Context;
class TlsMemory;
}  // namespace internal

// How far a release has come is written into its object, which then comes back: nothing follows.
bool IsOfReleaseStatusOnly(const api::ObjectChange& change);

// One thread at a time.
class Translator {
 public:
  struct Update {
    std::shared_ptr<const Snapshot> snapshot;
    // True: everything was translated, `status` has all objects. False: which listeners and pools
    // there are stays as it was; of the statuses only the parents in `parents` are others.
    bool whole = true;
    api::StatusSet status = {};
    std::vector<std::pair<api::ObjectRef, std::vector<api::ParentStatus>>> parents = {};
    std::vector<std::string> warnings = {};
    std::vector<ServedCertificate> certificates = {};  // where `whole`
    std::optional<api::ManagedGateways> managed = {};  // where `whole`
    std::vector<ServedRelease> releases = {};          // where `whole`
  };

  // `endpoints` outlives it, and so does `clock`, which tells its queues the time of the requests
  // that wait in them.
  Translator(TranslateOptions options, EndpointTable& endpoints, const Clock& clock = RealClock());
  ~Translator();

  // The time that certificates are judged at from now on; TranslateOptions::now_unix_s is the
  // first.
  void SetNow(int64_t now_unix_s) { options_.now_unix_s = now_unix_s; }
  // What hostnames stand for from now on; Follow makes what is another by it. REQUIRES: not null
  void SetNames(std::shared_ptr<const NameTable> names);
  // How far releases are from now on; Follow gives what is another to their rules and models.
  void SetReleases(std::shared_ptr<const ReleaseInputs> releases);
  // The names that the last call had use for.
  std::set<std::string> hosts() const;
  // When that changes some conditions; 0: never. Follow translates everything then.
  int64_t next_change_unix_s() const;

  // Of all pools that it has made.
  const RequestQueues& queues() const { return queues_; }
  // Of all owners of API keys that have limits.
  const RateMeters& rate_meters() const { return rate_meters_; }

  Update TranslateAll(const api::ResourceSet& resources, uint64_t generation);
  // The same for objects that are those of the last call but for these changes, each object once.
  Update Follow(const api::ResourceSet& resources, std::span<const api::ObjectChange> changes,
                uint64_t generation);

 private:
  struct Kept;

  // False: what changes is more than these.
  bool FollowPools(const internal::Context& context, std::span<const api::ObjectChange> changes,
                   Snapshot* snapshot, Update* update);
  bool FollowRoutes(internal::Context& context, std::span<const api::ObjectChange> changes,
                    Snapshot* snapshot, Update* update);

  bool MakeRoutes(internal::Context& context, const std::set<api::ObjectKey>& routes,
                  Snapshot* snapshot, Update* update);
  // The same for releases that have come further.
  bool FollowReleases(internal::Context& context, Snapshot* snapshot, Update* update);

  TranslateOptions options_;
  std::set<std::string> moved_releases_;  // since the last call: their inputs are others
  std::set<std::string> moved_hosts_;     // since the last call: their addresses are others
  bool names_tell_more_ = false;          // since then: so is what conditions say of them
  EndpointTable& endpoints_;
  Holders holders_;
  RateMeters rate_meters_;
  RequestQueues queues_;
  PoolMemories memories_;
  Breakers breakers_;
  std::unique_ptr<internal::TlsMemory> tls_memory_;
  std::unique_ptr<Kept> kept_;  // of the last call
};

}  // namespace gw
