// One HTTP/1.1 connection of a simulated replica: requests in, one answer at a time out, in the
// manner of uvicorn: the end of the client's side, also half a close, ends what is in flight.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/h1_parser.h"
#include "net/event_loop.h"
#include "net/orderly_close.h"
#include "net/stream.h"
#include "sim/server/answer.h"
#include "sim/server/options.h"

namespace gw::sim {

class Connection;

// What a connection belongs to.
class ConnectionOwner {
 public:
  // A whole request has come. It is answered, now or later, with one of the calls of Connection.
  // `body` has RequestBodyReader::kPadding readable bytes behind it and may be taken.
  virtual void OnRequest(Connection* connection, const http::RequestHead& head,
                         std::string* body) = 0;
  // The connection is over; it had a request in flight if connection->generation() is not 0. It is
  // destroyed later, by its owner.
  virtual void OnClosed(Connection* connection) = 0;
  // "date: ...\r\nserver: uvicorn\r\n", made once a second.
  virtual std::string_view CommonHeaders() = 0;
  // "x-sim-replica: ...\r\n"
  virtual std::string_view ReplicaHeader() = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : public EventSink, private StreamObserver {
 public:
  Connection(EventLoop& loop, ConnectionOwner& owner, const SimOptions& options, uint64_t serial,
             std::unique_ptr<Stream> stream);

  uint64_t serial() const { return serial_; }
  bool closed() const { return state_ == State::kClosed; }
  // No request is being read or answered.
  bool idle() const { return state_ == State::kReading && !in_request_; }
  // The inference request that is being answered, 0 if none; kept here for the owner.
  uint64_t generation() const { return generation_; }
  void set_generation(uint64_t id) { generation_ = id; }
  // Set while a change of faults is being answered: such a connection outlives the fault.
  bool control() const { return control_; }
  void set_control(bool control) { control_ = control; }
  // The value of x-request-id in answers; taken from the request or made up by the owner.
  std::string_view request_id() const { return request_id_; }
  void set_request_id(std::string_view id) { request_id_.assign(id); }

  // Whole answers. `extra` are header lines with their CRLF.
  void Respond(int status, std::string_view content_type, std::string_view body,
               std::string_view extra = {});
  // The head of an event stream goes out at once; events wait for Flush.
  void BeginStream();
  bool stream_begun() const { return stream_begun_; }
  void Event(std::string_view event) override;
  void EndStream();
  void Flush();
  // Sends the head of an answer of `body_bytes` bytes and leaves it at that.
  void SendHeadOnly(size_t body_bytes);
  // Answers after a while: calls OnRequest again for the same request, with delayed() true.
  void Delay(Duration by);
  bool delayed() const { return delayed_; }

  // The connection ends when what was written is out: with the answer that is being sent, or at
  // once.
  void CloseWhenDone();
  enum class Manner { kOrderly, kReset };
  void Close(Manner manner);

 private:
  enum class State : uint8_t {
    kReading,  // waits for a request or reads one
    kBusy,     // a request is being answered
    kClosing,  // the last answer is out
    kClosed,
  };

  void OnReadable() override;
  void OnWritable() override;

  void Consume(std::string_view in);
  bool OnHead();
  void OnRequestEnd(std::string_view rest);
  void BadRequest();
  void AppendHead(int status, std::string_view content_type, std::string_view extra);
  void FinishAnswer();
  void OnTimer();
  void CloseInOrder();

  EventLoop& loop_;
  ConnectionOwner& owner_;
  const SimOptions& options_;
  const uint64_t serial_;
  std::unique_ptr<Stream> stream_;
  std::optional<OrderlyClose> closing_;
  Timer timer_;
  http::RequestParser parser_;
  State state_ = State::kReading;
  bool in_request_ = false;
  bool keep_alive_ = true;
  bool chunked_ = true;  // of the stream being written; not to an HTTP/1.0 client
  bool stream_begun_ = false;
  bool write_blocked_ = false;
  bool close_when_written_ = false;
  bool delayed_ = false;
  bool control_ = false;
  bool reads_paused_ = false;
  uint64_t generation_ = 0;
  std::string request_id_;
  std::string body_;
  std::string input_;  // pipelined
  std::string out_;
  size_t out_sent_ = 0;
};

}  // namespace gw::sim
