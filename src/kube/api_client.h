// ApiClient: sends requests to a Kubernetes API server and gives back whole answers, or the lines
// of a watch as they come. HTTP/1.1 over a ClientPool of its own: a watch has a connection for
// itself, all others take turns.
//
// What it does without being asked:
//  - Authorization and TLS are those of Credentials::Get at each attempt. An answer 401 was not
//    acted on: the credentials are told and the request, whatever it is, is sent once more.
//  - 429 and 503 with Retry-After are obeyed for requests that may be repeated, and so is a kept
//    connection that was closed as it was used again. A Retry-After above retry_after_max, or the
//    answer after retries_max, is the caller's.
//  - Whole answers are asked for at most at requests_per_second, in bursts of requests_burst
//    (as controller-runtime does). A request that waits for its turn has not begun to time out.
//
// On the loop's thread, all of it. Nothing is told from inside a call; a handle may be destroyed
// from inside what it calls.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/pool.h"
#include "kube/credentials.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace gw::kube {

struct ApiServer {
  SocketAddress address;
  std::string authority;         // Host: "kubernetes.default.svc:443"
  std::string path_prefix = {};  // before every target: "/k8s/clusters/c-1", without "/" at its end
};

struct ApiClientOptions {
  double requests_per_second = 20;
  double requests_burst = 30;
  // Requests that wait for their turn; those above it fail with kTooManyWaiting.
  size_t waiting_max = 1024;
  // From an attempt's first byte sent to the answer's last, or to the head of a watch, which the
  // server sends at once. Connecting is part of it.
  Duration answer_timeout = std::chrono::seconds(30);
  // Above these: kTooLarge, with an error that names the limit.
  size_t answer_bytes_max = 128 << 20;  // kube_answer_bytes: of a whole answer
  size_t line_bytes_max = 16 << 20;     // kube_line_bytes: of one line of a watch
  int retries_max = 5;                  // for Retry-After, of one request
  Duration retry_after_max = std::chrono::seconds(30);
};

struct ApiRequest {
  std::string method = "GET";
  std::string target;             // path and query, behind the prefix
  std::string content_type = {};  // empty: there is no body
  std::string body = {};
  bool may_repeat = false;  // sent twice it does what it does once; true for every GET
};

// Why there is no answer, or none that is whole.
enum class ApiFailure : uint8_t {
  kNone,
  kCredentials,     // "credentials": there are none, Credentials::Get says why
  kConnection,      // "connection": there is none, or it broke, or it speaks no HTTP
  kTimeout,         // "timeout": answer_timeout
  kSilent,          // "silent": a watch of which nothing came for its silence_max
  kCutLine,         // "cut_line": a watch that ended within a line
  kTooLarge,        // "too_large": answer_bytes_max, line_bytes_max
  kTooManyWaiting,  // "too_many_waiting": waiting_max
};
std::string_view NameOf(ApiFailure failure);

struct ApiAnswer {
  int status = 0;                          // 0: none came
  std::string body = {};                   // of a watch: of an answer other than 200
  ApiFailure failure = ApiFailure::kNone;  // whatever status and body hold then is a part
  std::string error = {};                  // of a failure, for people
  Duration retry_after{0};                 // what the server asks for; 0: nothing

  bool ok() const { return failure == ApiFailure::kNone && status >= 200 && status < 300; }
  // For messages: the failure, or the status with the message of the server's Status object.
  std::string Why() const;
};

// Receives a watch. After OnStreamEnd nothing more comes.
class LineHandler {
 public:
  virtual void OnStreamStart() = 0;  // the server has answered 200
  // Without its line feed, never empty; valid until this returns.
  virtual void OnLine(std::string_view line) = 0;
  // Status 200 and no failure: the server ended it in order.
  virtual void OnStreamEnd(const ApiAnswer& answer) = 0;

 protected:
  ~LineHandler() = default;
};

// A request under way or ended. Destroying it cancels it: its handler hears nothing more.
class ApiCall {
 public:
  virtual ~ApiCall() = default;
};

class ApiClient {
 public:
  using Done = std::function<void(const ApiAnswer&)>;

  // `loop` and `credentials` outlive it.
  ApiClient(EventLoop& loop, ApiServer server, Credentials& credentials,
            const ApiClientOptions& options = {});
  ~ApiClient();  // REQUIRES: all its ApiCalls are destroyed

  // `done` is called once.
  [[nodiscard]] std::unique_ptr<ApiCall> Send(ApiRequest request, Done done);
  // GET, answered by lines for as long as the server likes. A watch of which nothing comes for
  // `silence_max` is half-open: kSilent. `handler` outlives the call.
  [[nodiscard]] std::unique_ptr<ApiCall> Watch(std::string target, Duration silence_max,
                                               LineHandler* handler);

  EventLoop& loop() { return loop_; }
  const ApiServer& server() const { return server_; }
  // The server is at another address from now on: attempts that begin later go there.
  void SetAddress(const SocketAddress& address);

 private:
  friend class Call;

  // How long the next whole answer has to wait for its turn; nullopt: too many do.
  std::optional<Duration> TakeTurn();

  EventLoop& loop_;
  ApiServer server_;
  std::string address_;
  Credentials& credentials_;
  const ApiClientOptions options_;
  const ClientOptions client_options_;
  const std::string user_agent_;
  ClientPool pool_;
  TimePoint next_turn_{};  // when the bucket would be full but for what was taken of it
  size_t calls_ = 0;
};

}  // namespace gw::kube
