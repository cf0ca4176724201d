// Authorized: who asks, where a route wants API keys, and what the request may use of its owner's
// rate limits: reserved before it is dispatched, settled when it has ended, whatever became of it.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "exchange/step.h"
#include "flowcontrol/api_keys.h"
#include "http/head.h"

namespace gw {

// Whether keys are sent in the field of that name.
bool HasApiKey(std::string_view field_name);

class Authorized {
 public:
  // Finds the owner of the request's key: that of Authorization, else of x-api-key. A refusal if it
  // has none. `keys` may be null: anybody may ask.
  Refusal Check(const std::shared_ptr<const ApiKeys>& keys, const http::RequestHead& head);
  // Once, after Check. `tokens`: about as many as the prompt has.
  Refusal Reserve(int64_t tokens, TimePoint now);
  // For the next request. `used`: tokens, prompt and completion.
  void End(int64_t used, TimePoint now);

  bool checked() const { return owner_ != nullptr; }
  // "" where no keys are wanted.
  const std::string& owner() const;
  bool reserved() const { return reserved_; }
  int64_t reserved_tokens() const { return reserved_tokens_; }
  // The fields with keys are not the endpoint's business.
  bool drops_credentials() const { return keys_ != nullptr && !keys_->passes_on(); }
  // Of a refusal by a rate limit: when to come again.
  Duration retry_after() const { return retry_after_; }
  // How its owner stands in queues; nullptr: as anybody.
  const FairQueue::Terms* queue_terms() const {
    return owner_ == nullptr ? nullptr : &owner_->queue_terms;
  }
  // nullptr: there is nothing to tell of limits.
  const RateMeter* meter() const { return owner_ == nullptr ? nullptr : owner_->meter.get(); }

 private:
  std::shared_ptr<const ApiKeys> keys_;  // whose owner it is
  const KeyOwner* owner_ = nullptr;
  bool reserved_ = false;
  int64_t reserved_tokens_ = 0;
  Duration retry_after_{};
};

}  // namespace gw
