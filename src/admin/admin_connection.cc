#include "admin/admin_connection.h"

#include <absl/strings/match.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/h1_writer.h"
#include "http/url.h"

namespace gw::internal {
namespace {

// How long the peer may go on sending after our last answer before the connection is cut.
constexpr Duration kLinger = std::chrono::seconds(2);
constexpr std::string_view kAllow = "GET, HEAD";
constexpr std::string_view kAllowPut = "GET, HEAD, PUT";
// A buffer that one large answer has grown is not kept.
constexpr size_t kKeptOutputBytes = 64 * 1024;

http::HeadLimits LimitsOf(const AdminServer::Limits& limits) {
  http::HeadLimits result;
  result.head_bytes_max = limits.head_bytes;
  return result;
}

AdminResponse Plain(int status, std::string_view detail) {
  AdminResponse response;
  response.status = status;
  response.body.append(detail).push_back('\n');
  return response;
}

// In a time that tells nothing of where they differ, but for their lengths.
bool IsSameSecret(std::string_view said, std::string_view secret) {
  if (said.size() != secret.size()) return false;
  unsigned char differs = 0;
  for (size_t i = 0; i < said.size(); ++i) {
    differs |= static_cast<unsigned char>(said[i] ^ secret[i]);
    // What the compiler does not see it cannot cut short.
    asm volatile("" : "+r"(differs));
  }
  return differs == 0;
}

}  // namespace

AdminConnection::AdminConnection(const Shared& shared, std::unique_ptr<Stream> stream,
                                 std::function<void(AdminConnection*)> on_close)
    : loop_(shared.loop),
      shared_(shared),
      limits_(shared.limits),
      on_close_(std::move(on_close)),
      stream_(std::move(stream)),
      timer_(loop_, [this] { Close(); }),
      parser_(LimitsOf(limits_)),
      idle_since_(loop_.clock().Now()) {
  timer_.Start(limits_.idle);
  stream_->set_observer(this);
}

void AdminConnection::OnReadable() {
  if (state_ == State::kAnswering) return;  // read on when the answer is out
  if (state_ == State::kFeeding) return WaitForEnd();
  if (!input_.empty()) return HandleInput();  // a pipelined request waits
  const IoResult read = stream_->Read(loop_.scratch());
  switch (read.state) {
    case IoState::kOk:
      input_.append(loop_.scratch().data(), read.bytes);
      // One read per round: the rest of this connection waits its turn.
      stream_->ReadAgainLater();
      return HandleInput();
    case IoState::kWouldBlock:
      return;
    case IoState::kEnd:
    case IoState::kError:
      return Close();
  }
}

void AdminConnection::HandleInput() {
  while (state_ == State::kReading && !input_.empty()) {
    if (!head_begun_) {
      head_begun_ = true;
      timer_.Start(limits_.idle);
    }
    const http::H1Step step = parser_.Next(input_);
    input_.erase(0, step.consumed);
    switch (step.event) {
      case http::H1Event::kNeedMore:
        if (!stream_->drained()) stream_->ReadAgainLater();
        return;
      case http::H1Event::kHead:
        return HandleRequest(parser_.head());
      case http::H1Event::kError:
        keep_alive_ = false;
        minor_version_ = 1;
        return Answer(Plain(http::StatusOf(parser_.error()), http::NameOf(parser_.error())), true);
      case http::H1Event::kBody:
      case http::H1Event::kEnd:
        CHECK(false);  // a request is answered at its head, and one with a body is the last
    }
  }
}

void AdminConnection::HandleRequest(const http::RequestHead& head) {
  keep_alive_ = head.keep_alive;
  minor_version_ = head.minor_version;
  std::string_view allow;
  AdminResponse response;
  if (head.framing == http::BodyFraming::kChunked || head.content_length > 0) {
    keep_alive_ = false;
    response = Plain(413, "the admin port takes no request bodies");
  } else {
    response = Dispatch(head, &allow);
  }
  const bool with_body = head.method != "HEAD";
  parser_.Reset();
  head_begun_ = false;
  if (response.feed != nullptr && with_body) return BeginFeed(response);
  Answer(response, with_body, allow);
}

bool AdminConnection::IsLetIn(const http::RequestHead& head, std::string_view path) const {
  constexpr std::string_view kScheme = "bearer ";
  if (shared_.guard.token.empty() || shared_.guard.open_paths.contains(path)) return true;
  const http::HeaderField* field = head.headers.Find("authorization");
  if (field == nullptr || field->value.size() <= kScheme.size()) return false;
  const std::string_view scheme = std::string_view(field->value).substr(0, kScheme.size());
  return absl::EqualsIgnoreCase(absl::string_view(scheme.data(), scheme.size()),
                                absl::string_view(kScheme.data(), kScheme.size())) &&
         IsSameSecret(std::string_view(field->value).substr(kScheme.size()), shared_.guard.token);
}

AdminResponse AdminConnection::Dispatch(const http::RequestHead& head,
                                        std::string_view* allow) const {
  const auto target = http::ParseTarget(head.target);
  if (!target.has_value()) return Plain(400, "the request target is not a path");
  if (!IsLetIn(head, target->path)) {
    return Plain(401,
                 "error: the admin port wants a token here: penstock's --token-file, or "
                 "\"Authorization: Bearer TOKEN\"");
  }
  const AdminHandler* handler = FindHandler(target->path);
  if (handler == nullptr) return Plain(404, "no such path");
  if (head.method != "GET" && head.method != "HEAD") {
    const auto changes = shared_.handlers.find("PUT " + std::string(target->path));
    *allow = changes == shared_.handlers.end() ? kAllow : kAllowPut;
    if (head.method != "PUT" || changes == shared_.handlers.end()) {
      return Plain(405, "this path of the admin port answers " + std::string(*allow));
    }
    *allow = {};
    handler = &changes->second;
  }
  const http::HeaderField* accept = head.headers.Find("accept");
  return (*handler)({.method = head.method,
                     .path = target->path,
                     .query = target->query,
                     .accept = accept == nullptr ? std::string_view() : accept->value});
}

const AdminHandler* AdminConnection::FindHandler(std::string_view path) const {
  const AdminServer::Handlers& handlers = shared_.handlers;
  auto it = handlers.find(path);
  while (it == handlers.end()) {
    // "/a/b/c" -> "/a/b/" -> "/a/" -> "/"
    const size_t end = path.size() < 2 ? std::string_view::npos : path.rfind('/', path.size() - 2);
    if (end == std::string_view::npos || end == 0) return nullptr;
    path = path.substr(0, end + 1);
    it = handlers.find(path);
  }
  return &it->second;
}

void AdminConnection::Answer(const AdminResponse& response, bool with_body,
                             std::string_view allow) {
  output_.clear();
  output_sent_ = 0;
  AppendHead(response, /*has_length=*/response.feed == nullptr, allow);
  if (with_body) output_.append(response.body);
  state_ = State::kAnswering;
  timer_.Start(limits_.write);
  Write();
}

void AdminConnection::AppendHead(const AdminResponse& response, bool has_length,
                                 std::string_view allow) {
  http::AppendStatusLine(&output_, response.status);
  http::AppendHeader(&output_, "date", http::DateText(loop_.clock().UnixNanos()));
  http::AppendHeader(&output_, "content-type", response.content_type);
  if (has_length) {
    http::AppendHeader(&output_, "content-length", response.body.size());
  } else if (minor_version_ > 0) {
    http::AppendHeader(&output_, "transfer-encoding", "chunked");
  }
  http::AppendHeader(&output_, "cache-control", response.cache_control);
  for (const auto& [name, value] : response.fields) http::AppendHeader(&output_, name, value);
  if (response.status == 401) http::AppendHeader(&output_, "www-authenticate", "Bearer");
  if (!allow.empty()) http::AppendHeader(&output_, "allow", allow);
  if (!keep_alive_) {
    http::AppendHeader(&output_, "connection", "close");
  } else if (minor_version_ == 0) {
    http::AppendHeader(&output_, "connection", "keep-alive");
  }
  http::AppendHeadEnd(&output_);
}

void AdminConnection::BeginFeed(const AdminResponse& response) {
  if (shared_.feeds.readers() >= limits_.feed_readers) {
    limits_.on_feed_readers_reached();
    return Answer(Plain(503, "as many read feeds of this gateway as may (admin_feed_readers)"),
                  true);
  }
  keep_alive_ = false;  // nothing comes behind it
  output_.clear();
  AppendHead(response, /*has_length=*/false, {});
  state_ = State::kFeeding;
  input_.clear();
  feed_ = &shared_.feeds.Of(*response.feed);
  feed_->Add(this);
  if (state_ == State::kFeeding) stream_->ReadAgainLater();
}

// A reader has nothing to say: what it sends is dropped, and its end is what is waited for.
void AdminConnection::WaitForEnd() {
  const IoResult read = stream_->Read(loop_.scratch());
  if (read.state == IoState::kOk) return stream_->ReadAgainLater();
  if (read.state != IoState::kWouldBlock) Close();
}

void AdminConnection::Send(const FeedMessage& message) {
  if (minor_version_ > 0) {
    char size[20];
    output_.append(size, http::FormatChunkSize(message->size(), size));
  }
  message_ = message;
  output_sent_ = 0;
  timer_.Start(limits_.write);
  Write();
}

void AdminConnection::OnWritable() {
  if (state_ == State::kAnswering || (state_ == State::kFeeding && !has_sent())) Write();
}

// What is left of the head (or the size of the chunk), the message and the end of its chunk.
size_t AdminConnection::WriteSome(IoState* state) {
  std::string_view left[] = {output_, message_ == nullptr ? std::string_view() : *message_,
                             message_ == nullptr || minor_version_ == 0 ? "" : "\r\n"};
  iovec parts[3];
  size_t count = 0;
  size_t skip = output_sent_;
  size_t bytes = 0;
  for (std::string_view& part : left) {
    const size_t sent = std::min(skip, part.size());
    skip -= sent;
    part.remove_prefix(sent);
    if (part.empty()) continue;
    parts[count++] = {const_cast<char*>(part.data()), part.size()};
    bytes += part.size();
  }
  const IoResult write = stream_->Write({parts, count});
  *state = write.state;
  output_sent_ += write.bytes;
  return write.bytes;
}

void AdminConnection::Write() {
  IoState state;
  const size_t bytes = WriteSome(&state);
  switch (state) {
    case IoState::kOk:
      return state_ == State::kFeeding ? OnMessageWritten() : OnAnswerWritten();
    case IoState::kWouldBlock:
      if (bytes > 0) timer_.Start(limits_.write);
      return;
    case IoState::kEnd:
    case IoState::kError:
      return Close();
  }
}

// The next one comes when the feed has something to say.
void AdminConnection::OnMessageWritten() {
  output_.clear();
  message_.reset();
  timer_.Stop();
}

void AdminConnection::OnAnswerWritten() {
  output_.clear();
  if (output_.capacity() > kKeptOutputBytes) output_.shrink_to_fit();
  if (keep_alive_) {
    state_ = State::kReading;
    idle_since_ = loop_.clock().Now();
    timer_.Start(limits_.idle);
    // Whatever is in input_ or arrived meanwhile gets its turn in the next round.
    return stream_->ReadAgainLater();
  }
  state_ = State::kClosing;
  timer_.Stop();
  closing_.emplace(loop_, std::move(stream_), OrderlyClose::Limits{kLinger, limits_.linger_bytes},
                   [this](OrderlyClose::End end) {
                     if (end == OrderlyClose::End::kBytes) limits_.on_linger_bytes_reached();
                     Close();
                   });
}

void AdminConnection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (feed_ != nullptr) feed_->Remove(this);
  timer_.Stop();
  stream_.reset();
  closing_.reset();
  on_close_(this);
}

}  // namespace gw::internal
