#include "sim/server/connection.h"

#include <utility>

#include "base/check.h"
#include "http/h1_writer.h"
#include "sim/server/request_body.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

constexpr Duration kLingerTime = std::chrono::seconds(2);
// Reads in one round before other connections have their turn.
constexpr int kReadsPerRound = 8;
constexpr size_t kKeptBufferBytes = 1 << 20;

}  // namespace

Connection::Connection(EventLoop& loop, ConnectionOwner& owner, const SimOptions& options,
                       uint64_t serial, std::unique_ptr<Stream> stream)
    : loop_(loop),
      owner_(owner),
      options_(options),
      serial_(serial),
      stream_(std::move(stream)),
      timer_(loop, [this] { OnTimer(); }) {
  stream_->set_observer(this);
}

void Connection::OnReadable() {
  for (int i = 0; i < kReadsPerRound; ++i) {
    if (state_ == State::kReading && !input_.empty()) {
      std::string pipelined = std::move(input_);
      input_.clear();
      Consume(pipelined);
      if (stream_ == nullptr) return;
    }
    if (state_ == State::kBusy) {
      // Whoever closes or half-closes wants nothing more, even if unread bytes stand before the
      // end.
      if (stream_->peer_gone()) return Close(Manner::kOrderly);
      if (input_.size() > options_.pipelined_bytes_max) {
        reads_paused_ = true;
        return;
      }
    }
    const IoResult read = stream_->Read(loop_.scratch());
    if (read.state == IoState::kWouldBlock) return;
    if (read.state != IoState::kOk) return Close(Manner::kOrderly);
    const std::string_view in(loop_.scratch().data(), read.bytes);
    if (state_ == State::kReading) {
      Consume(in);
      if (stream_ == nullptr) return;
    } else if (state_ == State::kBusy) {
      input_.append(in);
    }
  }
  stream_->ReadAgainLater();
}

void Connection::Consume(std::string_view in) {
  while (state_ == State::kReading) {
    const http::H1Step step = parser_.Next(in);
    in.remove_prefix(step.consumed);
    switch (step.event) {
      case http::H1Event::kNeedMore:
        if (parser_.in_head() && !in_request_) {
          in_request_ = true;
          timer_.Stop();
        }
        return;
      case http::H1Event::kHead:
        in_request_ = true;
        timer_.Stop();
        if (!OnHead()) return;
        break;
      case http::H1Event::kBody:
        if (body_.size() + step.body.size() > options_.request_body_bytes_max) {
          keep_alive_ = false;
          state_ = State::kBusy;
          return Respond(413, "text/plain; charset=utf-8", "Request body too large");
        }
        body_.append(step.body);
        break;
      case http::H1Event::kEnd:
        OnRequestEnd(in);
        if (state_ != State::kReading) return;
        break;
      case http::H1Event::kError:
        return BadRequest();
    }
  }
  if (state_ == State::kBusy) input_.append(in);
}

// False if the request was answered without its body.
bool Connection::OnHead() {
  const http::RequestHead& head = parser_.head();
  keep_alive_ = head.keep_alive;
  body_.clear();
  if (head.framing == http::BodyFraming::kLength) {
    if (head.content_length > options_.request_body_bytes_max) {
      keep_alive_ = false;
      state_ = State::kBusy;
      Respond(413, "text/plain; charset=utf-8", "Request body too large");
      return false;
    }
    body_.reserve(head.content_length + RequestBodyReader::kPadding);
  }
  if (head.expect_continue) {
    out_.append("HTTP/1.1 100 Continue\r\n\r\n");
    Flush();
  }
  return state_ == State::kReading;
}

void Connection::OnRequestEnd(std::string_view rest) {
  state_ = State::kBusy;
  body_.reserve(body_.size() + RequestBodyReader::kPadding);
  request_id_.clear();
  delayed_ = false;
  owner_.OnRequest(this, parser_.head(), &body_);
  if (state_ == State::kBusy) input_.append(rest);
}

void Connection::BadRequest() {
  keep_alive_ = false;
  state_ = State::kBusy;
  Append(&out_, {"HTTP/1.1 400 Bad Request\r\n", owner_.CommonHeaders(),
                 "content-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\n"
                 "connection: close\r\n\r\nInvalid HTTP request received."});
  FinishAnswer();
  Flush();
}

