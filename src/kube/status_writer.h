// StatusWriter: keeps the status of the objects in a cluster as translate says it is, for as long
// as this gateway is the one that writes (see Lease).
//
//   told what there is (Seen, Gone) and what shall stand there (Want), it compares, object by
//   object (see status_patch.h), and sends a PATCH where they differ
//     2xx   -> the answer counts as seen, so that the watch's echo of it is no news
//     409   -> the object is another by now: the newer one is awaited, or asked for (GET), and all
//              is compared again; conflicts_max times in a row, then after slow_retry
//     404   -> the object is gone: forgotten until it is seen again
//     422, and whatever else says that what was sent is wrong
//           -> logged with the server's words, and not tried again until object or wish is another
//     403   -> logged once for each resource, tried again after slow_retry
//     else  -> tried again after a back-off of 1 s to 30 s
//   and if the server answers 2xx but what it keeps is not what was sent (a field that an older
//   CRD does not know), that is as good as it gets: no second try until something changes.
//
// One request for an object is under way at most, and calls_max in all; the others wait in the
// order they came. An object that nothing is wished for is left alone: an empty list of parents is
// a wish, no entry in the StatusSet is none.
//
// On the loop's thread, all of it. Nothing is sent from inside a call.

#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "api/object.h"
#include "base/random.h"
#include "kube/api_client.h"
#include "kube/resource.h"
#include "kube/status_patch.h"

namespace gw::kube {

struct StatusWriterOptions {
  std::set<std::string> controller_names;  // entries of parents with these are ours
  size_t calls_max = 8;                    // under way at once
  size_t objects_max = 200'000;    // that are known; those above it are counted, not written
  size_t compared_per_round = 64;  // objects in one round of the loop
  size_t gateways_max = 10'000;    // that are ours, with those that were and are gone
  int conflicts_max = 5;           // in a row, of one object
  Duration slow_retry = std::chrono::seconds(30);  // by a fifth to and fro
};

// Since the beginning. Read by any thread.
struct StatusWriterCounts {
  std::atomic<uint64_t> writes = 0;     // 2xx
  std::atomic<uint64_t> conflicts = 0;  // 409
  std::atomic<uint64_t> refusals = 0;   // 422 and its like
  std::atomic<uint64_t> forbidden = 0;  // 403
  std::atomic<uint64_t> absent = 0;     // 404
  std::atomic<uint64_t> failures = 0;   // no answer, or none of the above
  std::atomic<uint64_t> not_kept = 0;   // 2xx, and the object says something else all the same
  std::atomic<uint64_t> old_views = 0;  // not sent: somebody judged a newer generation
  std::atomic<uint64_t> left_out = 0;   // parts for which a status had no room, of what was sent
  std::atomic<uint64_t> too_many = 0;   // objects above objects_max
};

class StatusWriter {
 public:
  // `client` outlives it. Random: of its own, by a seed that is passed in.
  StatusWriter(ApiClient& client, Random random, StatusWriterOptions options);
  ~StatusWriter();

  // What the server has. Objects of kinds whose status is not ours to write are ignored.
  void Seen(const Resource& resource, ApiObject object);
  void Gone(const Resource& resource, const api::ObjectKey& key);
  // What shall stand there, of all objects. What it follows from was told before by Seen and Gone.
  void Want(const api::StatusSet& statuses);
  // The same of some objects: for the others it stays as it was, and for which there is a wish.
  void WantOf(const api::StatusSet& some);
  // Inactive, as it is at first, it sends nothing, and what is under way is cancelled. It goes on
  // being told.
  void SetActive(bool active);

  // Of an object that was seen, and whose status is ours to write; "": of another.
  std::string UidOf(const api::ObjectId& id) const;

  const StatusWriterCounts& counts() const { return counts_; }
  size_t objects() const { return entries_.size(); }
  size_t calls() const { return calls_; }  // under way
  // Nothing is under way, nothing waits to be compared or for its next try. What was refused does
  // not count.
  bool idle() const;

  struct Entry;  // of one object; in status_entry.h

 private:
  bool FindOurGateways();
  void ConsiderWish(const api::ObjectId& id);
  void Hold(Entry* entry, ApiObject object);
  void Consider(Entry* entry);
  void Pump();
  void Compare(Entry* entry);
  void Patch(Entry* entry, StatusPatch patch);
  void Get(Entry* entry);
  void OnPatched(Entry* entry, const ApiAnswer& answer);
  void OnGot(Entry* entry, const ApiAnswer& answer);
  void OnWritten(Entry* entry, const ApiAnswer& answer);
  void OnConflict(Entry* entry);
  void OnRefused(Entry* entry, const ApiAnswer& answer);
  void OnForbidden(Entry* entry, const ApiAnswer& answer);
  void Fail(Entry* entry, const ApiAnswer& answer);
  void WaitSlowly(Entry* entry);
  void EndCall(Entry* entry);
  void Forget(Entry* entry);
  void Reset(Entry* entry);

  ApiClient& client_;
  EventLoop& loop_;
  Random random_;
  const StatusWriterOptions options_;
  bool active_ = false;
  std::map<api::ObjectId, std::unique_ptr<Entry>> entries_;
  std::map<api::ObjectId, api::ObjectStatus> wishes_;
  StatusOwner owner_;
  std::deque<api::ObjectId> queue_;  // to be compared; each of them once
  std::set<std::string> forbidden_;  // resources that were logged
  size_t calls_ = 0;
  StatusWriterCounts counts_;
  Timer pump_;
};

}  // namespace gw::kube
