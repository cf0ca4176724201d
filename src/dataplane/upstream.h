// Connections to endpoints: one UpstreamConnection carries one request at a time; UpstreamPool
// keeps idle ones for reuse. Per worker, on its loop.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "dataplane/options.h"
#include "exchange/metrics.h"
#include "http/h1_parser.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace gw {

// Receives one response. Calls come from the loop, never from inside Send. After OnUpstreamEnd or
// OnUpstreamFailed nothing more comes and the connection is no longer the handler's.
class UpstreamHandler {
 public:
  virtual void OnUpstreamHead(const http::ResponseHead& head) = 0;
  // A piece of the body: a view that is valid until OnUpstreamFlush or OnUpstreamEnd returns.
  virtual void OnUpstreamBody(std::string_view piece) = 0;
  // All pieces of one read were handed over and the message goes on.
  virtual void OnUpstreamFlush() = 0;
  virtual void OnUpstreamEnd() = 0;
  // `sent_whole`: every byte of the request was handed to the connection, so that whoever is at its
  // other end may have acted on it.
  virtual void OnUpstreamFailed(TryFailure failure, bool sent_whole) = 0;

 protected:
  ~UpstreamHandler() = default;
};

// What to send. `head`, the list and its parts are views that stay valid until the response has
// ended.
struct UpstreamRequest {
  std::string_view head;
  std::span<const std::string_view> parts;  // of the body
  bool head_request = false;                // HEAD: the response has no body
};

// Which idle connection may carry a request: any (what was idle for longer than a moment is looked
// at), one that its endpoint has not closed as far as the kernel knows, or none.
enum class Reuse : uint8_t { kTrusted, kVerified, kNone };

class UpstreamPool;

class UpstreamConnection final : public StreamObserver {
 public:
  UpstreamConnection(UpstreamPool& pool, std::string address);

  void Send(const UpstreamRequest& request, UpstreamHandler* handler);
  // Ends the request by closing the connection: the model server aborts its work. The handler hears
  // nothing more.
  void Cancel();
  // Back-pressure: nothing is read until Resume.
  void Pause() { paused_ = true; }
  void Resume();

  void OnReadable() override;
  void OnWritable() override;

 private:
  friend class UpstreamPool;
  enum class Timeout : uint8_t { kNone, kResponse, kIdle };

  void Connect(const SocketAddress& address);
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void WriteRequest();
  // False once the connection is closed or back in the pool.
  bool Parse(std::string_view in);
  void OnResponseComplete(bool reusable);
  void OnPeerClosed();
  void Fail(TryFailure failure);
  TryFailure FailureOfEnd() const;
  void OnTimeout();
  void WatchFor(Timeout timeout);

  UpstreamPool& pool_;
  const std::string address_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Stream> stream_;
  http::ResponseParser parser_;
  UpstreamHandler* handler_ = nullptr;
  UpstreamRequest request_;
  size_t sent_ = 0;
  size_t to_send_ = 0;
  bool reused_ = false;
  bool paused_ = false;
  bool closed_ = false;
  bool tried_again_ = false;  // to connect, after descriptors were freed
  bool saw_byte_ = false;     // of the response, whatever it is
  bool saw_body_ = false;
  Timeout timeout_ = Timeout::kNone;
  TimePoint sent_at_;
  TimePoint last_activity_;
  TimePoint idle_since_;
  Timer timer_;
};

class UpstreamPool {
 public:
  // `on_limit` is called with the name of a limit or time-out that was reached; `free_descriptors`
  // where there is no descriptor for a new connection: true if some are free again.
  UpstreamPool(
      EventLoop& loop, const DataplaneOptions& options,
      std::function<void(std::string_view)> on_limit = [](std::string_view) {},
      std::function<bool()> free_descriptors = [] { return false; });
  ~UpstreamPool();

  // A connection to `address`: an idle one if there is any, otherwise a new one that connects when
  // Send is called.
  UpstreamConnection* Acquire(const std::string& address, Reuse reuse = Reuse::kTrusted);
  // Closes as many idle ones, the longest idle first; returns how many.
  size_t CloseLongestIdle(size_t most);
  EventLoop& loop() { return loop_; }
  const DataplaneOptions& options() const { return options_; }
  size_t idle_connections() const { return idle_count_; }

 private:
  friend class UpstreamConnection;
  using Owned = std::unique_ptr<UpstreamConnection>;

  void PutBack(UpstreamConnection* connection);
  // Forgets a closed connection; it is deleted when the loop comes round.
  void Remove(UpstreamConnection* connection);
  void CloseIdle();
  UpstreamConnection* TakeIdle(const std::string& address, Reuse reuse);
  // No connection for a reason of our own, or of the network: one line in a while says so.
  void LogOwnTrouble(const std::string& address, const absl::Status& status);
  // One idle connection was found closed by its endpoint: its others are no better.
  void CloseIdleOf(const std::string& address);

  EventLoop& loop_;
  const DataplaneOptions& options_;
  const std::function<void(std::string_view)> on_limit_;
  const std::function<bool()> free_descriptors_;
  absl::flat_hash_map<UpstreamConnection*, Owned> all_;
  absl::flat_hash_map<std::string, std::vector<UpstreamConnection*>> idle_;
  size_t idle_count_ = 0;
  std::vector<Owned> removed_;
  TimePoint own_trouble_logged_{};
  uint64_t own_troubles_ = 0;  // that are in no line yet
  Timer sweep_;
};

}  // namespace gw
