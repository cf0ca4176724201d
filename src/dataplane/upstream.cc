#include "dataplane/upstream.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace gw {
namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds(500);
// A kept-alive connection that is closed this soon after a request was sent had been closed before,
// and the two crossed. Later, the endpoint has had the request.
constexpr Duration kStaleWindow = std::chrono::seconds(1);
// What was idle for longer is looked at before it is used: the endpoint may have closed it, and a
// request that was sent into a closed connection has had one of its tries.
constexpr Duration kTrustedIdleTime = std::chrono::milliseconds(50);
constexpr Duration kOwnTroubleLogInterval = std::chrono::seconds(10);

// Whose fault it is that there is no connection, and the limit that was reached, if one was.
struct ConnectFailure {
  TryFailure failure;
  std::string_view limit;
};

ConnectFailure FailureOfConnect(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return {TryFailure::kConnectTimeout, "connect_timeout"};
  switch (ErrnoOf(status)) {
    case ECONNREFUSED:
      return {TryFailure::kConnectRefused, ""};
    case ECONNRESET:
    case ECONNABORTED:
      return {TryFailure::kReset, ""};
    case ETIMEDOUT:
      return {TryFailure::kConnectTimeout, ""};
    case EMFILE:
    case ENFILE:
      return {TryFailure::kLocalResources, "open_files"};
    case EADDRNOTAVAIL:
      return {TryFailure::kLocalResources, "local_ports"};
    case ENOBUFS:
    case ENOMEM:
      return {TryFailure::kLocalResources, "socket_memory"};
    default:  // no route, a firewall of this machine, its interface is down
      return {TryFailure::kUnreachable, ""};
  }
}

}  // namespace

UpstreamConnection::UpstreamConnection(UpstreamPool& pool, std::string address)
    : pool_(pool),
      address_(std::move(address)),
      parser_(pool.options().response_head),
      timer_(pool.loop(), [this] { OnTimeout(); }) {}

void UpstreamConnection::Send(const UpstreamRequest& request, UpstreamHandler* handler) {
  CHECK(handler_ == nullptr && !closed_);
  handler_ = handler;
  request_ = request;
  sent_ = 0;
  to_send_ = request.head.size();
  for (std::string_view part : request.parts) to_send_ += part.size();
  paused_ = false;
  saw_byte_ = false;
  saw_body_ = false;
  reused_ = stream_ != nullptr;
  sent_at_ = pool_.loop().now();
  parser_.Reset(request.head_request);
  if (stream_ != nullptr) {
    WatchFor(Timeout::kResponse);
    WriteRequest();
    return;
  }
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(address_);
  CHECK(address.ok());  // translate lets only valid addresses into a Snapshot
  Connect(*address);
}

void UpstreamConnection::Connect(const SocketAddress& address) {
  connector_ = Connector::New(
      pool_.loop(), address, pool_.options().connect_timeout,
      [this](absl::StatusOr<std::unique_ptr<Stream>> stream) { OnConnected(std::move(stream)); });
}

void UpstreamConnection::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  if (closed_) return;
  if (!stream.ok()) {
    const auto [failure, limit] = FailureOfConnect(stream.status());
    if (!limit.empty()) pool_.on_limit_(limit);
    // Whether or not it frees any: who accepts clients may have freed some in the meantime.
    if (limit == "open_files" && !std::exchange(tried_again_, true)) {
      pool_.free_descriptors_();
      return Connect(*SocketAddress::Parse(address_));
    }
    if (failure == TryFailure::kLocalResources || failure == TryFailure::kUnreachable) {
      pool_.LogOwnTrouble(address_, stream.status());
    }
    Fail(failure);
    return;
  }
  stream_ = *std::move(stream);
  if (const Duration idle = pool_.options().tcp_keep_alive; idle > Duration(0)) {
    stream_->KeepAlive(idle);
  }
  stream_->set_observer(this);
  WatchFor(Timeout::kResponse);
  WriteRequest();
}

