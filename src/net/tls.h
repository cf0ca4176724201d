// TLS over a Stream: the handshake as an attempt with an end, as connecting is one, and then a
// Stream of plain bytes.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/stream.h"
#include "tls/client_tls.h"
#include "tls/server_tls.h"

namespace gw {

// What a handshake agreed on. Of a Stream by Stream::tls(); nullptr there: it is plain.
struct TlsInfo {
  std::string server_name;   // of an accepted one: what the client asked for (SNI), lower case
  std::string protocol;      // ALPN; empty: none was agreed on
  std::string_view version;  // "TLSv1.3"
  std::string_view cipher;   // "TLS_AES_256_GCM_SHA384"
  bool resumed = false;
  // Of the peer's certificate, if it was asked for, shown and valid: RFC 2253.
  std::string peer_subject;
  std::string peer_fingerprint;  // SHA-256, hexadecimal
};

// Why a handshake came to nothing; a reason has a name for metrics and the log.
enum class TlsFailure : uint8_t {
  kTimeout,        // "timeout"
  kClosed,         // "closed": the peer went away
  kNotTls,         // "not_tls": plain HTTP, or no record of TLS
  kNoSharedTerms,  // "no_shared_terms": version, cipher or ALPN
  kUnknownName,    // "unknown_name": no listener for the SNI
  kBadPeer,        // "bad_peer": its certificate is missing, expired, of others, for another name
  kRefused,        // "refused": an alert of the peer; it says why
  kOther,          // "other"
};
std::string_view NameOf(TlsFailure failure);

struct TlsError {
  TlsFailure failure = TlsFailure::kOther;
  std::string message;  // OpenSSL's reason, or the check of the certificate that failed
};

// One attempt. Destroying it abandons it and closes the stream. `done` is called exactly once,
// later, from the loop, with the stream (no observer yet) or an error; it may destroy the
// handshake. What the peer sent behind its handshake is read from the stream as ever.
class TlsHandshake {
 public:
  // Exactly one of the two is set.
  struct Result {
    std::unique_ptr<Stream> stream;
    TlsError error;
  };
  using Done = std::function<void(Result)>;

  virtual ~TlsHandshake() = default;
};

// The handshakes of one loop: of all that are under way one a round does what costs a signature;
// the others wait for the next round, in turn, so that the loop's streams are held up by one at
// most.
class TlsHandshakes {
 public:
  virtual ~TlsHandshakes() = default;
  // The loop outlives it, and it all its handshakes.
  static std::unique_ptr<TlsHandshakes> New(EventLoop& loop);

  virtual std::unique_ptr<TlsHandshake> Accept(std::unique_ptr<Stream> stream,
                                               std::shared_ptr<const ServerTls> tls,
                                               Duration timeout, TlsHandshake::Done done) = 0;
  // `session_key`: what the session is kept under, to resume it ("10.0.0.7:8443").
  virtual std::unique_ptr<TlsHandshake> Connect(std::unique_ptr<Stream> stream,
                                                std::shared_ptr<const ClientTls> tls,
                                                const std::string& session_key, Duration timeout,
                                                TlsHandshake::Done done) = 0;
};

}  // namespace gw
