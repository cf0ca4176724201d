#include "exchange/authorized.h"

#include "base/check.h"

namespace gw {
namespace {

constexpr std::string_view kBearerField = "authorization";
constexpr std::string_view kKeyField = "x-api-key";

}  // namespace

bool HasApiKey(std::string_view field_name) {
  return http::EqualsIgnoreCase(field_name, kBearerField) ||
         http::EqualsIgnoreCase(field_name, kKeyField);
}

Refusal Authorized::Check(const std::shared_ptr<const ApiKeys>& keys,
                          const http::RequestHead& head) {
  if (keys == nullptr) return {};
  keys_ = keys;
  const http::HeaderField* const bearer = head.headers.Find(kBearerField);
  const http::HeaderField* const plain = head.headers.Find(kKeyField);
  if (bearer != nullptr) owner_ = keys->Find(BearerToken(bearer->value));
  if (owner_ == nullptr && plain != nullptr) owner_ = keys->Find(plain->value);
  if (owner_ != nullptr) return {};
  if (bearer == nullptr && plain == nullptr) {
    return {Rejection::kUnauthorized,
            "an API key is needed: Authorization: Bearer KEY, or x-api-key: KEY"};
  }
  return {Rejection::kUnauthorized};
}

Refusal Authorized::Reserve(int64_t tokens, TimePoint now) {
  if (owner_ == nullptr || owner_->meter == nullptr) return {};
  DCHECK(!reserved_);
  const RateVerdict verdict = owner_->meter->Reserve(tokens, now);
  retry_after_ = verdict.retry_after;
  switch (verdict.refused) {
    case RateVerdict::Refused::kNo:
      reserved_ = true;
      reserved_tokens_ = tokens;
      return {};
    case RateVerdict::Refused::kRequests:
      return {Rejection::kRequestRate};
    case RateVerdict::Refused::kTokens:
      return {Rejection::kTokenRate};
    case RateVerdict::Refused::kTooLarge:
      return {Rejection::kTokenRate, "the prompt alone has about " + std::to_string(tokens) +
                                         " tokens, which is more than the key's limit per minute"};
  }
  CHECK(false);
}

void Authorized::End(int64_t used, TimePoint now) {
  if (reserved_) owner_->meter->Settle(reserved_tokens_, used, now);
  *this = Authorized();
}

const std::string& Authorized::owner() const {
  static const std::string kNobody;
  return owner_ == nullptr ? kNobody : owner_->name;
}

}  // namespace gw
