// Stickiness of versions: of several weighted versions (destinations of a rule, targets of a model)
// a request's is chosen by the hash of a value that its client sends with each request, in place of
// chance. A value stays with its version as long as weights let it, and nothing has to be kept or
// told to other gateways for that: the choice is a function of the value, the weights and names.
//
// The choice is weighted rendezvous hashing: each version has a number in (0, 1) of its own for the
// value, u = hash(value, version), and the version with the least -ln(u) / weight has the value.
// Such quotients are exponentially distributed with rate `weight`, and of several the least is that
// of one version with a probability of its weight over the sum of all: the shares are the weights.
// (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions
// on Networking 6(1), 1998; weights: Schindelhauer and Schomaker, "Weighted distributed hash
// tables", SPAA 2005.)
//
// A weight that grows makes one quotient smaller and leaves all others as they are: values come to
// that version, none go from it and none move between others. Of two versions exactly those move
// that must, whatever happens to the weights. One number against cumulated weights does that for
// two as well, but of three a shift of one border moves values between neighbours that have not
// changed, and so does another order of the list, or a version that cannot be asked for the moment
// and is left out. Here order says nothing, only ratios of weights count, and what a version that
// is left out had is shared by the others while all else stays.

#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "http/head.h"

namespace gw {

// What the choice goes by.
struct StickyPolicy {
  enum class By : uint8_t {
    kHeader,   // the header field `name`; of several the first that is not empty
    kCookie,   // the cookie `name`, likewise; a client without it is given one
    kSession,  // kConversationFields, in this order; else the owner of the request's API key
  };
  static constexpr std::string_view kConversationFields[] = {"x-session-id", "session-id"};

  By by = By::kHeader;
  std::string name = {};  // of a header field in lower case

  // The request's value, as StickyHash has it; nullopt: it has none. `owner` may be empty.
  std::optional<uint64_t> Find(const http::RequestHead& head, std::string_view owner) const;
  // What gives the client a cookie. REQUIRES: by is kCookie
  http::HeaderField CookieOf(std::string_view value, bool secure, std::string* storage) const;
};

uint64_t StickyHash(std::string_view value);

// Of a version: its name, and what it is a version of. That is in the key so that choices are
// independent: who has one rule's canary is no likelier to have another's.
enum class StickyOf : uint8_t { kRule = 1, kModel, kRewrite };
uint64_t StickyKey(StickyOf of, std::string_view of_name, std::string_view version);

// One choice: of all versions that are shown to it, that which led last is chosen.
class StickyChoice {
 public:
  explicit StickyChoice(uint64_t value) : value_(value) {}
  // True if this one leads those before it. One without weight never does.
  bool Leads(uint64_t key, uint32_t weight);

 private:
  const uint64_t value_;
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace gw
