#include "client/h1_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "client/pool.h"
#include "http/h1_writer.h"

namespace gw {
namespace {

// A kept-alive connection that is closed this soon after a request was sent had been closed before,
// and the two crossed. Later, the server has had the request.
constexpr Duration kStaleWindow = std::chrono::seconds(1);
// Of an idle connection's buffer for heads.
constexpr size_t kIdleHeadBytesMax = 4096;

// Whose fault it is that there is no connection, and the limit that was reached, if one was.
struct ConnectFailure {
  ClientFailure failure;
  std::string_view limit;
};

ConnectFailure FailureOfConnect(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return {ClientFailure::kConnectTimeout, "connect_timeout"};
  switch (ErrnoOf(status)) {
    case ECONNREFUSED:
      return {ClientFailure::kConnectRefused, ""};
    case ECONNRESET:
    case ECONNABORTED:
      return {ClientFailure::kClosed, ""};
    case ETIMEDOUT:
      return {ClientFailure::kConnectTimeout, ""};
    case EMFILE:
    case ENFILE:
      return {ClientFailure::kLocalResources, "open_files"};
    case EADDRNOTAVAIL:
      return {ClientFailure::kLocalResources, "local_ports"};
    case ENOBUFS:
    case ENOMEM:
      return {ClientFailure::kLocalResources, "socket_memory"};
    default:  // no route, a firewall of this machine, its interface is down
      return {ClientFailure::kUnreachable, ""};
  }
}

bool MaySpeakHttp1(const TlsInfo& tls) {
  return tls.protocol.empty() || tls.protocol == "http/1.1";
}

}  // namespace

H1Connection::H1Connection(ClientPool& pool, std::string address,
                           std::shared_ptr<const ClientTls> tls)
    : pool_(pool),
      address_(std::move(address)),
      tls_(std::move(tls)),
      parser_(pool.options().response_head),
      timer_(pool.loop(), [this] { OnTimeout(); }) {}

void H1Connection::Send(const ClientRequest& request, ResponseHandler* handler) {
  CHECK(handler_ == nullptr && !closed_);
  handler_ = handler;
  parts_ = request.parts;
  size_t body_bytes = 0;
  for (std::string_view part : parts_) body_bytes += part.size();
  WriteHead(request, body_bytes);
  sent_ = 0;
  to_send_ = head_.size() + body_bytes + tail_.size();
  paused_ = false;
  saw_byte_ = false;
  saw_body_ = false;
  reused_ = stream_ != nullptr;
  sent_at_ = pool_.loop().now();
  parser_.Reset(request.method == "HEAD");
  if (stream_ == nullptr) return Connect();
  WatchFor(Timeout::kResponse);
  WriteRequest();
}

void H1Connection::WriteHead(const ClientRequest& request, size_t body_bytes) {
  head_.clear();
  http::AppendRequestLine(&head_, request.method, request.target);
  http::AppendHeader(&head_, "host", request.authority);
  for (const http::HeaderField& field : request.fields) {
    http::AppendHeader(&head_, field.name, field.value);
  }
  tail_.clear();
  if (!request.trailers.empty()) {
    http::AppendHeader(&head_, "transfer-encoding", "chunked");
    http::AppendHeadEnd(&head_);
    WriteChunk(request.trailers, body_bytes);
    return;
  }
  if (request.has_body) {
    http::AppendHeader(&head_, "content-length", static_cast<uint64_t>(body_bytes));
  }
  http::AppendHeadEnd(&head_);
}

// The body as one chunk, as only a chunked one can have trailers.
void H1Connection::WriteChunk(std::span<const http::HeaderField> trailers, size_t body_bytes) {
  if (body_bytes > 0) {
    char size_line[20];
    head_.append(size_line, http::FormatChunkSize(body_bytes, size_line));
    tail_ = "\r\n";
  }
  tail_ += "0\r\n";
  for (const http::HeaderField& field : trailers) {
    http::AppendHeader(&tail_, field.name, field.value);
  }
  http::AppendHeadEnd(&tail_);
}

void H1Connection::Connect() {
  const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(address_);
  CHECK(address.ok());  // Send requires it
  connector_ = Connector::New(
      pool_.loop(), *address, pool_.options().connect_timeout,
      [this](absl::StatusOr<std::unique_ptr<Stream>> stream) { OnConnected(std::move(stream)); });
}

void H1Connection::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  if (closed_) return;
  if (!stream.ok()) {
    const auto [failure, limit] = FailureOfConnect(stream.status());
    if (!limit.empty()) pool_.Limit(limit);
    // Whether or not it frees any: who accepts clients may have freed some in the meantime.
    if (limit == "open_files" && !std::exchange(tried_again_, true)) {
      pool_.hooks_.free_descriptors();
      return Connect();
    }
    if (failure == ClientFailure::kLocalResources || failure == ClientFailure::kUnreachable) {
      pool_.TellOwnTrouble(address_, stream.status());
    }
    return Fail(failure, ErrnoOf(stream.status()));
  }
  if (tls_ != nullptr) {
    Shake(*std::move(stream));
  } else {
    Start(*std::move(stream));
  }
}

