// H1Downstream writing answers.

#include "base/check.h"
#include "dataplane/h1_downstream.h"
#include "dataplane/worker.h"
#include "http/h1_writer.h"

namespace gw {
namespace {

iovec PartOf(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

std::string LastChunkWith(std::span<const http::HeaderField> trailers) {
  std::string chunk = "0\r\n";
  for (const http::HeaderField& field : trailers) {
    http::AppendHeader(&chunk, field.name, field.value);
  }
  http::AppendHeadEnd(&chunk);
  return chunk;
}

}  // namespace

BodyForm H1Downstream::HoldHead(const http::ResponseHead& head, std::string_view request_id,
                                bool changes_length) {
  response_keep_alive_ = keep_alive_ && !draining_;
  const http::RequestHead& asked = request_->parser.head();
  const ForwardedResponse response{request_id, asked.method == "HEAD", asked.minor_version == 0,
                                   response_keep_alive_, changes_length};
  form_ = WriteDownstreamHead(head, response, &request_->response_head);
  return form_;
}

void H1Downstream::HoldStreamHead(std::span<const http::HeaderField> fields) {
  DCHECK(has_open_form());
  response_keep_alive_ = keep_alive_ && !draining_;
  form_ = BodyForm::kOpen;
  std::string* const head = &request_->response_head;
  head->clear();
  http::AppendStatusLine(head, 200);
  http::AppendHeader(head, "date", http::DateText(worker_.loop().clock().UnixNanos()));
  for (const http::HeaderField& field : fields) http::AppendHeader(head, field.name, field.value);
  http::AppendHeader(head, "transfer-encoding", "chunked");
  if (!response_keep_alive_) http::AppendHeader(head, "connection", "close");
  http::AppendHeadEnd(head);
}

bool H1Downstream::Write(std::span<const std::string_view> pieces, bool last,
                         std::span<const http::HeaderField> trailers) {
  const bool chunked = form_ == BodyForm::kOpen;
  std::vector<iovec>& parts = worker_.parts();
  parts.clear();
  if (!request_->response_head.empty()) parts.push_back(PartOf(request_->response_head));
  size_t bytes = 0;
  for (std::string_view piece : pieces) bytes += piece.size();
  char size_line[20];
  if (bytes > 0) {
    if (chunked) parts.push_back({size_line, http::FormatChunkSize(bytes, size_line)});
    for (std::string_view piece : pieces) parts.push_back(PartOf(piece));
  }
  std::string last_chunk;
  if (chunked && last && !trailers.empty()) {
    last_chunk = (bytes > 0 ? "\r\n" : "") + LastChunkWith(trailers);
    parts.push_back(PartOf(last_chunk));
  } else if (chunked && last) {
    parts.push_back(PartOf(bytes > 0 ? "\r\n0\r\n\r\n" : http::kLastChunk));
  } else if (chunked && bytes > 0) {
    parts.push_back(PartOf("\r\n"));
  }
  if (!parts.empty() && !Send(&parts)) return false;
  request_->response_head.clear();
  return true;
}

bool H1Downstream::Answer(const OwnAnswer& answer) {
  response_keep_alive_ = keep_alive_ && !body_unread_ && !draining_;
  form_ = BodyForm::kSized;
  request_->response_head.clear();
  std::string text;
  http::AppendStatusLine(&text, answer.status);
  http::AppendHeader(&text, "date", http::DateText(worker_.loop().clock().UnixNanos()));
  http::AppendHeader(&text, "content-length", static_cast<uint64_t>(answer.body.size()));
  for (const http::HeaderField& field : answer.fields) {
    http::AppendHeader(&text, field.name, field.value);
  }
  if (!response_keep_alive_) {
    http::AppendHeader(&text, "connection", "close");
  } else if (head().minor_version == 0) {
    http::AppendHeader(&text, "connection", "keep-alive");
  }
  http::AppendHeadEnd(&text);
  std::vector<iovec> parts{PartOf(text)};
  if (head().method != "HEAD") parts.push_back(PartOf(answer.body));
  return Send(&parts);
}

// False if the client is gone: then everything has ended.
bool H1Downstream::Send(std::vector<iovec>* parts) {
  size_t skip = 0;
  if (out_.empty()) {
    const IoResult result = stream_->Write(*parts);
    if (result.state == IoState::kOk) return true;
    if (result.state == IoState::kError) {
      OnClientGone();
      return false;
    }
    skip = result.bytes;
    timer_.Start(worker_.options().client_write_timeout);
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
  return true;
}

void H1Downstream::OnWritable() {
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
    if (result.bytes > 0) timer_.Start(worker_.options().client_write_timeout);
    return;
  }
  ClearForIdle(&out_);
  if (state_ == State::kClosing) {
    CloseGently();
    return;
  }
  if (state_ == State::kIdle) {
    WatchIdle();
  } else {
    timer_.Stop();
  }
  if (waits()) {
    request_->driver.OnWritable();
  } else {
    ContinueInput();
  }
}

}  // namespace gw
