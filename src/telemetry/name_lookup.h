// NameLookup: the address of a name, as the machine finds it (/etc/hosts, search lists), without
// holding up the loop that asks. A look-up that is under way when this is destroyed goes on by
// itself and is forgotten: the machine's resolver cannot be interrupted, and may take half a
// minute.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace gw {

class NameLookup {
 public:
  using Done = std::function<void(absl::StatusOr<SocketAddress>)>;

  // `loop` outlives it. Made, used and destroyed on the loop's thread, or while it does not run.
  explicit NameLookup(EventLoop& loop);
  ~NameLookup();

  // "collector:4318". `done` is called on the loop, not from inside. REQUIRES: !active()
  void Start(const std::string& name, Done done);
  bool active() const { return done_ != nullptr; }

 private:
  struct Shared;

  EventLoop& loop_;
  Done done_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace gw
