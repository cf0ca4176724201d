// Victims: the requests in flight of a pool that may be ended for others of a higher priority, the
// best of them first: those whose clients were sent nothing yet, as they lose nothing but time;
// then streams. Among these the lowest priority, and of that the youngest, which loses the least.
//
// All of it O(log n). One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>

#include "absl/container/flat_hash_map.h"

namespace gw {

class Victims {
 public:
  using Key = uint64_t;  // a younger one's is larger; 0: nobody's
  // Tells the owner, whatever has become of the request meanwhile. Any thread.
  using Evict = std::function<void(int for_priority)>;

  enum class Stage : uint8_t {
    kUnsent,   // nothing of the answer has gone to the client
    kStreams,  // it gets a stream, and can be told in it
    kFixed,  // it is not to be ended: a whole answer is on its way, or nothing of the pool is held
  };

  // It is in flight from now on, kUnsent.
  Key Add(int priority, Evict evict);
  void SetStage(Key key, Stage stage);
  Stage StageOf(Key key) const { return entries_.at(key).stage; }
  // The best one of those below that priority is taken; nullptr: there is none.
  Evict Take(int below);
  bool IsTaken(Key key) const { return entries_.at(key).taken; }
  // It is not ended after all, and may be taken again. REQUIRES: IsTaken(key)
  void PutBack(Key key);
  // It has ended. What is returned is not called any more.
  Evict Remove(Key key);

  size_t taken() const { return taken_; }        // and not ended yet
  size_t left() const { return order_.size(); }  // that can be taken, of any priority

 private:
  struct Entry {
    int priority;
    Stage stage = Stage::kUnsent;
    bool taken = false;
    Evict evict;
  };
  struct Place {
    Stage stage;
    int priority;
    Key key;
    bool operator<(const Place& other) const;
  };
  static Place PlaceOf(Key key, const Entry& entry) { return {entry.stage, entry.priority, key}; }
  void Enter(Key key, const Entry& entry);

  Key last_ = 0;
  absl::flat_hash_map<Key, Entry> entries_;
  std::set<Place> order_;  // of those that can be taken
  size_t taken_ = 0;
};

}  // namespace gw
