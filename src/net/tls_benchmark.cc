// How OpenSSL may get at a socket: by a BIO of ours over a Stream, which the gateway uses; by its
// own BIO over the socket; by two memory BIOs that somebody empties and fills; and with the kernel
// doing the records (kTLS), where the kernel has that.
//
//   BM_TlsPingPong/way/bytes    one message and its echo over loopback, both ends on one thread

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "net/tls_test_util.h"
#include "tls/openssl.h"

namespace gw {
namespace {

enum Way { kOwnBio, kSocketBio, kMemoryBios, kKernel };

// As net/tls_stream.cc has it, on a socket in place of a Stream.
struct OwnBio {
  static int Read(BIO* bio, char* into, size_t size, size_t* read) {
    BIO_clear_retry_flags(bio);
    const ssize_t n = recv(FdOf(bio), into, size, 0);
    *read = n > 0 ? static_cast<size_t>(n) : 0;
    if (n < 0) BIO_set_retry_read(bio);
    return n > 0 ? 1 : 0;
  }
  static int Write(BIO* bio, const char* bytes, size_t size, size_t* written) {
    BIO_clear_retry_flags(bio);
    const ssize_t n = send(FdOf(bio), bytes, size, MSG_NOSIGNAL);
    *written = n > 0 ? static_cast<size_t>(n) : 0;
    if (n < 0) BIO_set_retry_write(bio);
    return n > 0 ? 1 : 0;
  }
  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static BIO* Of(int fd) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "own");
      BIO_meth_set_read_ex(made, &OwnBio::Read);
      BIO_meth_set_write_ex(made, &OwnBio::Write);
      BIO_meth_set_ctrl(made, &OwnBio::Control);
      return made;
    }();
    BIO* const bio = BIO_new(method);
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
    BIO_set_init(bio, 1);
    return bio;
  }

 private:
  static int FdOf(BIO* bio) {
    return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  }
};

// One end of a connection.
class End {
 public:
  End(SSL_CTX* context, int fd, Way way) : ssl_(SSL_new(context)), fd_(fd), way_(way) {
    SSL* const ssl = ssl_.get();
    if (way == kKernel) SSL_set_options(ssl, SSL_OP_ENABLE_KTLS);
    if (way == kOwnBio) {
      BIO* const bio = OwnBio::Of(fd);
      SSL_set_bio(ssl, bio, bio);
    } else if (way == kMemoryBios) {
      SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    } else {
      CHECK(SSL_set_fd(ssl, fd) == 1);
    }
  }
  ~End() {
    ssl_.reset();
    close(fd_);
  }

  SSL* ssl() const { return ssl_.get(); }
  bool Shake() {
    Fill();
    const bool done = SSL_do_handshake(ssl()) == 1;
    Flush();
    return done;
  }
  void Write(const std::string& message) {
    size_t written = 0;
    CHECK(SSL_write_ex(ssl(), message.data(), message.size(), &written) == 1);
    CHECK(written == message.size());
    Flush();
  }
  void Read(size_t bytes, char* into) {
    for (size_t got = 0; got < bytes;) {
      size_t n = 0;
      Fill();
      if (SSL_read_ex(ssl(), into, bytes - got, &n) == 1) got += n;
    }
  }
  bool kernel_sends() const { return BIO_get_ktls_send(SSL_get_wbio(ssl())); }

 private:
  void Fill() {
    if (way_ != kMemoryBios) return;
    const ssize_t n = recv(fd_, buffer_, sizeof buffer_, 0);
    if (n > 0) BIO_write(SSL_get_rbio(ssl()), buffer_, static_cast<int>(n));
  }
  void Flush() {
    if (way_ != kMemoryBios) return;
    char* bytes = nullptr;
    BIO* const bio = SSL_get_wbio(ssl());
    const long size = BIO_get_mem_data(bio, &bytes);
    if (size <= 0) return;
    CHECK(send(fd_, bytes, static_cast<size_t>(size), MSG_NOSIGNAL) == size);
    BIO_reset(bio);
  }

  internal::SslPtr ssl_;
  const int fd_;
  const Way way_;
  char buffer_[20000];
};

// Two ends of a TCP connection over loopback, non-blocking.
std::pair<int, int> ConnectedPair() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  CHECK(bind(listener, generic, size) == 0 && listen(listener, 1) == 0);
  CHECK(getsockname(listener, generic, &size) == 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(client, generic, size) == 0);
  const int server = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  close(listener);
  const int one = 1;
  for (const int fd : {client, server}) {
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
  }
  CHECK(fcntl(client, F_SETFL, O_NONBLOCK) == 0);
  return {client, server};
}

void BM_TlsPingPong(benchmark::State& state) {
  const auto way = static_cast<Way>(state.range(0));
  const std::string message(static_cast<size_t>(state.range(1)), 'x');
  std::string into(message.size(), '\0');
  const auto [client_fd, server_fd] = ConnectedPair();
  End client(ClientTlsForTest()->context(), client_fd, way);
  End server(ServerTlsForTest()->context(), server_fd, way);
  ClientTlsForTest()->Prepare(client.ssl(), "benchmark", "127.0.0.1");
  SSL_set_connect_state(client.ssl());
  SSL_set_accept_state(server.ssl());
  bool client_done = false;
  bool server_done = false;
  while (!client_done || !server_done) {
    client_done = client_done || client.Shake();
    server_done = server_done || server.Shake();
  }
  if (way == kKernel && !server.kernel_sends()) {
    state.SkipWithError("the kernel has no TLS (module tls)");
    return;
  }
  for (auto _ : state) {
    client.Write(message);
    server.Read(message.size(), into.data());
    server.Write(message);
    client.Read(message.size(), into.data());
  }
  state.SetLabel(std::string(SSL_get_cipher_name(server.ssl())));
}
BENCHMARK(BM_TlsPingPong)
    ->ArgsProduct({{kOwnBio, kSocketBio, kMemoryBios, kKernel}, {128, 1024, 16000}})
    ->ArgNames({"way", "bytes"});

}  // namespace
}  // namespace gw
