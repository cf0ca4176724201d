// Mirrored: a copy of a request at the pool of a mirror. Which endpoint gets it is decided by load
// alone, once: no queue, no prefix cache, no other try. What it holds of the endpoint is seen by
// the decisions that follow, as with any request.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "exchange/asked.h"
#include "exchange/environment.h"
#include "exchange/parsed_body.h"
#include "pool/endpoint_hold.h"
#include "snapshot/snapshot.h"

namespace gw {

// What became of a copy: the label `result` of penstock_mirrored_requests_total.
enum class MirrorResult : uint8_t {
  kAnswered,    // whole, whatever its status
  kFailed,      // no connection, or an answer that is none
  kTimeout,     // limit mirror_timeout
  kCut,         // limit mirror_response_bytes
  kStopped,     // the gateway has stopped
  kTooMany,     // not sent: limit mirrors
  kTooLarge,    // not sent: limit mirror_bytes
  kNoEndpoint,  // not sent: the pool has none
  kUnreadable,  // not sent: the pool has to read the body and cannot
  kNoModel,     // not sent: the pool does not have the model
};
inline constexpr size_t kMirrorResults = static_cast<size_t>(MirrorResult::kNoModel) + 1;
std::string_view NameOf(MirrorResult result);

class Mirrored {
 public:
  explicit Mirrored(ExchangeEnvironment& environment) : env_(environment) {}

  // Chooses the endpoint for that body, and what it is sent. `coded`: the body is not what its
  // content type says. kAnswered: it is to be sent; else it is not, and nothing is held.
  // REQUIRES: Exchange::kBodyPadding readable bytes behind `body`, which stays as long as parts()
  MirrorResult Begin(const PoolEntry& pool, const Asked& asked, bool coded, std::string_view body,
                     TimePoint now);

  const std::string& address() const { return address_; }
  const std::shared_ptr<const EndpointAccess>& access() const { return access_; }
  BodyEdit& body() { return body_; }
  void OnHead(int status) { status_ = status; }
  void OnFirstByte(TimePoint now);
  void OnAnswered(TimePoint now);
  void OnFailed(TryFailure failure, TimePoint now);
  // Gives back what is held, whatever came of it.
  void End() { hold_.Release(); }

 private:
  MirrorResult Read(const PoolEntry& pool, const Asked& asked, bool coded, std::string_view body);

  ExchangeEnvironment& env_;
  ParsedBody parsed_;
  BodyEdit body_;  // what is sent
  EndpointHold hold_;
  std::string address_;
  std::shared_ptr<const EndpointAccess> access_;
  std::string pool_id_;
  bool takes_pushback_ = false;
  TimePoint dispatched_{};
  int status_ = 0;
};

}  // namespace gw
