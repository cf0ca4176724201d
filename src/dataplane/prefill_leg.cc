#include "dataplane/prefill_leg.h"

#include <utility>

#include "base/check.h"
#include "dataplane/body_buffer.h"
#include "dataplane/forwarding.h"
#include "exchange/exchange.h"

namespace gw {

void PrefillLeg::Send(const ClientTarget& target, const ClientRequest& request, bool keep_success,
                      Reuse reuse) {
  CHECK(call_ == nullptr);
  answer_ = {};
  keep_success_ = keep_success;
  keep_ = false;
  limit_ = {};
  call_ = pool_.Send(target, request, reuse, this);
}

void PrefillLeg::Cancel() {
  error_timer_.Stop();
  share_.Set(0);
  if (call_ == nullptr) return;
  ClientCall* call = std::exchange(call_, nullptr);
  call->Cancel();
}

void PrefillLeg::ClearForIdle() { gw::ClearForIdle(&answer_.body); }

void PrefillLeg::OnResponseHead(const http::ResponseHead& head) {
  answer_.status = head.status;
  const http::HeaderField* type = head.headers.Find("content-type");
  if (type != nullptr) answer_.content_type = type->value;
  const http::HeaderField* retry_after = head.headers.Find("retry-after");
  if (retry_after != nullptr) answer_.retry_after = retry_after->value;
  const bool success = head.status >= 200 && head.status <= 299;
  keep_ = keep_success_ || !success;
  if (!success) error_timer_.Start(options_.prefill_error_timeout);
}

void PrefillLeg::OnErrorTimeout() {
  Cancel();
  observer_.OnPrefillLimit("prefill_error_timeout");
  observer_.OnPrefillEnd(std::move(answer_));
}

void PrefillLeg::OnResponseBody(std::string_view piece) {
  if (!keep_ || !limit_.empty()) return;
  const size_t bytes = answer_.body.size() + piece.size();
  if (bytes > options_.prefill_response_bytes_max) {
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

void PrefillLeg::OnResponseEnd() {
  call_ = nullptr;
  error_timer_.Stop();
  share_.Set(0);
  if (!limit_.empty()) {
    observer_.OnPrefillLimit(limit_);
    observer_.OnPrefillFailed(
        limit_ == "held_bytes" ? TryFailure::kLocalResources : TryFailure::kBadResponse,
        {.failure = ClientFailure::kBadResponse, .sent_whole = true});
    return;
  }
  observer_.OnPrefillEnd(std::move(answer_));
}

void PrefillLeg::OnResponseFailed(const ClientError& error) {
  call_ = nullptr;
  share_.Set(0);
  error_timer_.Stop();
  observer_.OnPrefillFailed(TryFailureOf(error.failure), error);
}

}  // namespace gw
