// Asks endpoints for their models (exchange/model_list.h says which), once however many clients
// ask: the requests for one list wait for the one that is being put together, whichever worker does
// that, and the list is kept for a moment.

#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "client/pool.h"
#include "dataplane/options.h"
#include "exchange/model_list.h"

namespace gw {

using SharedModelList = std::shared_ptr<const ModelListAnswer>;

// The lists of all workers. Any thread.
class ModelListStore {
 public:
  // A list's name: a hash, keyed by chance, of what it belongs to, so that no credential is kept.
  struct Key {
    uint64_t high = 0;
    uint64_t low = 0;
    auto operator<=>(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.high, key.low);
    }
  };
  // A request that waits, on the thread of its loop. Whoever does not want to hear any more clears
  // `done`, there, and calls Leave.
  struct Waiter {
    EventLoop* loop;
    std::function<void(const ModelListAnswer&)> done;
  };
  enum class Found : uint8_t { kList, kOthersAsk, kNobodyAsks };

  ModelListStore(const DataplaneOptions& options, uint64_t seed);

  Key KeyFor(std::string_view text) const;
  // kList: it is in `*list`. Otherwise `waiter` hears of it, in a later round of its loop;
  // kNobodyAsks: the caller has to ask, and to call Settle whatever comes of it.
  Found Find(const Key& key, TimePoint now, const std::shared_ptr<Waiter>& waiter,
             SharedModelList* list);
  void Leave(const Key& key, const std::shared_ptr<Waiter>& waiter);
  // The answer for all who wait. One with a status is kept. Returns the name of the limit that made
  // an older list leave before its time, or an empty one.
  std::string_view Settle(const Key& key, TimePoint now, SharedModelList list);

 private:
  struct Entry {
    SharedModelList list;  // nullptr: being asked for
    TimePoint at{};
    std::vector<std::shared_ptr<Waiter>> waiters;
    std::list<Key>::iterator place;  // in kept_, if there is a list
  };
  // REQUIRES: the key has a list
  void Drop(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static size_t BytesOf(const ModelListAnswer& list);

  const DataplaneOptions& options_;
  const uint64_t seed_;
  Mutex mutex_;
  absl::flat_hash_map<Key, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::list<Key> kept_ ABSL_GUARDED_BY(mutex_);  // oldest first
  size_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One list being put together. Destroying it gives up the questions still open.
class ModelListFetch {
 public:
  // Called once, from the loop or from Start. It may destroy the fetch.
  using Done = std::function<void(ModelListAnswer list)>;
  using OnLimit = std::function<void(std::string_view limit)>;

  // `fields`: that the endpoints are asked with. `on_limit` is told of each limit and time-out that
  // is reached.
  ModelListFetch(ClientPool& upstreams, const DataplaneOptions& options,
                 std::shared_ptr<const Snapshot> snapshot, ModelListPlan plan, OwnedFields fields,
                 OnLimit on_limit);
  ~ModelListFetch();
  void Start(Done done);

 private:
  class Question;
  void OnAnswer();

  ClientPool& upstreams_;
  const DataplaneOptions& options_;
  const std::shared_ptr<const Snapshot> snapshot_;  // what the plan is of
  const ModelListPlan plan_;
  const OwnedFields fields_;
  const OnLimit on_limit_;
  Done done_;
  std::vector<std::unique_ptr<Question>> questions_;
  size_t open_ = 0;
};

// The lists of one worker: those that it puts together, and the requests of its clients for any.
class ModelLists {
 public:
  ModelLists(ClientPool& upstreams, const DataplaneOptions& options, ModelListStore& store,
             ModelListFetch::OnLimit on_limit);
  ~ModelLists();

  // One request that waits. Destroying it leaves.
  class Ticket {
   public:
    Ticket(ModelListStore& store, const ModelListStore::Key& key,
           std::shared_ptr<ModelListStore::Waiter> waiter);
    ~Ticket();

   private:
    ModelListStore& store_;
    const ModelListStore::Key key_;
    const std::shared_ptr<ModelListStore::Waiter> waiter_;
  };
  using Done = std::function<void(const ModelListAnswer&)>;

  // The list, if it is there; otherwise `*ticket` is set, and `done` is called in a later round.
  SharedModelList Get(const std::shared_ptr<const Snapshot>& snapshot, const ModelListRules& rules,
                      OwnedFields fields, Random& random, Done done,
                      std::unique_ptr<Ticket>* ticket);

 private:
  ClientPool& upstreams_;
  const DataplaneOptions& options_;
  ModelListStore& store_;
  const ModelListFetch::OnLimit on_limit_;
  absl::flat_hash_map<ModelListStore::Key, std::unique_ptr<ModelListFetch>> fetches_;
};

}  // namespace gw