// What is left of the time to connect is the handshake's. Nothing of the request goes out before
// the server has proven who it is.
void H1Connection::Shake(std::unique_ptr<Stream> stream) {
  const Duration left = pool_.options().connect_timeout - (pool_.loop().now() - sent_at_);
  handshake_ = pool_.handshakes().Connect(
      std::move(stream), tls_, address_, std::max(left, Duration(std::chrono::milliseconds(1))),
      [this](TlsHandshake::Result result) { OnShaken(std::move(result)); });
}

void H1Connection::OnShaken(TlsHandshake::Result result) {
  if (closed_) return;
  // A server must not choose what was not offered (RFC 7301 3.2), and whoever speaks no ALPN speaks
  // HTTP/1.1.
  if (result.stream != nullptr && !MaySpeakHttp1(*result.stream->tls())) {
    result.error = {TlsFailure::kNoSharedTerms,
                    "the server chose the protocol " + result.stream->tls()->protocol};
    result.stream = nullptr;
  }
  pool_.TellHandshake(address_, result);
  if (result.stream != nullptr) return Start(std::move(result.stream));
  if (result.error.failure == TlsFailure::kTimeout) {
    pool_.Limit("connect_timeout");
    return Fail(ClientFailure::kConnectTimeout);
  }
  Fail(ClientFailure::kTlsHandshake, 0, std::move(result.error.message));
}

void H1Connection::Start(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  if (const Duration idle = pool_.options().tcp_keep_alive; idle > Duration(0)) {
    stream_->KeepAlive(idle);
  }
  stream_->set_observer(this);
  handler_->OnNewConnection();
  WatchFor(Timeout::kResponse);
  WriteRequest();
}

void H1Connection::WriteRequest() {
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
    add(head_);
    for (std::string_view part : parts_) add(part);
    add(tail_);
    const IoResult result = stream_->Write({parts, count});
    sent_ += result.bytes;
    if (result.state == IoState::kWouldBlock) return;
    // A dead connection also becomes readable: what the server still said is read there, and the
    // failure is reported from the loop.
    if (result.state == IoState::kError) {
      stream_->ReadAgainLater();
      return;
    }
  }
}

void H1Connection::OnWritable() {
  if (closed_ || handler_ == nullptr) return;
  WriteRequest();
}

void H1Connection::Resume() {
  if (!paused_) return;
  paused_ = false;
  last_activity_ = pool_.loop().now();
  if (stream_ != nullptr) stream_->ReadAgainLater();
}

void H1Connection::OnReadable() {
  if (closed_) return;
  if (handler_ == nullptr) {
    // Idle: whatever comes (the end, or bytes nobody asked for) makes it unusable. Nothing has if a
    // read of the response before was put off to this turn.
    if (!stream_->IsOpenAndQuiet()) Cancel();
    return;
  }
  const std::span<char> scratch = pool_.loop().scratch();
  for (size_t reads = 0; !paused_; ++reads) {
    if (reads == pool_.options().reads_per_turn_max) {
      pool_.Limit("reads_per_turn");
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
      if (result.error_number == ETIMEDOUT) pool_.Limit("tcp_keep_alive");
      if (IsRefusalOfHandshake(result)) {
        return Fail(ClientFailure::kTlsHandshake, result.error_number,
                    "the server refused it when it was over, as if it wanted a certificate of us");
      }
      return Fail(FailureOfEnd(), result.error_number);
    }
    if (result.state == IoState::kEnd) return OnPeerClosed();
  }
}