void UpstreamConnection::WriteRequest() {
  while (sent_ < to_send_) {
    iovec parts[16];
    size_t count = 0;
    size_t skip = sent_;
    const auto add = [&](std::string_view bytes) {
      if (count == std::size(parts)) return;  // the next round's
      if (skip >= bytes.size()) {
        skip -= bytes.size();
        return;
      }
      bytes.remove_prefix(skip);
      skip = 0;
      parts[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
    };
    add(request_.head);
    for (std::string_view part : request_.parts) add(part);
    const IoResult result = stream_->Write({parts, count});
    sent_ += result.bytes;
    if (result.state == IoState::kWouldBlock) return;
    // A dead connection also becomes readable: what the endpoint still said is read there, and the
    // failure is reported from the loop.
    if (result.state == IoState::kError) {
      stream_->ReadAgainLater();
      return;
    }
  }
}

void UpstreamConnection::OnWritable() {
  if (closed_ || handler_ == nullptr) return;
  WriteRequest();
}

void UpstreamConnection::Resume() {
  if (!paused_) return;
  paused_ = false;
  last_activity_ = pool_.loop().now();
  if (stream_ != nullptr) stream_->ReadAgainLater();
}

void UpstreamConnection::OnReadable() {
  if (closed_) return;
  if (handler_ == nullptr) {
    // Idle: whatever comes (the end, or bytes nobody asked for) makes it unusable.
    Cancel();
    return;
  }
  const std::span<char> scratch = pool_.loop().scratch();
  for (size_t reads = 0; !paused_; ++reads) {
    if (reads == pool_.options().reads_per_turn_max) {
      pool_.on_limit_("reads_per_turn");
      return stream_->ReadAgainLater();
    }
    const IoResult result = stream_->Read(scratch);
    if (result.bytes > 0) {
      last_activity_ = pool_.loop().now();
      saw_byte_ = true;
      if (!Parse({scratch.data(), result.bytes})) return;
    }
    if (result.state == IoState::kWouldBlock) return;
    if (result.state == IoState::kError) {
      if (result.error_number == ETIMEDOUT) pool_.on_limit_("tcp_keep_alive");
      return Fail(FailureOfEnd());
    }
    if (result.state == IoState::kEnd) return OnPeerClosed();
  }
}

bool UpstreamConnection::Parse(std::string_view in) {
  bool has_body = false;
  bool more = true;
  while (more) {
    const http::H1Step step = parser_.Next(in);
    in.remove_prefix(step.consumed);
    switch (step.event) {
      case http::H1Event::kNeedMore:
        more = false;
        break;
      case http::H1Event::kHead:
        handler_->OnUpstreamHead(parser_.head());
        break;
      case http::H1Event::kBody:
        if (!saw_body_) {
          saw_body_ = true;
          WatchFor(Timeout::kIdle);
        }
        has_body = true;
        handler_->OnUpstreamBody(step.body);
        break;
      case http::H1Event::kEnd:
        OnResponseComplete(parser_.head().keep_alive && in.empty() && sent_ == to_send_);
        return false;
      case http::H1Event::kError:
        // What was good before it goes on.
        if (has_body) handler_->OnUpstreamFlush();
        if (closed_) return false;
        if (parser_.error() == http::HeadError::kHeadTooLarge) {
          pool_.on_limit_("response_head_bytes");
        } else if (parser_.error() == http::HeadError::kTooManyHeaders) {
          pool_.on_limit_("response_head_fields");
        }
        Fail(TryFailure::kBadResponse);
        return false;
    }
    if (closed_) return false;
  }
  if (has_body) handler_->OnUpstreamFlush();
  return !closed_;
}

void UpstreamConnection::OnResponseComplete(bool reusable) {
  UpstreamHandler* handler = handler_;
  handler_ = nullptr;
  timer_.Stop();
  if (reusable && !stream_->peer_gone()) {
    pool_.PutBack(this);
  } else {
    Cancel();
  }
  handler->OnUpstreamEnd();
}

void UpstreamConnection::OnPeerClosed() {
  if (parser_.OnClose()) {
    OnResponseComplete(false);
    return;
  }
  Fail(FailureOfEnd());
}

TryFailure UpstreamConnection::FailureOfEnd() const {
  const bool stale = reused_ && !saw_byte_ && pool_.loop().now() - sent_at_ < kStaleWindow;
  return stale ? TryFailure::kStaleConnection : TryFailure::kReset;
}

void UpstreamConnection::Fail(TryFailure failure) {
  UpstreamHandler* handler = handler_;
  handler_ = nullptr;
  if (failure == TryFailure::kStaleConnection) pool_.CloseIdleOf(address_);
  const bool sent_whole = stream_ != nullptr && sent_ == to_send_;
  Cancel();
  if (handler != nullptr) handler->OnUpstreamFailed(failure, sent_whole);
}

void UpstreamConnection::Cancel() {
  if (closed_) return;
  closed_ = true;
  handler_ = nullptr;
  timer_.Stop();
  pool_.Remove(this);
}

void UpstreamConnection::WatchFor(Timeout timeout) {
  timeout_ = timeout;
  last_activity_ = pool_.loop().now();
  timer_.Start(timeout == Timeout::kResponse ? pool_.options().response_headers_timeout
                                             : pool_.options().stream_idle_timeout);
}

void UpstreamConnection::OnTimeout() {
  if (closed_ || handler_ == nullptr) return;
  if (timeout_ == Timeout::kIdle) {
    // Activity only notes its time; the timer moves when it fires.
    const Duration idle = pool_.loop().now() - last_activity_;
    const Duration left = pool_.options().stream_idle_timeout - idle;
    if (paused_ || left > Duration(0)) {
      timer_.Start(paused_ ? pool_.options().stream_idle_timeout : left);
      return;
    }
  }
  pool_.on_limit_(timeout_ == Timeout::kIdle ? "stream_idle_timeout" : "response_headers_timeout");
  Fail(TryFailure::kResponseTimeout);
}

UpstreamPool::UpstreamPool(EventLoop& loop, const DataplaneOptions& options,
                           std::function<void(std::string_view)> on_limit,
                           std::function<bool()> free_descriptors)
    : loop_(loop),
      options_(options),
      on_limit_(std::move(on_limit)),
      free_descriptors_(std::move(free_descriptors)),
      sweep_(loop, [this] { CloseIdle(); }) {
  sweep_.Start(kSweepInterval);
}

UpstreamPool::~UpstreamPool() = default;

UpstreamConnection* UpstreamPool::TakeIdle(const std::string& address, Reuse reuse) {
  if (reuse == Reuse::kNone) return nullptr;
  auto it = idle_.find(address);
  while (it != idle_.end() && !it->second.empty()) {
    UpstreamConnection* connection = it->second.back();
    const bool trusted =
        reuse == Reuse::kTrusted && loop_.now() - connection->idle_since_ < kTrustedIdleTime;
    if (!trusted && !connection->stream_->IsOpenAndQuiet()) {
      connection->Cancel();  // which takes it out of the list
      continue;
    }
    it->second.pop_back();
    --idle_count_;
    return connection;
  }
  return nullptr;
}

UpstreamConnection* UpstreamPool::Acquire(const std::string& address, Reuse reuse) {
  if (UpstreamConnection* idle = TakeIdle(address, reuse)) return idle;
  auto owned = std::make_unique<UpstreamConnection>(*this, address);
  UpstreamConnection* connection = owned.get();
  all_.emplace(connection, std::move(owned));
  return connection;
}

void UpstreamPool::PutBack(UpstreamConnection* connection) {
  connection->idle_since_ = loop_.now();
  std::vector<UpstreamConnection*>& idle = idle_[connection->address_];
  if (idle.size() >= options_.idle_upstream_connections_max) {
    on_limit_("idle_upstream_connections");
    UpstreamConnection* oldest = idle.front();
    oldest->Cancel();
  }
  idle.push_back(connection);
  ++idle_count_;
}

void UpstreamPool::Remove(UpstreamConnection* connection) {
  auto idle = idle_.find(connection->address_);
  if (idle != idle_.end()) {
    auto it = std::find(idle->second.begin(), idle->second.end(), connection);
    if (it != idle->second.end()) {
      idle->second.erase(it);
      --idle_count_;
    }
  }
  auto it = all_.find(connection);
  CHECK(it != all_.end());
  connection->stream_.reset();
  if (removed_.empty()) {
    loop_.Post([this] {
      // Not in place: a destructor may end up here again.
      const auto removed = std::move(removed_);
      removed_.clear();
    });
  }
  removed_.push_back(std::move(it->second));
  all_.erase(it);
}

void UpstreamPool::LogOwnTrouble(const std::string& address, const absl::Status& status) {
  ++own_troubles_;
  const TimePoint now = loop_.now();
  const bool logged = own_trouble_logged_ != TimePoint();
  if (logged && now - own_trouble_logged_ < kOwnTroubleLogInterval) return;
  Log(LogLevel::kWarning,
      "No connection to an endpoint, for want of something of the gateway's own",
      {{"endpoint", address},
       {"error", std::string(status.message())},
       {"times", static_cast<int64_t>(own_troubles_)}});
  own_trouble_logged_ = now;
  own_troubles_ = 0;
}

void UpstreamPool::CloseIdleOf(const std::string& address) {
  const auto it = idle_.find(address);
  if (it == idle_.end()) return;
  const std::vector<UpstreamConnection*> idle = it->second;
  for (UpstreamConnection* connection : idle) connection->Cancel();
}

size_t UpstreamPool::CloseLongestIdle(size_t most) {
  std::vector<UpstreamConnection*> all;
  for (auto& [address, idle] : idle_) all.insert(all.end(), idle.begin(), idle.end());
  const size_t count = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(count), all.end(),
                    [](const UpstreamConnection* a, const UpstreamConnection* b) {
                      return a->idle_since_ < b->idle_since_;
                    });
  for (size_t i = 0; i < count; ++i) all[i]->Cancel();
  return count;
}

void UpstreamPool::CloseIdle() {
  const TimePoint limit = loop_.now() - options_.upstream_keep_alive_timeout;
  std::vector<UpstreamConnection*> expired;
  for (auto& [address, idle] : idle_) {
    for (UpstreamConnection* connection : idle) {
      if (connection->idle_since_ <= limit) expired.push_back(connection);
    }
  }
  for (UpstreamConnection* connection : expired) {
    on_limit_("upstream_keep_alive_timeout");
    connection->Cancel();
  }
  absl::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  sweep_.Start(kSweepInterval);
}

}  // namespace gw
