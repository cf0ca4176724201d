// A small API server on the test's own loop: one resource, over HTTP/1.1 with or without TLS, and
// whatever faults a test wants.

#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "http/url.h"
#include "kube/test_api_connection.h"
#include "kube/test_api_store.h"
#include "net/tls_test_util.h"

namespace gw::kube {

class TestApiServer {
 public:
  using Request = TestApiRequest;
  using Connection = TestApiConnection;

  explicit TestApiServer(EventLoop& loop) : loop_(loop) { Start(); }

  void Start() {
    auto made = Listener::New(loop_, address_ ? *address_ : *SocketAddress::FromIp("127.0.0.1", 0),
                              {}, [this](std::unique_ptr<Stream> s) { Accept(std::move(s)); });
    CHECK(made.ok());
    listener_ = *std::move(made);
    address_ = listener_->local();
  }
  // Nobody listens any more, and all connections break.
  void Stop() {
    listener_.reset();
    shaking_.clear();
    connections_.clear();
  }
  const SocketAddress& address() const { return *address_; }

  // The next request whose target holds `part` is answered by these bytes; one after the other.
  void Script(std::string part, std::string bytes) {
    script_.emplace_back(std::move(part), std::move(bytes));
  }
  static std::string Answer(int status, const std::string& body, const std::string& fields = "") {
    return absl::StrCat("HTTP/1.1 ", status, " X\r\ncontent-length: ", body.size(), "\r\n", fields,
                        "\r\n", body);
  }
  static std::string Status(int code, const std::string& fields = "") {
    return Answer(code, TestApiStore::StatusObject(code, absl::StrCat("says ", code)), fields);
  }
  bool scripted() const { return !script_.empty(); }

  void Put(const std::string& name, const std::string& value) { Tell(store.Put(name, value).line); }
  void Delete(const std::string& name) { Tell(store.Delete(name).line); }
  void Tell(const std::string& line) { TellRaw(line + "\n"); }
  // A chunk of all watches, whole lines or not.
  void TellRaw(std::string_view text) {
    for (auto& [id, connection] : connections_) {
      if (connection->watches && !connection->mute) connection->WriteChunk(text);
    }
  }
  // The watches there are say nothing from here on, and stay open.
  void Mute() {
    for (auto& [id, connection] : connections_) connection->mute = true;
  }
  void EndWatches() {
    for (auto& [id, connection] : connections_) {
      if (!std::exchange(connection->watches, false)) continue;
      connection->mute = false;
      connection->Write("0\r\n\r\n");
    }
  }
  void CloseConnections() { connections_.clear(); }
  size_t watches() const {
    size_t count = 0;
    for (const auto& [id, connection] : connections_) count += connection->watches ? 1 : 0;
    return count;
  }
  size_t CountOf(std::string_view part) const {
    size_t count = 0;
    for (const Request& request : requests) count += request.Has(part) ? 1 : 0;
    return count;
  }

  TestApiStore store;
  std::string path = "/api/v1/pods";
  bool installed = true;
  bool forbidden = false;
  bool hang = false;  // answers nothing
  // Asked before the resource's own path, behind the script: the bytes of the answer, which may be
  // none, or nullopt for what is not its to answer.
  std::function<std::optional<std::string>(const Request&)> handler;
  // What becomes of sendInitialEvents.
  enum class WatchList { kServed, kRefused, kIgnored } watch_list = WatchList::kServed;
  bool expired_by_http = false;  // a version that is too old: 410 instead of 200 and an ERROR
  std::shared_ptr<const ServerTls> tls;
  std::vector<Request> requests;
  int connections = 0;

 private:
  void Accept(std::unique_ptr<Stream> stream) {
    if (tls == nullptr) return Add(std::move(stream));
    const auto place = shaking_.insert(shaking_.end(), nullptr);
    *place = handshakes_->Accept(std::move(stream), tls, std::chrono::seconds(20),
                                 [this](TlsHandshake::Result result) {
                                   if (result.stream != nullptr) Add(std::move(result.stream));
                                 });
  }
  void Add(std::unique_ptr<Stream> stream) {
    const int id = ++connections;
    connections_[id] = std::make_unique<Connection>(
        loop_, std::move(stream),
        [this](Connection& to, const Request& request) {
          requests.push_back(request);
          Serve(to, request);
        },
        [this, id] { Drop(id); });
  }
  void Drop(int id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    loop_.FreeLater(std::move(found->second));
    connections_.erase(found);
  }
  void Serve(Connection& to, const Request& request) {
    if (hang) return;
    if (!script_.empty() && request.Has(script_.front().first)) {
      const std::string bytes = std::move(script_.front().second);
      script_.pop_front();
      return to.Write(bytes);
    }
    if (const auto bytes = handler ? handler(request) : std::nullopt) return to.Write(*bytes);
    const auto target = http::ParseTarget(request.target);
    CHECK(target.has_value());
    if (!installed || target->path != path) return to.Write(Answer(404, "404 page not found\n"));
    if (forbidden) return to.Write(Status(403));
    const auto param = [&](std::string_view name) {
      return http::QueryParam(target->query, name).value_or("");
    };
    if (param("watch") == "true") return BeginWatch(to, param);
    size_t limit = 0;
    CHECK(absl::SimpleAtoi(param("limit"), &limit));
    const std::string list = store.List(limit, param("continue"));
    to.Write(list.empty() ? Status(410) : Answer(200, list));
  }
  void BeginWatch(Connection& to, const std::function<std::string(std::string_view)>& param) {
    const bool initial = param("sendInitialEvents") == "true";
    if (initial && watch_list == WatchList::kRefused) return to.Write(Status(422));
    const int version = TestApiStore::VersionOf(param("resourceVersion"));
    const bool expired = !initial && store.IsTooOld(version);
    if (expired && expired_by_http) return to.Write(Status(410));
    if (!initial && store.IsOfTheFuture(version)) return to.Write(Status(504));
    to.watches = true;
    to.Write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    std::vector<std::string> lines =
        initial ? store.InitialLines(watch_list == WatchList::kServed) : store.LinesAfter(version);
    if (expired) lines = {TestApiStore::Line("ERROR", TestApiStore::StatusObject(410, "too old"))};
    for (const std::string& line : lines) to.WriteChunk(line + "\n");
  }

  EventLoop& loop_;
  std::optional<SocketAddress> address_;
  std::unique_ptr<Listener> listener_;
  const std::unique_ptr<TlsHandshakes> handshakes_ = TlsHandshakes::New(loop_);
  std::list<std::unique_ptr<TlsHandshake>> shaking_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  std::deque<std::pair<std::string, std::string>> script_;
};

}  // namespace gw::kube
