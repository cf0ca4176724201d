// The pump of DownstreamConnection: from the endpoint's response to the client's socket.

#include "dataplane/downstream.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {

void DownstreamConnection::OnResponseHead(const http::ResponseHead& head) {
  const Step step = exchange_.OnResponseHead(head, worker_.loop().now());
  if (step.kind != Step::Kind::kContinue) {
    ActOnHalf(step);
    return;
  }
  // A refused decode half is the end of its prefill half.
  if (head.status >= 400 && prefill_ != nullptr) prefill_->Cancel();
  upstream_status_ = head.status;
  if (early_head_) {
    misfit_ = head.status > 299 || !exchange_.response().plain_stream();
    return;
  }
  response_keep_alive_ = keep_alive_ && !draining_;
  const ForwardedResponse response{exchange_.request_id(), parser_.head().method == "HEAD",
                                   parser_.head().minor_version == 0, response_keep_alive_,
                                   exchange_.response().filtered()};
  // Held back until the first byte of the body: until then another endpoint may still be tried.
  framing_ = WriteDownstreamHead(head, response, &response_head_);
  // Nobody else can be asked: then the client need not wait to see that its stream has begun.
  if (exchange_.response().event_stream() && framing_ != DownstreamFraming::kNoBody &&
      !exchange_.may_try_again()) {
    FlushPieces(false);
  }
}

void DownstreamConnection::OnResponseBody(std::string_view piece) {
  exchange_.OnResponseBody(piece, worker_.loop().now());
  if (framing_ == DownstreamFraming::kNoBody) return;
  pieces_.push_back(piece);
  pieces_bytes_ += piece.size();
}

void DownstreamConnection::OnResponseFlush() {
  if (!KeepMisfit() && !HoldPieces()) FlushPieces(false);
}

void DownstreamConnection::OnResponseEnd() {
  upstream_ = nullptr;
  exchange_.OnResponseEnd(worker_.loop().now());
  if (KeepMisfit()) {
    EndEarlyStream(Outcome::kErrorEvent, EarlyErrorEvent(exchange_, upstream_status_, held_));
    return;
  }
  if (HoldPieces()) {
    if (!exchange_.holds_response()) return;          // another pair is at work
    exchange_.ReleaseResponse(worker_.loop().now());  // an answer without output
  }
  EndResponse(framing_ != DownstreamFraming::kToClose);
}

// `delimited`: the client can tell that the message has ended without the end of the connection.
void DownstreamConnection::EndResponse(bool delimited) {
  FlushPieces(true);
  if (state_ == State::kClosed) return;
  FinishExchange(exchange_.OutcomeOfEnd());
  AfterResponse(response_keep_alive_ && delimited);
  ContinueInput();
}

void DownstreamConnection::OnResponseFailed(const ClientError& error) {
  const TimePoint now = worker_.loop().now();
  upstream_ = nullptr;
  CancelHalves();
  if (response_head_sent_ || exchange_.response().saw_last_event()) {
    if (exchange_.OnStreamBroken(now)) exchange_.ReleaseResponse(now);
    BreakOff(Outcome::kUpstreamBroke, error.failure == ClientFailure::kTimeout
                                          ? Rejection::kTimeout
                                          : Rejection::kConnectFailed);
    return;
  }
  DropResponse();
  Act(exchange_.OnTryFailed(TryFailureOf(error.failure), error.sent_whole, now));
  ContinueInput();
}

// Ends a response that cannot be completed: an event stream says what happened, and the connection
// is closed without the end of the message, so that nobody takes it for complete.
void DownstreamConnection::BreakOff(Outcome outcome, Rejection rejection) {
  if (exchange_.response().saw_last_event()) {
    // Nothing is missing but the end of the message, which only a chunked one can still get.
    EndResponse(framing_ == DownstreamFraming::kChunked);
    return;
  }
  const bool fits =
      framing_ != DownstreamFraming::kNoBody && framing_ != DownstreamFraming::kLength;
  EndUnfinished(outcome, fits ? exchange_.ErrorEventFor(rejection) : "");
}

