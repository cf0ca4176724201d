// Request bodies with a content coding in RequestDriver: decoded where they must be read.

#include "dataplane/request_driver.h"
#include "dataplane/worker.h"

namespace gw {

void RequestDriver::DecodeBody() {
  SetState(State::kWaiting);
  coded_ =
      std::make_unique<CodedBody>(worker_.decode_queue(), worker_.held(), exchange_.body_codings(),
                                  body_.view(), &worker_.spare_bodies());
  const CodedBody::Outcome outcome =
      coded_->Start([this](CodedBody::Outcome later) { OnBodyDecoded(later); });
  if (outcome != CodedBody::Outcome::kMore) OnBodyDecoded(outcome);
}

void RequestDriver::OnBodyDecoded(CodedBody::Outcome outcome) {
  const std::unique_ptr<CodedBody> coded = std::move(coded_);
  switch (outcome) {
    case CodedBody::Outcome::kDone:
      body_ = coded->Take();
      if (!share_.Grow(HeldNow())) {
        RefuseBody();
        return;
      }
      TakeBody();
      return;
    case CodedBody::Outcome::kTooLarge:
      if (coded->over_budget()) {
        RefuseBody();
        return;
      }
      worker_.CountLimit("request_body_bytes");
      Respond(Rejection::kBodyTooLarge);
      return;
    case CodedBody::Outcome::kRatio:
      worker_.CountLimit("request_body_ratio");
      Respond(Rejection::kBodyRatio);
      return;
    default:
      Respond(Rejection::kCorruptBody);
  }
}

}  // namespace gw
