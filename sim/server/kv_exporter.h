// KvExporter: the side of a replica that hands KV blocks to others. What is fetched, and how, is in
// kv_fetch.h.
//
// An export has a key and belongs to somebody who owns blocks. It is announced before its KV is
// computed (SGLang: rooms) or only after (vLLM); it is taken when somebody has asked for it and the
// time of the transfer is over. With a lease, the owner gets its blocks back when that ends,
// fetched or not.
//
// One thread, that of its loop.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "sim/server/connection.h"
#include "sim/server/options.h"

namespace gw::sim {

// Who owns blocks. The calls come from the loop; the exporter may be changed from them, but not
// destroyed.
class KvOwner {
 public:
  // Somebody asks for an export that is announced and not computed yet.
  virtual void OnKvWanted(uint64_t owner) = 0;
  // An export has reached the other side, which may have said that it does not want it any more.
  virtual void OnKvTaken(uint64_t owner) = 0;
  virtual void OnKvExpired(uint64_t owner) = 0;

 protected:
  ~KvOwner() = default;
};

class KvExporter final : private ConnectionOwner {
 public:
  // `pushes`, as SGLang does: who asks for a key that is not there yet waits for it, and blocks
  // are sent even if who asked for them is gone meanwhile. Otherwise, as with vLLM, an unknown key
  // is refused, and a transfer needs somebody who pulls. `options` must outlive the exporter.
  KvExporter(EventLoop& loop, const SimOptions& options, KvOwner& owner, bool pushes);
  ~KvExporter();

  absl::Status Listen(const SocketAddress& address);
  bool listening() const { return listener_ != nullptr; }
  const SocketAddress& address() const { return listener_->local(); }

  // False if the key is taken already.
  bool Announce(std::string_view key, uint64_t owner);
  // True if somebody waits for it.
  bool Wanted(std::string_view key) const;
  // The KV is there. Announces it if that has not been done. Lease 0: none.
  // REQUIRES: the key is not another owner's
  void Offer(std::string_view key, uint64_t owner, Duration transfer, Duration lease);
  // The owner is gone. Who waits for the key goes on waiting, as real ones do: nobody tells them.
  // Nothing happens if the key is not the owner's.
  void Withdraw(std::string_view key, uint64_t owner);
  // While set, nothing reaches who asks for it. One who pushes does not notice.
  void SetStuck(bool stuck);
  // Resets all connections and forgets all exports, without a call to the owner.
  void Clear();

 private:
  struct Export;

  // ConnectionOwner
  void OnRequest(Connection* connection, const http::RequestHead& head, std::string* body) override;
  void OnClosed(Connection* connection) override;
  std::string_view CommonHeaders() override { return {}; }
  std::string_view ReplicaHeader() override { return {}; }

  void Fetch(Connection* connection, const std::string& key);
  void Release(Connection* connection, const std::string& key);
  void BeginTransfer(const std::string& key, Export* e);
  void OnTransferred(const std::string& key);
  void OnLeaseEnd(const std::string& key);

  EventLoop& loop_;
  const SimOptions& options_;
  KvOwner& owner_;
  const bool pushes_;
  bool stuck_ = false;
  std::unique_ptr<Listener> listener_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_serial_ = 1;
  std::unordered_map<std::string, std::unique_ptr<Export>> exports_;
  std::unordered_map<uint64_t, std::string> fetched_by_;  // serial of a connection -> key
};

}  // namespace gw::sim
