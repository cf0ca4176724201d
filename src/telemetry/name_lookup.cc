#include "telemetry/name_lookup.h"

#include <thread>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"

namespace gw {

struct NameLookup::Shared {
  Mutex mutex;
  NameLookup* owner ABSL_GUARDED_BY(mutex) = nullptr;  // nullptr: it is gone
};

NameLookup::NameLookup(EventLoop& loop) : loop_(loop), shared_(std::make_shared<Shared>()) {
  const MutexLock lock(shared_->mutex);
  shared_->owner = this;
}

NameLookup::~NameLookup() {
  const MutexLock lock(shared_->mutex);
  shared_->owner = nullptr;
}

void NameLookup::Start(const std::string& name, Done done) {
  CHECK(!active());
  done_ = std::move(done);
  std::thread([shared = shared_, name] {
    absl::StatusOr<SocketAddress> found = SocketAddress::Resolve(name);
    const MutexLock lock(shared->mutex);
    if (shared->owner == nullptr) return;
    // The owner is destroyed on the loop's thread: what is posted comes before that, or never.
    shared->owner->loop_.Post([shared, found = std::move(found)] {
      NameLookup* owner = nullptr;
      {
        const MutexLock again(shared->mutex);
        owner = shared->owner;
      }
      if (owner != nullptr) std::exchange(owner->done_, nullptr)(found);
    });
  }).detach();
}

}  // namespace gw
