#include "sim/server/kv_fetch.h"

#include <utility>

namespace gw::sim {
namespace {

constexpr Duration kRetryInterval = std::chrono::seconds(1);

}  // namespace

KvFetch::KvFetch(ClientPool& client, const SocketAddress& address, std::string_view path,
                 std::string_view key, Duration lost_patience, Done done)
    : client_(client),
      address_(address.ToString()),
      path_(path),
      key_(key),
      body_{key_},
      lost_patience_(lost_patience),
      done_(std::move(done)),
      lost_since_(client.loop().now()),
      retry_(client.loop(), [this] { Send(); }) {
  Send();
}

KvFetch::~KvFetch() {
  if (call_ != nullptr) call_->Cancel();
}

void KvFetch::Send() {
  constexpr http::HeaderField kFields[] = {{"connection", "close"}};
  call_ = client_.Send({address_},
                       {.method = "POST",
                        .target = path_,
                        .authority = address_,
                        .fields = kFields,
                        .has_body = true,
                        .parts = body_},
                       Reuse::kNone, this);
}

void KvFetch::OnResponseEnd() {
  call_ = nullptr;
  Finish(status_ == 200 ? Outcome::kDone : Outcome::kRefused);
}

void KvFetch::OnResponseFailed(const ClientError& error) {
  call_ = nullptr;
  if (error.failure == ClientFailure::kBadResponse) return Finish(Outcome::kRefused);
  // Only the time without a connection counts, not the time that was waited on one.
  const TimePoint now = client_.loop().now();
  if (error.failure == ClientFailure::kClosed) lost_since_ = now;
  if (now - lost_since_ >= lost_patience_) return Finish(Outcome::kLost);
  retry_.Start(kRetryInterval);
}

void KvFetch::Finish(Outcome outcome) {
  const Done done = std::move(done_);
  done(outcome);
}

}  // namespace gw::sim
