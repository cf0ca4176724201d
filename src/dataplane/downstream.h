// DownstreamConnection: one client's connection as the worker sees it, whatever version of HTTP it
// speaks.

#pragma once

#include <memory>

#include "net/intrusive_list.h"
#include "net/stream.h"
#include "snapshot/snapshot.h"

namespace gw {

class ProxyWorker;

class DownstreamConnection : public internal::ListNode {  // of the worker's idle ones
 public:
  virtual ~DownstreamConnection() = default;

  // Reads what has already come. Once, when the worker has taken it over.
  virtual void Start() = 0;
  // Finishes what is in flight and closes then; an idle connection closes after a grace, in which a
  // request that was under way to us is still answered.
  virtual void Drain() = 0;
  // Closes now: what waits for its answer gets 503, a stream an error event.
  virtual void Abort() = 0;
  // Closes an idle client to make room for others, unless a request of its has just come.
  virtual void CloseIfIdle() = 0;
  virtual const ListenerKey& listener() const = 0;
};

// A client that speaks HTTP/1.1, or 1.0.
std::unique_ptr<DownstreamConnection> NewH1Downstream(ProxyWorker& worker,
                                                      const ListenerKey& listener,
                                                      std::unique_ptr<Stream> stream);

}  // namespace gw
