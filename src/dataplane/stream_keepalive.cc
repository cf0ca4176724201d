// Event streams that begin before their endpoint has said anything, for the load balancers with
// idle time-outs that stand before the gateway: a head of our own and a comment line at an
// interval. Tries can still be changed until the first real byte. What would have been another
// answer (an error, the gateway's or the model server's) is then the stream's last event.

#include <algorithm>

#include "dataplane/downstream.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {
namespace {

// A chunk with a comment, which readers of event streams skip.
constexpr std::string_view kComment = "e\r\n: keep-alive\n\n\r\n";
constexpr size_t kMisfitBytesMax = 4096;

}  // namespace

// True if the answer to the request in work may be begun before the endpoint's.
bool DownstreamConnection::StartKeepalive() {
  const std::optional<Duration> interval = StreamKeepaliveOf(exchange_);
  // Without chunked coding the end of such a stream could not be told from its being cut.
  if (!interval || parser_.head().minor_version == 0) return false;
  if (!keepalive_timer_.active()) keepalive_timer_.Start(*interval);
  return true;
}

// A head of our own, unless the endpoint's has come: then what it says is passed on as it is.
bool DownstreamConnection::BeginEarlyStream(std::string* head) {
  const bool other =
      upstream_status_ > 299 || (upstream_status_ != 0 && !exchange_.response().plain_stream());
  if (other) return false;
  early_head_ = true;
  status_ = 200;
  framing_ = DownstreamFraming::kChunked;
  response_keep_alive_ = keep_alive_ && !draining_;
  http::AppendStatusLine(head, 200);
  http::AppendHeader(head, "date", http::DateText(worker_.loop().clock().UnixNanos()));
  http::AppendHeader(head, "content-type", "text/event-stream; charset=utf-8");
  http::AppendHeader(head, "cache-control", "no-cache");
  http::AppendHeader(head, "x-request-id", exchange_.request_id());
  http::AppendHeader(head, "transfer-encoding", "chunked");
  if (!response_keep_alive_) http::AppendHeader(head, "connection", "close");
  http::AppendHeadEnd(head);
  return true;
}

// Nothing of the body was written for another interval.
void DownstreamConnection::OnKeepalive() {
  if (state_ != State::kWaiting) return;
  keepalive_timer_.Start(*StreamKeepaliveOf(exchange_));
  if (!out_.empty()) return;  // it does not take what it got before
  std::string bytes;
  if (response_head_sent_ && !early_head_) {
    const bool takes_comments = upstream_status_ < 300 && exchange_.response().plain_stream() &&
                                framing_ == DownstreamFraming::kChunked;
    if (!takes_comments) return;
  } else if (!early_head_ && !BeginEarlyStream(&bytes)) {
    return;
  }
  bytes += kComment;
  std::vector<iovec> parts{{bytes.data(), bytes.size()}};
  Send(&parts);
  if (state_ == State::kWaiting && !out_.empty()) WatchFor(worker_.options().client_write_timeout);
}

// True if what came is no event stream, though one has begun: its first bytes are kept, to be told.
bool DownstreamConnection::KeepMisfit() {
  if (!misfit_) return false;
  for (std::string_view piece : pieces_) {
    held_.append(piece.substr(0, kMisfitBytesMax - std::min(kMisfitBytesMax, held_.size())));
  }
  pieces_.clear();
  pieces_bytes_ = 0;
  return true;
}

void DownstreamConnection::EndEarlyStream(Outcome outcome, const std::string& event) {
  CancelHalves();
  EndUnfinished(outcome, event);
  ContinueInput();
}

}  // namespace gw
