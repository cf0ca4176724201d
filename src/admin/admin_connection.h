// One connection to the admin port: requests in, one answer at a time out.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/admin_server.h"
#include "admin/feed_readers.h"
#include "http/h1_parser.h"
#include "net/event_loop.h"
#include "net/orderly_close.h"
#include "net/stream.h"

namespace gw::internal {

class AdminConnection final : private StreamObserver, private FeedReader {
 public:
  // What all connections of a server share. It outlives them.
  struct Shared {
    EventLoop& loop;
    const AdminServer::Handlers& handlers;
    const AdminServer::Limits& limits;
    const AdminGuard& guard;  // looked at with each request
    Feeds& feeds;
  };
  // `on_close` is called once, when the connection has ended, from inside one of its handlers: the
  // object must live until that has returned.
  AdminConnection(const Shared& shared, std::unique_ptr<Stream> stream,
                  std::function<void(AdminConnection*)> on_close);

  // True while a request, or the rest of one, is waited for.
  bool idle() const { return state_ == State::kReading; }
  // Finer than the loop's time, which connections that come together share.
  TimePoint idle_since() const { return idle_since_; }
  void Close();

 private:
  enum class State {
    kReading,    // waits for a request
    kAnswering,  // an answer is being written; what comes meanwhile stays in the socket
    kFeeding,    // reads a feed; what it sends is not looked at
    kClosing,    // the last answer is out
    kClosed,
  };

  void OnReadable() override;
  void OnWritable() override;
  bool has_sent() const override { return output_.empty() && message_ == nullptr; }
  void Send(const FeedMessage& message) override;

  void HandleInput();
  void HandleRequest(const http::RequestHead& head);
  void Answer(const AdminResponse& response, bool with_body, std::string_view allow = {});
  void AppendHead(const AdminResponse& response, bool has_length, std::string_view allow);
  void BeginFeed(const AdminResponse& response);
  void WaitForEnd();
  void Write();
  size_t WriteSome(IoState* state);
  void OnAnswerWritten();
  void OnMessageWritten();

  bool IsLetIn(const http::RequestHead& head, std::string_view path) const;
  AdminResponse Dispatch(const http::RequestHead& head, std::string_view* allow) const;
  const AdminHandler* FindHandler(std::string_view path) const;

  EventLoop& loop_;
  const Shared shared_;
  const AdminServer::Limits& limits_;
  std::function<void(AdminConnection*)> on_close_;
  std::unique_ptr<Stream> stream_;  // null once closed
  Timer timer_;
  http::RequestParser parser_;
  State state_ = State::kReading;
  TimePoint idle_since_;
  bool keep_alive_ = true;
  int minor_version_ = 1;
  bool head_begun_ = false;  // the timer counts for the head, no longer for the pause before it
  std::string input_;        // read, not parsed yet: at most one read
  std::string output_;
  FeedMessage message_;          // behind output_, as a chunk where the client speaks HTTP/1.1
  size_t output_sent_ = 0;       // of both
  FeedReaders* feed_ = nullptr;  // that is read
  std::optional<OrderlyClose> closing_;
};

}  // namespace gw::internal
