#include "admin/client.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "admin/client_error.h"
#include "client/pool.h"
#include "net/event_loop.h"

namespace gw {
namespace {

// One exchange on a loop of its own, which runs until the outcome is known.
class Exchange final : private ResponseHandler {
 public:
  Exchange(EventLoop& loop, const AdminTarget& where, Duration timeout)
      : loop_(loop),
        address_(where.address.ToString()),
        tls_(where.tls),
        authorization_(where.token.empty() ? "" : "Bearer " + where.token),
        options_{.connect_timeout = timeout, .response_timeout = timeout, .idle_timeout = timeout},
        client_(loop, options_, {}),
        timer_(loop, [this] { Expire(); }) {
    timer_.Start(timeout);
  }

  absl::StatusOr<AdminAnswer> Run(std::string_view method, std::string_view target) {
    std::vector<http::HeaderField> fields = {{"connection", "close"}};
    if (!authorization_.empty()) fields.push_back({"authorization", authorization_});
    call_ = client_.Send({address_, tls_},
                         {.method = method,
                          .target = target,
                          .authority = address_,
                          .fields = fields,
                          .has_body = method == "PUT"},
                         Reuse::kNone, this);
    loop_.Run();
    if (!outcome_.ok()) return outcome_;
    return std::move(answer_);
  }

 private:
  void OnResponseHead(const http::ResponseHead& head) override {
    answer_.status = head.status;
    if (const auto* type = head.headers.Find("content-type")) answer_.content_type = type->value;
  }

  void OnResponseBody(std::string_view piece) override {
    if (answer_.body.size() + piece.size() > kAdminAnswerBytesMax) {
      Finish(absl::ResourceExhaustedError(
          absl::StrCat(Prefix(), "the answer is larger than ", kAdminAnswerBytesMax, " bytes")));
      return;
    }
    answer_.body.append(piece);
  }

  void OnResponseEnd() override {
    call_ = nullptr;
    Finish(absl::OkStatus());
  }

  void OnResponseFailed(const ClientError& error) override {
    call_ = nullptr;
    Finish(internal::AdminError(address_, error));
  }

  std::string Prefix() const { return internal::AdminErrorPrefix(address_); }

  void Expire() {
    Finish(absl::DeadlineExceededError(absl::StrCat(Prefix(), "no answer in time")));
  }

  void Finish(absl::Status outcome) {
    if (finished_) return;
    finished_ = true;
    outcome_ = std::move(outcome);
    loop_.Stop();
  }

  EventLoop& loop_;
  const std::string address_;
  const std::shared_ptr<const ClientTls> tls_;
  const std::string authorization_;
  const ClientOptions options_;
  ClientPool client_;
  ClientCall* call_ = nullptr;
  bool finished_ = false;
  absl::Status outcome_;
  AdminAnswer answer_;
  Timer timer_;
};

absl::StatusOr<AdminAnswer> Ask(const AdminTarget& where, std::string_view method,
                                std::string_view target, Duration timeout) {
  const auto unsafe = [](char c) { return c <= ' ' || c >= 0x7f; };
  if (!target.starts_with('/') || std::any_of(target.begin(), target.end(), unsafe)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::string_view(target.data(), target.size()),
                     "\": must be a path of printable ASCII without spaces"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLoop> loop, EventLoop::New());
  return Exchange(*loop, where, timeout).Run(method, target);
}

}  // namespace

absl::StatusOr<AdminAnswer> AdminGet(const AdminTarget& where, std::string_view target,
                                     Duration timeout) {
  return Ask(where, "GET", target, timeout);
}

absl::StatusOr<AdminAnswer> AdminPut(const AdminTarget& where, std::string_view target,
                                     Duration timeout) {
  return Ask(where, "PUT", target, timeout);
}

}  // namespace gw
