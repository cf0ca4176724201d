#include "kube/api_call.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gw::kube {
namespace {

// A number of seconds, which is what API servers send; 0 for a date or anything else.
Duration RetryAfterOf(const http::ResponseHead& head) {
  const http::HeaderField* field = head.headers.Find("retry-after");
  uint32_t s = 0;
  if (field == nullptr || !absl::SimpleAtoi(std::string(field->value), &s)) return Duration(0);
  return std::chrono::seconds(s);
}

std::string TextOf(const ClientError& error) {
  std::string text(NameOf(error.failure));
  if (!error.detail.empty()) absl::StrAppend(&text, ": ", error.detail);
  return text;
}

}  // namespace

// The caller's end of it. The call itself is freed when the round has ended: it may be at work.
class Call::Handle final : public ApiCall {
 public:
  explicit Handle(std::unique_ptr<Call> call) : call_(std::move(call)) {}
  ~Handle() override {
    EventLoop& loop = call_->client_.loop_;
    call_->Close();
    --call_->client_.calls_;
    loop.FreeLater(std::move(call_));
  }

 private:
  std::unique_ptr<Call> call_;
};

std::unique_ptr<ApiCall> Call::Start(ApiClient& client, ApiRequest request, Receiver receiver) {
  auto call = std::unique_ptr<Call>(new Call(client, std::move(request), std::move(receiver)));
  ++client.calls_;
  call->Begin();
  return std::make_unique<Handle>(std::move(call));
}

Call::Call(ApiClient& client, ApiRequest request, Receiver receiver)
    : client_(client),
      request_(std::move(request)),
      target_(client.server_.path_prefix + request_.target),
      receiver_(std::move(receiver)),
      body_parts_{request_.body},
      timer_(client.loop_, [this] { OnTimer(); }) {}

void Call::WaitFor(Wait wait, Duration how_long) {
  wait_ = wait;
  timer_.Start(how_long);
}

void Call::Begin() {
  if (receiver_.lines != nullptr) return WaitFor(Wait::kTurn, Duration(0));
  const std::optional<Duration> turn = client_.TakeTurn();
  WaitFor(turn ? Wait::kTurn : Wait::kRefusal, turn.value_or(Duration(0)));
}

void Call::Attempt(Reuse reuse) {
  absl::StatusOr<Credential> credential = client_.credentials_.Get();
  if (!credential.ok()) {
    return Fail(ApiFailure::kCredentials, std::string(credential.status().message()));
  }
  answer_ = {};
  line_.clear();
  reused_ = reuse != Reuse::kNone;
  std::vector<http::HeaderField> fields = {{"user-agent", client_.user_agent_},
                                           {"accept", "application/json"}};
  if (!credential->authorization.empty()) {
    fields.push_back({"authorization", credential->authorization});
  }
  ClientRequest sent{.method = request_.method,
                     .target = target_,
                     .authority = client_.server_.authority,
                     .fields = {}};
  if (!request_.content_type.empty()) {
    fields.push_back({"content-type", request_.content_type});
    sent.has_body = true;
    sent.parts = body_parts_;
  }
  sent.fields = fields;
  WaitFor(Wait::kAnswer, client_.options_.answer_timeout);
  call_ = client_.pool_.Send({client_.address_, credential->tls}, sent, reuse, this);
}

void Call::OnTimer() {
  switch (wait_) {
    case Wait::kTurn:
    case Wait::kRetry:
      return Attempt(Reuse::kVerified);
    case Wait::kRefusal:
      return Fail(ApiFailure::kTooManyWaiting,
                  absl::StrCat("more than ", client_.options_.waiting_max, " requests wait"));
    case Wait::kAnswer:
      return Fail(
          ApiFailure::kTimeout,
          absl::StrCat("no ", receiver_.lines != nullptr ? "head of an" : "whole",
                       " answer within ", ToSeconds(client_.options_.answer_timeout), " s"));
    case Wait::kLines: {
      // A piece only notes its time; the timer moves when it fires.
      const Duration left = receiver_.silence_max - (client_.loop_.now() - last_piece_);
      if (left > Duration(0)) return timer_.Start(left);
      return Fail(ApiFailure::kSilent,
                  absl::StrCat("nothing came for ", ToSeconds(receiver_.silence_max), " s"));
    }
  }
}

