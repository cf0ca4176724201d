#include "kube/api_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/node.h"
#include "base/check.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/version.h"
#include "kube/api_call.h"
#include "kube/json_node.h"

namespace gw::kube {
namespace {

constexpr size_t kShownBodyBytes = 200;

// What bounds an answer's time is here: the pool's own limits are above any that is asked for.
ClientOptions PoolOptions() {
  ClientOptions options;
  options.response_timeout = std::chrono::hours(2);
  options.idle_timeout = std::chrono::hours(2);
  // API servers close idle connections after 90 s or more (net/http, IdleTimeout).
  options.keep_alive_timeout = std::chrono::seconds(60);
  options.idle_connections_max = 4;
  // A watch may be silent for long, and NAT forgets it: the peer is asked.
  options.tcp_keep_alive = std::chrono::seconds(30);
  return options;
}

void LogTrouble(const ClientTrouble& trouble) {
  Log(LogLevel::kWarning,
      trouble.kind == ClientTrouble::Kind::kHandshake
          ? "No TLS handshake with the API server"
          : "No connection to the API server, for want of something of the gateway's own",
      {{"address", trouble.address},
       {"error", trouble.error},
       {"times", static_cast<int64_t>(trouble.times)}});
}

Duration FromSeconds(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace

std::string_view NameOf(ApiFailure failure) {
  switch (failure) {
    case ApiFailure::kNone:
      return "none";
    case ApiFailure::kCredentials:
      return "credentials";
    case ApiFailure::kConnection:
      return "connection";
    case ApiFailure::kTimeout:
      return "timeout";
    case ApiFailure::kSilent:
      return "silent";
    case ApiFailure::kCutLine:
      return "cut_line";
    case ApiFailure::kTooLarge:
      return "too_large";
    case ApiFailure::kTooManyWaiting:
      return "too_many_waiting";
  }
  return "";
}

std::string ApiAnswer::Why() const {
  if (failure != ApiFailure::kNone) return fmt::format("{}: {}", NameOf(failure), error);
  std::string said = body.substr(0, kShownBodyBytes);
  if (const auto node = ParseJson(body); node.ok()) {
    const api::Node* message = node->Find("message");
    if (message != nullptr && message->kind == api::Node::Kind::kScalar) said = message->text;
  }
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.empty() ? fmt::format("status {}", status)
                      : fmt::format("status {}: {}", status, Printable(said));
}

ApiClient::ApiClient(EventLoop& loop, ApiServer server, Credentials& credentials,
                     const ApiClientOptions& options)
    : loop_(loop),
      server_(std::move(server)),
      address_(server_.address.ToString()),
      credentials_(credentials),
      options_(options),
      client_options_(PoolOptions()),
      user_agent_(fmt::format("penstock/{}", Version().version)),
      pool_(loop, client_options_, {.on_trouble = LogTrouble}) {
  CHECK(options_.requests_per_second > 0 && options_.requests_burst >= 1);
}

ApiClient::~ApiClient() { CHECK(calls_ == 0); }

void ApiClient::SetAddress(const SocketAddress& address) {
  server_.address = address;
  address_ = address.ToString();
}

// The generic cell rate algorithm: a request's turn is one interval behind that of the last, and it
// may come earlier by what a burst is long.
std::optional<Duration> ApiClient::TakeTurn() {
  const TimePoint now = loop_.now();
  const Duration interval = FromSeconds(1 / options_.requests_per_second);
  const Duration burst = FromSeconds((options_.requests_burst - 1) / options_.requests_per_second);
  const TimePoint turn = std::max(next_turn_, now);
  const Duration wait = std::max(turn - burst - now, Duration(0));
  if (wait > interval * static_cast<int64_t>(options_.waiting_max)) return std::nullopt;
  next_turn_ = turn + interval;
  return wait;
}

std::unique_ptr<ApiCall> ApiClient::Send(ApiRequest request, Done done) {
  return Call::Start(*this, std::move(request), {.done = std::move(done)});
}

std::unique_ptr<ApiCall> ApiClient::Watch(std::string target, Duration silence_max,
                                          LineHandler* handler) {
  return Call::Start(*this, {.target = std::move(target)},
                     {.lines = handler, .silence_max = silence_max});
}

}  // namespace gw::kube