void Connection::AppendHead(int status, std::string_view content_type, std::string_view extra) {
  http::AppendStatusLine(&out_, status);
  Append(&out_, {owner_.CommonHeaders(), extra});
  if (!content_type.empty()) Append(&out_, {"content-type: ", content_type, "\r\n"});
  out_.append("vary: Origin\r\n");
  if (!request_id_.empty()) Append(&out_, {"x-request-id: ", request_id_, "\r\n"});
  out_.append(owner_.ReplicaHeader());
  if (!keep_alive_) {
    out_.append("connection: close\r\n");
  } else if (parser_.head().minor_version == 0) {
    out_.append("connection: keep-alive\r\n");
  }
}

void Connection::Respond(int status, std::string_view content_type, std::string_view body,
                         std::string_view extra) {
  CHECK(state_ == State::kBusy);
  AppendHead(status, content_type,
             Concat({extra, "content-length: ", Digits(body.size()), "\r\n"}));
  out_.append("\r\n");
  if (parser_.head().method != "HEAD") out_.append(body);
  FinishAnswer();
  Flush();
}

void Connection::SendHeadOnly(size_t body_bytes) {
  CHECK(state_ == State::kBusy);
  AppendHead(200, "application/json", Concat({"content-length: ", Digits(body_bytes), "\r\n"}));
  out_.append("\r\n");
  Flush();
}

void Connection::BeginStream() {
  CHECK(state_ == State::kBusy);
  chunked_ = parser_.head().minor_version > 0;
  if (!chunked_) keep_alive_ = false;
  stream_begun_ = true;
  AppendHead(200, "text/event-stream; charset=utf-8", {});
  out_.append(chunked_ ? "transfer-encoding: chunked\r\n\r\n" : "\r\n");
  Flush();
}

void Connection::Event(std::string_view event) {
  if (state_ != State::kBusy) return;
  if (!chunked_) {
    out_.append(event);
    return;
  }
  char size[20];
  Append(&out_, {{size, http::FormatChunkSize(event.size(), size)}, event, "\r\n"});
}

void Connection::EndStream() {
  if (state_ != State::kBusy) return;
  if (chunked_) out_.append(http::kLastChunk);
  FinishAnswer();
}

// Everything of the answer is in out_.
void Connection::FinishAnswer() {
  generation_ = 0;
  stream_begun_ = false;
  in_request_ = false;
  if (body_.capacity() > kKeptBufferBytes) std::string().swap(body_);
  if (!keep_alive_) {
    close_when_written_ = true;
    return;
  }
  parser_.Reset();
  state_ = State::kReading;
  timer_.Start(options_.keep_alive);
  if (!input_.empty() || reads_paused_) {
    reads_paused_ = false;
    stream_->ReadAgainLater();
  }
}

void Connection::Flush() {
  if (state_ == State::kClosed || write_blocked_) {
    if (out_.size() - out_sent_ > options_.unsent_bytes_max) Close(Manner::kReset);
    return;
  }
  if (out_sent_ < out_.size()) {
    const iovec part{out_.data() + out_sent_, out_.size() - out_sent_};
    const IoResult write = stream_->Write({&part, 1});
    out_sent_ += write.bytes;
    if (write.state == IoState::kWouldBlock) {
      write_blocked_ = true;
      return;
    }
    if (write.state != IoState::kOk) return Close(Manner::kReset);
    out_.clear();
    out_sent_ = 0;
    if (out_.capacity() > kKeptBufferBytes) out_.shrink_to_fit();
  }
  if (close_when_written_) CloseInOrder();
}

void Connection::OnWritable() {
  write_blocked_ = false;
  Flush();
}

void Connection::Delay(Duration by) {
  delayed_ = true;
  timer_.Start(by);
}

void Connection::OnTimer() {
  if (state_ == State::kBusy && delayed_) return owner_.OnRequest(this, parser_.head(), &body_);
  // A slow reader may still be busy with the answer before.
  if (state_ == State::kReading && !out_.empty()) return timer_.Start(options_.keep_alive);
  Close(Manner::kOrderly);
}

void Connection::CloseWhenDone() {
  keep_alive_ = false;
  if (state_ == State::kReading && !in_request_) {
    close_when_written_ = true;
    Flush();
  }
}

void Connection::CloseInOrder() {
  state_ = State::kClosing;
  close_when_written_ = false;
  timer_.Stop();
  closing_.emplace(loop_, std::move(stream_), OrderlyClose::Limits{kLingerTime, SIZE_MAX},
                   [this](OrderlyClose::End) { Close(Manner::kOrderly); });
}

void Connection::Close(Manner manner) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.Stop();
  if (manner == Manner::kReset && stream_ != nullptr) stream_->ResetOnClose();
  stream_.reset();
  closing_.reset();
  owner_.OnClosed(this);
}

}  // namespace gw::sim
