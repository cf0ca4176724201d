// An HTTP client on the loop of the test, for the tests of simulated replicas.

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h1_parser.h"
#include "net/awkward_stream.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "sim/server/text.h"

namespace gw::sim {

// Runs the loop until `condition` holds. The deadline only keeps a broken test from hanging.
inline void RunLoopUntil(EventLoop& loop, const std::function<bool()>& condition) {
  const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
  while (!condition()) {
    ASSERT_LT(RealClock().Now(), deadline) << "the condition was not met in time";
    loop.RunOnce(std::chrono::milliseconds(20));
  }
}

// The data of the events in `body` from byte `*from` on, as far as they are whole.
inline void TakeEvents(std::string_view body, size_t* from, std::vector<std::string>* events) {
  constexpr std::string_view kData = "data: ";
  for (size_t end; (end = body.find("\n\n", *from)) != std::string_view::npos; *from = end + 2) {
    const std::string_view event = body.substr(*from, end - *from);
    const size_t data = event.find(kData);  // behind it no other field
    if (data != std::string_view::npos) events->emplace_back(event.substr(data + kData.size()));
  }
}

// An HTTP client: one connection, answers in order.
class TestClient final : private StreamObserver {
 public:
  TestClient(EventLoop& loop, const SocketAddress& address) : loop_(loop) {
    connector_ = Connector::New(loop, address, std::chrono::seconds(5), [this](auto stream) {
      if (!stream.ok()) {
        refused_ = true;
        return;
      }
      stream_ = *std::move(stream);
      AwkwardStream::MakePlain(*stream_);
      stream_->set_observer(this);
    });
    RunLoopUntil(loop_, [this] { return refused_ || stream_ != nullptr; });
  }

  TestClient(const TestClient&) = delete;

  bool refused() const { return refused_; }
  Stream& stream() { return *stream_; }
  void Close() { stream_.reset(); }

  void Send(std::string_view text) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    ASSERT_EQ(stream_->Write({&part, 1}).state, IoState::kOk);
  }
  void Send(std::string_view method, std::string_view path, std::string_view body = {},
            std::string_view headers = {}) {
    std::string text = Concat({method, " ", path, " HTTP/1.1\r\nhost: sim\r\n", headers});
    if (!body.empty() || method == "POST") {
      Append(&text,
             {"content-type: application/json\r\ncontent-length: ", Digits(body.size()), "\r\n"});
    }
    Append(&text, {"\r\n", body});
    Send(text);
  }

  // Waits for what is asked, which may be there already.
  void WaitForHead() {
    RunLoopUntil(loop_, [this] { return head_done || ended; });
  }
  void WaitForEnd() {
    RunLoopUntil(loop_, [this] { return message_done || ended; });
  }
  void WaitForClose() {
    RunLoopUntil(loop_, [this] { return ended; });
  }
  void WaitForEvents(size_t count) {
    RunLoopUntil(loop_, [this, count] { return events.size() >= count || ended; });
  }
  // Ready for the next answer of the connection.
  void NextAnswer() {
    parser_.Reset(false);
    events_read_ = 0;
    head_done = message_done = false;
    status = 0;
    headers.clear();
    body.clear();
    events.clear();
  }
  std::string Get(std::string_view path) {
    Send("GET", path);
    WaitForEnd();
    std::string result = body;
    NextAnswer();
    return result;
  }
  std::string Header(std::string_view name) const {
    for (const auto& [field, value] : headers) {
      if (field == name) return value;
    }
    return "";
  }

  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<std::string> events;  // of an event stream
  bool head_done = false;
  bool message_done = false;
  bool ended = false;  // the connection
  bool reset = false;  // by the other side
  bool malformed = false;

 private:
  void OnReadable() override {
    for (;;) {
      const IoResult read = stream_->Read(loop_.scratch());
      if (read.state == IoState::kWouldBlock) return;
      if (read.state != IoState::kOk) {
        ended = true;
        reset = read.state == IoState::kError;
        return;
      }
      Parse({loop_.scratch().data(), read.bytes});
    }
  }
  void OnWritable() override {}

  void Parse(std::string_view in) {
    while (!message_done && !malformed) {
      const http::H1Step step = parser_.Next(in);
      in.remove_prefix(step.consumed);
      switch (step.event) {
        case http::H1Event::kNeedMore:
          return;
        case http::H1Event::kHead:
          head_done = true;
          status = parser_.head().status;
          for (const http::HeaderField& field : parser_.head().headers) {
            headers.emplace_back(field.name, field.value);
          }
          break;
        case http::H1Event::kBody:
          body.append(step.body);
          TakeEvents(body, &events_read_, &events);
          break;
        case http::H1Event::kEnd:
          message_done = true;
          break;
        case http::H1Event::kError:
          malformed = true;
          break;
      }
    }
  }

  EventLoop& loop_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Stream> stream_;
  http::ResponseParser parser_;
  size_t events_read_ = 0;  // bytes of body
  bool refused_ = false;
};

}  // namespace gw::sim
