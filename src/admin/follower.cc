#include "admin/follower.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "admin/client_error.h"
#include "client/pool.h"

namespace gw {
namespace {

constexpr Duration kFirstByte = std::chrono::seconds(10);
constexpr size_t kErrorTextBytesMax = 4096;

}  // namespace

class AdminFollower::Call final : private ResponseHandler {
 public:
  Call(EventLoop& loop, const AdminTarget& where, std::string target, Handlers handlers)
      : target_(std::move(target)),
        address_(where.address.ToString()),
        tls_(where.tls),
        authorization_(where.token.empty() ? "" : "Bearer " + where.token),
        handlers_(std::move(handlers)),
        options_{.connect_timeout = kFirstByte,
                 .response_timeout = kFirstByte,
                 .idle_timeout = kSilence},
        client_(loop, options_, {}) {}

  void Begin() {
    std::vector<http::HeaderField> fields = {{"connection", "close"}};
    if (!authorization_.empty()) fields.push_back({"authorization", authorization_});
    client_.Send({address_, tls_},
                 {.method = "GET",
                  .target = target_,
                  .authority = address_,
                  .fields = fields,
                  .has_body = false},
                 Reuse::kNone, this);
  }

 private:
  void OnResponseHead(const http::ResponseHead& head) override { status_ = head.status; }
  void OnResponseBody(std::string_view piece) override {
    if (status_ == 200) return handlers_.on_piece(piece);
    error_.append(
        piece.substr(0, kErrorTextBytesMax - std::min(kErrorTextBytesMax, error_.size())));
  }
  void OnResponseEnd() override {
    if (status_ == 200) return handlers_.on_end(absl::OkStatus());
    handlers_.on_end(absl::FailedPreconditionError(
        absl::StrCat("the gateway at ", address_, " answers ", status_, ": ", error_)));
  }
  void OnResponseFailed(const ClientError& error) override {
    handlers_.on_end(internal::AdminError(address_, error));
  }

  const std::string target_;
  const std::string address_;
  const std::shared_ptr<const ClientTls> tls_;
  const std::string authorization_;
  const Handlers handlers_;
  const ClientOptions options_;
  ClientPool client_;
  int status_ = 0;
  std::string error_;
};

absl::StatusOr<std::unique_ptr<AdminFollower>> AdminFollower::Start(const AdminTarget& where,
                                                                    std::string target,
                                                                    Handlers handlers) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  std::unique_ptr<AdminFollower> follower(new AdminFollower(std::move(loop)));
  EventLoop& its_loop = *follower->loop_;
  follower->call_ = std::make_unique<Call>(its_loop, where, std::move(target), std::move(handlers));
  Call& call = *follower->call_;
  follower->thread_ = std::thread([&its_loop, &call] {
    call.Begin();
    its_loop.Run();
  });
  return follower;
}

AdminFollower::AdminFollower(std::unique_ptr<EventLoop> loop) : loop_(std::move(loop)) {}

AdminFollower::~AdminFollower() {
  loop_->Stop();
  thread_.join();
}

}  // namespace gw
