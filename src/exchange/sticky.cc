// Stickiness: the value that a request brings, or is given for its client's next ones.

#include "routing/sticky.h"

#include "exchange/exchange.h"

namespace gw {

void Exchange::FindSticky() {
  const StickyPolicy* const policy = routed_.rule()->sticky.get();
  if (policy == nullptr) return;
  sticky_.value = policy->Find(*asked_.head, authorized_.owner());
  if (sticky_.value || policy->by != StickyPolicy::By::kCookie) return;
  // This request, too, goes by what the next ones will bring.
  sticky_.cookie = RandomId(env_.random);
  sticky_.value = StickyHash(sticky_.cookie);
}

std::optional<http::HeaderField> Exchange::StickyField(std::string* storage) const {
  if (sticky_.cookie.empty()) return std::nullopt;
  return routed_.rule()->sticky->CookieOf(sticky_.cookie, routed_.scheme() == "https", storage);
}

}  // namespace gw
