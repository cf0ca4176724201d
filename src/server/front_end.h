// FrontEnd: a way for requests to come in, all of one form for the server: the data plane's
// listeners, and whatever else asks exchange for decisions.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "exchange/history.h"
#include "snapshot/snapshot.h"
#include "translate/translate.h"

namespace gw {

// Start comes first and Drain last; of Apply, Retry and Drain one at a time. When it is destroyed
// what is still in flight is broken off.
class FrontEnd {
 public:
  virtual ~FrontEnd() = default;

  // Its threads.
  virtual absl::Status Start() = 0;
  // Takes the newest Snapshot over and returns when it is served, as far as it can be. With
  // `listeners_changed` false its listeners and routes are those of the one before.
  virtual void Apply(bool listeners_changed) = 0;
  // Tries again to open what could not be opened; nothing if there is nothing.
  virtual void Retry() = 0;
  // As the last Apply or Retry left it: what is listened on, and why on something not.
  virtual const std::set<ListenerKey>& open() const = 0;
  virtual const ListenErrors& errors() const = 0;
  // No new requests; those in flight finish, then `done` is called on any thread. `closing`: what
  // arrives for so long is still taken, as it was promised before.
  virtual void Drain(Duration closing, std::function<void()> done) = 0;

  // Any thread: of its last requests the one of that id, or the last one to that pool ("": any).
  virtual std::optional<RequestRecord> FindRequest(const std::optional<std::string>& id,
                                                   const std::string& pool) const = 0;

  // Any thread: of the requests that have ended since the positions were such, one for each of its
  // parts, the newest `max`, oldest first. At first no positions. Returns how many it left out.
  virtual uint64_t TakeRequests(std::vector<uint64_t>* positions, size_t max,
                                std::vector<RequestRecord>* out) const = 0;
};

using FrontEnds = std::vector<std::unique_ptr<FrontEnd>>;

}  // namespace gw
