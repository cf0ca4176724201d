#include "net/tls_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/tcp_stream.h"

namespace gw::internal {

// The BIO over a Stream: OpenSSL's own over sockets would read and write past it, and what a Stream
// knows of its socket (drained, gone) would be wrong.
struct TransportBio {
  static TlsTransport& Of(BIO* bio) { return *static_cast<TlsTransport*>(BIO_get_data(bio)); }

  static int Read(BIO* bio, char* into, size_t size, size_t* read) {
    TlsTransport& transport = Of(bio);
    BIO_clear_retry_flags(bio);
    const IoResult result = transport.stream_->Read({into, size});
    *read = result.bytes;
    if (result.state == IoState::kOk) return 1;
    if (result.state == IoState::kWouldBlock) {
      BIO_set_retry_read(bio);
    } else {
      transport.at_end_ = true;
      transport.Fail(result.error_number);
    }
    return 0;
  }

  static int Write(BIO* bio, const char* bytes, size_t size, size_t* written) {
    TlsTransport& transport = Of(bio);
    BIO_clear_retry_flags(bio);
    const iovec part{const_cast<char*>(bytes), size};
    const IoResult result = transport.stream_->Write({&part, 1});
    *written = result.bytes;
    transport.write_waits_ = result.bytes < size;
    if (result.bytes > 0 || result.state == IoState::kOk) return 1;
    if (result.state == IoState::kWouldBlock) {
      BIO_set_retry_write(bio);
    } else {
      transport.Fail(result.error_number);
    }
    return -1;  // with 0 SSL_shutdown says that it has sent all of its alert
  }

  static long Control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return Of(bio).at_end_ && Of(bio).error_number_ == 0 ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO_METHOD* Method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
      BIO_meth_set_read_ex(made, &TransportBio::Read);
      BIO_meth_set_write_ex(made, &TransportBio::Write);
      BIO_meth_set_ctrl(made, &TransportBio::Control);
      return made;
    }();
    return method;
  }
};

namespace {

constexpr size_t kRecordBytesMax = SSL3_RT_MAX_PLAIN_LENGTH;

// Up to a record of what stands at byte `at` of the parts: in place if one part has it, else copied
// together.
std::string_view Gather(std::span<const iovec> parts, size_t at, size_t most) {
  static thread_local char record[kRecordBytesMax];
  while (at >= parts[0].iov_len) {
    at -= parts[0].iov_len;
    parts = parts.subspan(1);
  }
  const char* const first = static_cast<const char*>(parts[0].iov_base) + at;
  if (parts[0].iov_len - at >= most) return {first, most};
  size_t taken = 0;
  for (const iovec& part : parts) {
    const size_t count = std::min(part.iov_len - at, most - taken);
    std::memcpy(record + taken, static_cast<const char*>(part.iov_base) + at, count);
    taken += count;
    at = 0;
    if (taken == most) break;
  }
  return {record, taken};
}

}  // namespace

