// One connection of the tests' API server: requests in, whole ones, and bytes out.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "http/h1_parser.h"
#include "net/stream.h"

namespace gw::kube {

struct TestApiRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> fields;  // names as they are sent
  std::string body;
  TimePoint at;

  bool Has(std::string_view part) const { return target.find(part) != std::string::npos; }
};

class TestApiConnection final : private StreamObserver {
 public:
  // `on_gone` destroys it, later.
  TestApiConnection(EventLoop& loop, std::unique_ptr<Stream> stream,
                    std::function<void(TestApiConnection&, const TestApiRequest&)> on_request,
                    std::function<void()> on_gone)
      : loop_(loop),
        stream_(std::move(stream)),
        on_request_(std::move(on_request)),
        on_gone_(std::move(on_gone)) {
    stream_->set_observer(this);
  }

  void Write(std::string_view more) {
    unsent_ += more;
    const iovec part{unsent_.data(), unsent_.size()};
    unsent_.erase(0, stream_->Write({&part, 1}).bytes);
  }
  void WriteChunk(std::string_view text) {
    Write(absl::StrCat(absl::Hex(text.size()), "\r\n", std::string(text), "\r\n"));
  }

  bool watches = false;  // what it answers has no end yet
  bool mute = false;

 private:
  void OnReadable() override {
    for (;;) {
      const std::span<char> scratch = loop_.scratch();
      const IoResult read = stream_->Read(scratch);
      if (read.state == IoState::kWouldBlock) return;
      if (read.state != IoState::kOk) return on_gone_();
      std::string_view in(scratch.data(), read.bytes);
      for (http::H1Step step = parser_.Next(in); step.event != http::H1Event::kNeedMore;
           step = parser_.Next(in)) {
        CHECK(step.event != http::H1Event::kError);
        in.remove_prefix(step.consumed);
        body_ += step.body;
        if (step.event == http::H1Event::kEnd) TakeRequest();
      }
    }
  }
  void OnWritable() override { Write(""); }

  void TakeRequest() {
    TestApiRequest request{std::string(parser_.head().method),
                           std::string(parser_.head().target),
                           {},
                           std::exchange(body_, {}),
                           loop_.now()};
    for (const http::HeaderField& field : parser_.head().headers) {
      request.fields.emplace(field.name, field.value);
    }
    parser_.Reset();
    on_request_(*this, request);
  }

  EventLoop& loop_;
  const std::unique_ptr<Stream> stream_;
  const std::function<void(TestApiConnection&, const TestApiRequest&)> on_request_;
  const std::function<void()> on_gone_;
  http::RequestParser parser_;
  std::string body_;
  std::string unsent_;
};

}  // namespace gw::kube