bool H1Connection::Parse(std::string_view in) {
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
        handler_->OnResponseHead(parser_.head());
        break;
      case http::H1Event::kBody:
        if (!saw_body_) {
          saw_body_ = true;
          WatchFor(Timeout::kIdle);
        }
        has_body = true;
        handler_->OnResponseBody(step.body);
        break;
      case http::H1Event::kEnd:
        if (parser_.trailers().size() > 0) handler_->OnResponseTrailers(parser_.trailers());
        OnResponseComplete(parser_.head().keep_alive && in.empty() && sent_ == to_send_);
        return false;
      case http::H1Event::kError:
        OnParseError(has_body);
        return false;
    }
    if (closed_) return false;
  }
  if (has_body) handler_->OnResponseFlush();
  return !closed_;
}

// What was good before it goes on.
void H1Connection::OnParseError(bool has_body) {
  if (has_body) handler_->OnResponseFlush();
  if (closed_) return;
  if (parser_.error() == http::HeadError::kHeadTooLarge) {
    pool_.Limit("response_head_bytes");
  } else if (parser_.error() == http::HeadError::kTooManyHeaders) {
    pool_.Limit("response_head_fields");
  }
  Fail(ClientFailure::kBadResponse);
}

void H1Connection::OnResponseComplete(bool reusable) {
  ResponseHandler* handler = handler_;
  handler_ = nullptr;
  timer_.Stop();
  if (reusable && !stream_->peer_gone()) {
    pool_.PutBack(this);
  } else {
    Cancel();
  }
  handler->OnResponseEnd();
}

void H1Connection::OnPeerClosed() {
  if (parser_.OnClose()) {
    OnResponseComplete(false);
    return;
  }
  Fail(FailureOfEnd());
}

ClientFailure H1Connection::FailureOfEnd() const {
  const bool stale = reused_ && !saw_byte_ && pool_.loop().now() - sent_at_ < kStaleWindow;
  return stale ? ClientFailure::kStaleConnection : ClientFailure::kClosed;
}

// A server of TLS 1.3 that wants another certificate of us says so when our side has ended the
// handshake already, and has read nothing of the request then.
bool H1Connection::IsRefusalOfHandshake(const IoResult& result) const {
  return tls_ != nullptr && !reused_ && !saw_byte_ && result.error_number == EPROTO;
}

void H1Connection::Fail(ClientFailure failure, int error_number, std::string detail) {
  ResponseHandler* handler = handler_;
  handler_ = nullptr;
  if (failure == ClientFailure::kStaleConnection) pool_.CloseIdleOf(address_);
  const bool sent_whole = stream_ != nullptr && sent_ == to_send_;
  Cancel();
  if (handler == nullptr) return;
  handler->OnResponseFailed({failure, sent_whole, error_number, std::move(detail)});
}

void H1Connection::Cancel() {
  if (closed_) return;
  closed_ = true;
  handler_ = nullptr;
  timer_.Stop();
  pool_.Remove(this);
}

void H1Connection::BecomeIdle() {
  idle_since_ = pool_.loop().now();
  if (head_.capacity() > kIdleHeadBytesMax) std::string().swap(head_);
  if (tail_.capacity() > kIdleHeadBytesMax) std::string().swap(tail_);
}

void H1Connection::WatchFor(Timeout timeout) {
  timeout_ = timeout;
  last_activity_ = pool_.loop().now();
  timer_.Start(timeout == Timeout::kResponse ? pool_.options().response_timeout
                                             : pool_.options().idle_timeout);
}

void H1Connection::OnTimeout() {
  if (closed_ || handler_ == nullptr) return;
  if (timeout_ == Timeout::kIdle) {
    // Activity only notes its time; the timer moves when it fires.
    const Duration idle = pool_.loop().now() - last_activity_;
    const Duration left = pool_.options().idle_timeout - idle;
    if (paused_ || left > Duration(0)) {
      timer_.Start(paused_ ? pool_.options().idle_timeout : left);
      return;
    }
  }
  pool_.Limit(timeout_ == Timeout::kIdle ? "stream_idle_timeout" : "response_headers_timeout");
  Fail(ClientFailure::kTimeout);
}

}  // namespace gw