void DownstreamConnection::EndUnfinished(Outcome outcome, std::string_view event) {
  if (!event.empty()) {
    char size_line[20];
    std::vector<iovec> parts;
    if (framing_ == DownstreamFraming::kChunked) {
      parts.push_back({size_line, http::FormatChunkSize(event.size(), size_line)});
    }
    parts.push_back({const_cast<char*>(event.data()), event.size()});
    if (framing_ == DownstreamFraming::kChunked) {
      parts.push_back({const_cast<char*>("\r\n"), 2});
    }
    Send(&parts);
    if (state_ == State::kClosed) return;
  }
  FinishExchange(outcome);
  // Without a length the end of the connection is the end of the message: only a reset says
  // otherwise.
  if (framing_ == DownstreamFraming::kToClose) {
    stream_->ResetOnClose();
    pipelined_.clear();
  }
  CloseWhenWritten();
}

void DownstreamConnection::FlushPieces(bool last) {
  const bool chunked = framing_ == DownstreamFraming::kChunked;
  std::vector<iovec>& parts = worker_.parts();
  parts.clear();
  auto add = [&parts](std::string_view bytes) {
    parts.push_back({const_cast<char*>(bytes.data()), bytes.size()});
  };
  if (!response_head_sent_) {
    response_head_sent_ = true;
    if (!early_head_) {
      status_ = upstream_status_;
      add(response_head_);
    }
  }
  if (!held_.empty()) {
    pieces_.insert(pieces_.begin(), held_);
    pieces_bytes_ += held_.size();
  }
  if (exchange_.response().filtered()) {
    exchange_.FilterResponse(&pieces_, last);
    pieces_bytes_ = 0;
    for (std::string_view piece : pieces_) pieces_bytes_ += piece.size();
  }
  char size_line[20];
  if (pieces_bytes_ > 0) {
    if (keepalive_timer_.active()) keepalive_timer_.Stop();
    if (chunked) add({size_line, http::FormatChunkSize(pieces_bytes_, size_line)});
    for (std::string_view piece : pieces_) add(piece);
    if (chunked) add(last ? "\r\n0\r\n\r\n" : "\r\n");
  } else if (chunked && last) {
    add(http::kLastChunk);
  }
  pieces_.clear();
  pieces_bytes_ = 0;
  if (!parts.empty()) Send(&parts);
  held_.clear();
  share_.Set(HeldNow());
  if (state_ != State::kClosed && !out_.empty() && upstream_ != nullptr) {
    upstream_->Pause();
    WatchFor(worker_.options().client_write_timeout);
  }
}

void DownstreamConnection::Send(std::vector<iovec>* parts) {
  size_t skip = 0;
  if (out_.empty()) {
    const IoResult result = stream_->Write(*parts);
    if (result.state == IoState::kOk) return;
    if (result.state == IoState::kError) {
      OnClientGone();
      return;
    }
    skip = result.bytes;
  }
  for (const iovec& part : *parts) {
    if (skip >= part.iov_len) {
      skip -= part.iov_len;
      continue;
    }
    out_.append(static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    skip = 0;
  }
  share_.Set(HeldNow());
}

void DownstreamConnection::OnWritable() {
  if (state_ == State::kClosed || out_.empty()) return;
  iovec part{out_.data(), out_.size()};
  const IoResult result = stream_->Write({&part, 1});
  if (result.state == IoState::kError) {
    OnClientGone();
    return;
  }
  out_.erase(0, result.bytes);
  share_.Set(HeldNow());
  if (!out_.empty()) {
    if (result.bytes > 0) WatchFor(worker_.options().client_write_timeout);
    return;
  }
  ClearForIdle(&out_);
  if (state_ == State::kClosing) {
    CloseGently();
    return;
  }
  if (state_ == State::kWaiting) {
    timer_.Stop();
    if (upstream_ != nullptr) upstream_->Resume();
    return;
  }
  if (state_ == State::kIdle) WatchIdle();
  ContinueInput();
}

}  // namespace gw
