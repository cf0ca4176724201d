#include "snapshot/snapshot.h"

#include <algorithm>
#include <utility>

#include "base/mutex.h"

namespace gw {

std::string ListenerKey::ToString() const {
  const std::string port_text = std::to_string(port);
  return ip.find(':') == std::string::npos ? ip + ":" + port_text : "[" + ip + "]:" + port_text;
}

const ListenerEntry* Snapshot::FindListener(const ListenerKey& key) const {
  const auto it = std::lower_bound(
      listeners.begin(), listeners.end(), key,
      [](const ListenerEntry& entry, const ListenerKey& wanted) { return entry.key < wanted; });
  return it != listeners.end() && it->key == key ? &*it : nullptr;
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