void Call::OnResponseHead(const http::ResponseHead& head) {
  answer_.status = head.status;
  answer_.retry_after = RetryAfterOf(head);
  if (!IsStream()) return;
  last_piece_ = client_.loop_.now();
  WaitFor(Wait::kLines, receiver_.silence_max);
  receiver_.lines->OnStreamStart();
}

void Call::OnResponseBody(std::string_view piece) {
  if (IsStream()) return TakeLines(piece);
  if (answer_.body.size() + piece.size() > client_.options_.answer_bytes_max) {
    return Fail(ApiFailure::kTooLarge,
                absl::StrCat("an answer of more than ", client_.options_.answer_bytes_max,
                             " bytes (limit kube_answer_bytes)"));
  }
  answer_.body += piece;
}

void Call::TakeLines(std::string_view piece) {
  last_piece_ = client_.loop_.now();
  while (!closed_ && !piece.empty()) {
    const size_t end = std::min(piece.find('\n'), piece.size());
    if (line_.size() + end > client_.options_.line_bytes_max) {
      return Fail(ApiFailure::kTooLarge,
                  absl::StrCat("a line of more than ", client_.options_.line_bytes_max,
                               " bytes (limit kube_line_bytes)"));
    }
    if (end == piece.size()) {
      line_ += piece;
      return;
    }
    std::string_view line = piece.substr(0, end);
    if (!line_.empty()) line = line_.append(line);
    piece.remove_prefix(end + 1);
    if (!line.empty()) receiver_.lines->OnLine(line);
    line_.clear();
  }
}

// True if what was answered was not the last word.
bool Call::RetryAnswered() {
  if (answer_.status == 401 && !std::exchange(refused_, true)) {
    client_.credentials_.Refused();
    WaitFor(Wait::kRetry, Duration(0));
    return true;
  }
  const bool may_repeat = request_.may_repeat || request_.method == "GET";
  const bool asks = (answer_.status == 429 || answer_.status == 503) &&
                    answer_.retry_after > Duration(0) &&
                    answer_.retry_after <= client_.options_.retry_after_max;
  if (!asks || !may_repeat || retries_ == client_.options_.retries_max) return false;
  ++retries_;
  WaitFor(Wait::kRetry, answer_.retry_after);
  return true;
}

void Call::OnResponseEnd() {
  call_ = nullptr;
  if (IsStream() && !line_.empty()) {
    return Fail(ApiFailure::kCutLine, "the stream ended within a line");
  }
  if (!RetryAnswered()) End();
}

void Call::OnResponseFailed(const ClientError& error) {
  call_ = nullptr;
  const bool may_repeat = request_.may_repeat || request_.method == "GET" || !error.sent_whole;
  if (error.failure == ClientFailure::kStaleConnection && may_repeat && reused_) {
    return Attempt(Reuse::kNone);
  }
  Fail(ApiFailure::kConnection, TextOf(error));
}

void Call::Fail(ApiFailure failure, std::string error) {
  answer_.failure = failure;
  answer_.error = std::move(error);
  End();
}

void Call::End() {
  // What is called may destroy the handle, and with it whatever it is called from.
  const Receiver receiver = std::exchange(receiver_, {});
  const ApiAnswer answer = std::move(answer_);
  Close();
  if (receiver.lines != nullptr) return receiver.lines->OnStreamEnd(answer);
  receiver.done(answer);
}

void Call::Close() {
  closed_ = true;
  timer_.Stop();
  if (call_ != nullptr) std::exchange(call_, nullptr)->Cancel();
}

}  // namespace gw::kube
