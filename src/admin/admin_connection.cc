#include "admin/admin_connection.h"

#include <absl/strings/match.h>

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

AdminConnection::AdminConnection(EventLoop& loop, std::unique_ptr<Stream> stream,
                                 const AdminServer::Handlers& handlers,
                                 const AdminServer::Limits& limits, const AdminGuard& guard,
                                 std::function<void(AdminConnection*)> on_close)
    : loop_(loop),
      handlers_(handlers),
      limits_(limits),
      guard_(guard),
      on_close_(std::move(on_close)),
      stream_(std::move(stream)),
      timer_(loop, [this] { Close(); }),
      parser_(LimitsOf(limits)),
      idle_since_(loop.clock().Now()) {
  timer_.Start(limits_.idle);
  stream_->set_observer(this);
}

void AdminConnection::OnReadable() {
  if (state_ == State::kAnswering) return;    // read on when the answer is out
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
  Answer(response, with_body, allow);
}

bool AdminConnection::IsLetIn(const http::RequestHead& head, std::string_view path) const {
  constexpr std::string_view kScheme = "bearer ";
  if (guard_.token.empty() || guard_.open_paths.contains(path)) return true;
  const http::HeaderField* field = head.headers.Find("authorization");
  if (field == nullptr || field->value.size() <= kScheme.size()) return false;
  const std::string_view scheme = std::string_view(field->value).substr(0, kScheme.size());
  return absl::EqualsIgnoreCase(absl::string_view(scheme.data(), scheme.size()),
                                absl::string_view(kScheme.data(), kScheme.size())) &&
         IsSameSecret(std::string_view(field->value).substr(kScheme.size()), guard_.token);
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
    const auto changes = handlers_.find("PUT " + std::string(target->path));
    *allow = changes == handlers_.end() ? kAllow : kAllowPut;
    if (head.method != "PUT" || changes == handlers_.end()) {
      return Plain(405, "this path of the admin port answers " + std::string(*allow));
    }
    *allow = {};
    handler = &changes->second;
  }
  return (*handler)({.method = head.method, .path = target->path, .query = target->query});
}

const AdminHandler* AdminConnection::FindHandler(std::string_view path) const {
  auto it = handlers_.find(path);
  while (it == handlers_.end()) {
    // "/a/b/c" -> "/a/b/" -> "/a/" -> "/"
    const size_t end = path.size() < 2 ? std::string_view::npos : path.rfind('/', path.size() - 2);
    if (end == std::string_view::npos) return nullptr;
    path = path.substr(0, end + 1);
    it = handlers_.find(path);
  }
  return &it->second;
}

void AdminConnection::Answer(const AdminResponse& response, bool with_body,
                             std::string_view allow) {
  output_.clear();
  output_sent_ = 0;
  http::AppendStatusLine(&output_, response.status);
  http::AppendHeader(&output_, "date", http::DateText(loop_.clock().UnixNanos()));
  http::AppendHeader(&output_, "content-type", response.content_type);
  http::AppendHeader(&output_, "content-length", response.body.size());
  http::AppendHeader(&output_, "cache-control", "no-store");
  if (response.status == 401) http::AppendHeader(&output_, "www-authenticate", "Bearer");
  if (!allow.empty()) http::AppendHeader(&output_, "allow", allow);
  if (!keep_alive_) {
    http::AppendHeader(&output_, "connection", "close");
  } else if (minor_version_ == 0) {
    http::AppendHeader(&output_, "connection", "keep-alive");
  }
  http::AppendHeadEnd(&output_);
  if (with_body) output_.append(response.body);
  state_ = State::kAnswering;
  timer_.Start(limits_.write);
  WriteAnswer();
}

void AdminConnection::OnWritable() {
  if (state_ == State::kAnswering) WriteAnswer();
}

void AdminConnection::WriteAnswer() {
  const iovec part{output_.data() + output_sent_, output_.size() - output_sent_};
  const IoResult write = stream_->Write({&part, 1});
  output_sent_ += write.bytes;
  switch (write.state) {
    case IoState::kOk:
      return OnAnswerWritten();
    case IoState::kWouldBlock:
      if (write.bytes > 0) timer_.Start(limits_.write);
      return;
    case IoState::kEnd:
    case IoState::kError:
      return Close();
  }
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
  timer_.Stop();
  stream_.reset();
  closing_.reset();
  on_close_(this);
}

}  // namespace gw::internal
