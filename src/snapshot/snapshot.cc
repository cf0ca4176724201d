#include "snapshot/snapshot.h"

#include <utility>

#include "base/mutex.h"

namespace gw {

const ListenerEntry* Snapshot::FindListener(uint16_t port) const {
  for (const ListenerEntry& listener : listeners) {
    if (listener.port == port) return &listener;
  }
  return nullptr;
}

void SnapshotStore::Publish(std::shared_ptr<const Snapshot> snapshot) {
  // What is replaced is destroyed, if nobody else holds it, after the lock is released.
  const MutexLock lock(mutex_);
  current_.swap(snapshot);
  // After the store: a reader that sees the new version finds the new snapshot. One that loads it
  // before it sees the version loads it once more, and that is all.
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Snapshot> SnapshotStore::Load() const {
  const MutexLock lock(mutex_);
  return current_;
}

}  // namespace gw
