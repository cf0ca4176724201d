#include "dataplane/prefill_leg.h"

#include <utility>

#include "base/check.h"
#include "dataplane/body_buffer.h"
#include "exchange/exchange.h"

namespace gw {

void PrefillLeg::Send(const std::string& address, std::span<const std::string_view> parts,
                      bool keep_success, Reuse reuse) {
  CHECK(connection_ == nullptr);
  answer_ = {};
  keep_success_ = keep_success;
  keep_ = false;
  limit_ = {};
  connection_ = pool_.Acquire(address, reuse);
  connection_->Send({head_, parts, false}, this);
}

void PrefillLeg::Cancel() {
  error_timer_.Stop();
  share_.Set(0);
  if (connection_ == nullptr) return;
  UpstreamConnection* connection = std::exchange(connection_, nullptr);
  connection->Cancel();
}

void PrefillLeg::ClearForIdle() {
  gw::ClearForIdle(&head_);
  gw::ClearForIdle(&answer_.body);
}

void PrefillLeg::OnUpstreamHead(const http::ResponseHead& head) {
  answer_.status = head.status;
  const http::HeaderField* type = head.headers.Find("content-type");
  if (type != nullptr) answer_.content_type = type->value;
  const bool success = head.status >= 200 && head.status <= 299;
  keep_ = keep_success_ || !success;
  if (!success) error_timer_.Start(pool_.options().prefill_error_timeout);
}

void PrefillLeg::OnErrorTimeout() {
  Cancel();
  observer_.OnPrefillLimit("prefill_error_timeout");
  observer_.OnPrefillEnd(std::move(answer_));
}

void PrefillLeg::OnUpstreamBody(std::string_view piece) {
  if (!keep_ || !limit_.empty()) return;
  const size_t bytes = answer_.body.size() + piece.size();
  if (bytes > pool_.options().prefill_response_bytes_max) {
    limit_ = "prefill_response_bytes";
  } else if (!share_.Grow(bytes)) {
    limit_ = "held_bytes";
  } else {
    answer_.body.append(piece);
    return;
  }
  std::string().swap(answer_.body);
  share_.Set(0);
}

void PrefillLeg::OnUpstreamEnd() {
  connection_ = nullptr;
  error_timer_.Stop();
  share_.Set(0);
  if (!limit_.empty()) {
    observer_.OnPrefillLimit(limit_);
    observer_.OnPrefillFailed(
        limit_ == "held_bytes" ? TryFailure::kLocalResources : TryFailure::kBadResponse, true);
    return;
  }
  answer_.body.reserve(answer_.body.size() + Exchange::kBodyPadding);
  observer_.OnPrefillEnd(std::move(answer_));
}

void PrefillLeg::OnUpstreamFailed(TryFailure failure, bool sent_whole) {
  connection_ = nullptr;
  share_.Set(0);
  error_timer_.Stop();
  observer_.OnPrefillFailed(failure, sent_whole);
}

}  // namespace gw
