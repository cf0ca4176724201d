#include "peers/connection.h"

#include <utility>

namespace gw::peers {

Connection::Connection(EventLoop& loop, uint64_t number, std::unique_ptr<Stream> stream,
                       Dialler* dialler, const Greeting& own, Events events)
    : number_(number),
      events_(std::move(events)),
      is_dialled_(dialler != nullptr),
      began_(loop.now()),
      dialler_(dialler),
      link_(std::move(stream), {[this](const Message& message) { return OnMessage(message); },
                                [this](const absl::Status& why) {
                                  timer_.Stop();
                                  events_.on_end(*this, why);
                                }}),
      timer_(loop, [this] {
        link_.Close("no greeting came");
        events_.on_end(*this, absl::DeadlineExceededError("no greeting came"));
      }) {
  timer_.Start(kGreetingTimeout);
  std::string greeting;
  WriteGreeting(own, &greeting);
  link_.Send(greeting);
}

absl::Status Connection::OnMessage(const Message& message) {
  if (greeted_) {
    if (message.kind == Kind::kHello) return absl::InvalidArgumentError("a second greeting");
    return events_.on_message(*this, message);
  }
  if (message.kind == Kind::kBye) return absl::UnavailableError(std::string(message.payload));
  if (message.kind != Kind::kHello) return absl::InvalidArgumentError("no greeting");
  if (const absl::Status status = ReadGreeting(message.payload, &greeting_); !status.ok()) {
    return status;
  }
  greeted_ = true;
  timer_.Stop();
  return events_.on_greeting(*this, greeting_);
}

uint64_t Connection::TakeReceivedBytes() {
  const uint64_t fresh = link_.received_bytes() - taken_bytes_;
  taken_bytes_ += fresh;
  return fresh;
}

void Connection::Close(std::string_view reason) {
  timer_.Stop();
  link_.Close(reason);
}

}  // namespace gw::peers