TlsTransport::TlsTransport(SslPtr ssl, std::unique_ptr<Stream> stream)
    : stream_(std::move(stream)), ssl_(std::move(ssl)) {
  BIO* const bio = BIO_new(TransportBio::Method());
  CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsTransport::~TlsTransport() = default;

TlsStream::TlsStream(std::unique_ptr<TlsTransport> transport, std::shared_ptr<const void> context,
                     TlsInfo info)
    : context_(std::move(context)), transport_(std::move(transport)), info_(std::move(info)) {
  // What came behind the handshake makes no event.
  if (SSL_has_pending(ssl()) == 1 || !under().drained()) calls_.MissReadable();
  under().set_observer(this);
}

TlsStream::~TlsStream() {
  if (failed_) return;
  ERR_clear_error();
  const bool can_tell = !quiet_end_ && !end_sent_ && !write_failed_ && offered_ == 0;
  if (can_tell && transport_->error_number() == 0) SSL_shutdown(ssl());
  // However the connection ended, its session may be resumed (RFC 8446 6.1); OpenSSL would forget
  // the one that ended without a word.
  SSL_set_shutdown(ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ERR_clear_error();
}

void TlsStream::set_observer(StreamObserver* observer) {
  if (calls_.Observe(observer)) under().ReadAgainLater();
}

IoResult TlsStream::Stopped(int returned, bool writing) {
  switch (SSL_get_error(ssl(), returned)) {
    case SSL_ERROR_WANT_READ:
      if (writing) write_reads_ = true;
      return {IoState::kWouldBlock, 0, 0};
    case SSL_ERROR_WANT_WRITE:
      if (!writing) read_writes_ = true;
      return {IoState::kWouldBlock, 0, 0};
    case SSL_ERROR_ZERO_RETURN:
      if (!writing) return {IoState::kEnd, 0, 0};
      return Failed(writing);
    default:
      return Failed(writing);
  }
}

IoResult TlsStream::Failed(bool writing) {
  ERR_clear_error();
  const int error = transport_->error_number();
  // As for plain connections: an answer that came before the write failed can be read.
  const bool only_writes = writing && error != 0 && !transport_->at_end();
  (only_writes ? write_failed_ : failed_) = true;
  if (error != 0) return {IoState::kError, 0, error};
  // An end without TLS's own: somebody on the way may have cut it (RFC 8446 6.1).
  return {IoState::kError, 0, transport_->at_end() ? ECONNRESET : EPROTO};
}

IoResult TlsStream::Read(std::span<char> into) {
  if (into.empty()) return {IoState::kOk, 0, 0};
  if (failed_) return {IoState::kError, 0, EPROTO};
  read_writes_ = false;
  size_t total = 0;
  // Records that are here already, as far as there is room: one call for them all.
  do {
    size_t bytes = 0;
    ERR_clear_error();
    const int returned = SSL_read_ex(ssl(), into.data() + total, into.size() - total, &bytes);
    if (returned != 1) {
      const bool blocked = SSL_get_error(ssl(), returned) == SSL_ERROR_WANT_READ;
      if (total > 0 && !blocked) break;  // it is said by the next call
      drained_ = blocked;
      if (total > 0) break;
      return Stopped(returned, false);
    }
    total += bytes;
  } while (total < into.size() && SSL_has_pending(ssl()) == 1);
  return {IoState::kOk, total, 0};
}

IoResult TlsStream::WriteRecord(std::string_view bytes) {
  size_t written = 0;
  ERR_clear_error();
  const int returned = SSL_write_ex(ssl(), bytes.data(), bytes.size(), &written);
  if (returned == 1) return {IoState::kOk, written, 0};
  return Stopped(returned, true);
}

IoResult TlsStream::Write(std::span<const iovec> parts) {
  if (failed_ || write_failed_ || end_sent_) return {IoState::kError, 0, EPIPE};
  const size_t total = BytesOf(parts);
  // A record that was begun is offered again as it was: the caller promises the same bytes.
  CHECK(offered_ <= total);
  size_t written = 0;
  write_reads_ = false;
  while (written < total) {
    const size_t most = offered_ > 0 ? offered_ : std::min(total - written, kRecordBytesMax);
    const std::string_view record = Gather(parts, written, most);
    const IoResult result = WriteRecord(record);
    if (result.state != IoState::kOk) {
      offered_ = result.state == IoState::kWouldBlock ? record.size() : 0;
      calls_.set_write_blocked(result.state == IoState::kWouldBlock);
      return {result.state, written, result.error_number};
    }
    offered_ = 0;
    written += result.bytes;
  }
  calls_.set_write_blocked(false);
  return {IoState::kOk, written, 0};
}

bool TlsStream::drained() const {
  return drained_ || (SSL_has_pending(ssl()) == 0 && under().drained());
}

bool TlsStream::IsOpenAndQuiet() const {
  if (failed_) return false;
  if (SSL_has_pending(ssl()) == 0 && under().IsOpenAndQuiet()) return true;
  if (under().peer_gone()) return false;
  // A server sends tickets when it likes, which are no data.
  char byte;
  size_t bytes = 0;
  ERR_clear_error();
  const int returned = SSL_peek_ex(ssl(), &byte, 1, &bytes);
  const bool tickets = returned != 1 && SSL_get_error(ssl(), returned) == SSL_ERROR_WANT_READ;
  // What the loop has not told of yet was not read just now.
  return tickets && under().IsOpenAndQuiet();
}

IoState TlsStream::ShutdownWrite() {
  if (failed_ || write_failed_) return IoState::kError;
  if (end_sent_) return EndTransport();
  // A record of which a part is sent can only be sent to its end.
  if (offered_ > 0) return IoState::kError;
  quiet_end_ = true;
  ERR_clear_error();
  const int returned = SSL_shutdown(ssl());
  if (returned < 0) {
    const IoResult result = Stopped(returned, true);
    calls_.set_write_blocked(result.state == IoState::kWouldBlock);
    return result.state;
  }
  end_sent_ = true;
  return EndTransport();
}

IoState TlsStream::EndTransport() {
  const IoState state = under().ShutdownWrite();
  calls_.set_write_blocked(state == IoState::kWouldBlock);
  return state;
}

void TlsStream::ResetOnClose() {
  quiet_end_ = true;
  under().ResetOnClose();
}

void TlsStream::OnReadable() {
  drained_ = false;
  const bool missed = calls_.TakeMissed();
  calls_.Deliver(true, write_reads_ || missed);
}

void TlsStream::OnWritable() { calls_.Deliver(read_writes_, true); }

}  // namespace gw::internal
