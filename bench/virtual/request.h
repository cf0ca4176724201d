// One request after the other on its way through a gateway in virtual time: what
// dataplane/request_driver does over sockets, for event streams of completions and chats. Pools may
// be split where their servers are vLLM's.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/virtual/prefill_half.h"
#include "bench/virtual/replica.h"
#include "bench/virtual/timeline.h"
#include "exchange/exchange.h"
#include "http/h1_parser.h"

namespace gw::bench {

class VirtualGateway;

struct FleetRequest {
  std::string path = "/v1/completions";
  std::string fields = {};  // of its head besides Host and Content-Length: "x-a: b\r\n" each
  std::string body;         // of POST
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
  std::vector<uint64_t> block_names = {};  // of its full blocks, as sim::EngineRequest has them
  Duration body_time{};                    // from its head to its body
};

// What has become of one.
struct FleetAnswer {
  uint64_t id = 0;
  Outcome outcome = Outcome::kComplete;
  int status = 0;  // 0: nothing was sent to the client
  Rejection rejection = Rejection::kNone;
  TimePoint arrived{};
  TimePoint ended{};
  std::optional<TimePoint> dispatched = std::nullopt;  // for the first time
  std::optional<TimePoint> first_token = std::nullopt;
  TimePoint last_token{};
  Duration gap_max{};                                    // between two tokens
  uint32_t tokens = 0;                                   // that were sent to the client
  std::optional<uint32_t> cached_tokens = std::nullopt;  // at its first admission by an engine
  bool waited = false;                                   // in its pool's queue
  int tries = 0;
};

class VirtualRequest final : private Waiter, private ReplicaCaller, private PrefillHalf::Owner {
 public:
  VirtualRequest(Timeline& timeline, VirtualGateway& gateway, ExchangeEnvironment& environment)
      : timeline_(timeline), gateway_(gateway), exchange_(environment, this), prefill_(*this) {}

  // No two of a fleet have the same id. REQUIRES: the one before has ended
  void Send(uint64_t id, FleetRequest request);
  void Leave();  // its client has closed. REQUIRES: active()
  void Abort();  // the gateway shuts down. REQUIRES: active()
  bool active() const { return exchange_.active(); }

 private:
  void OnGateAnswer(GateAnswer answer) override;
  void OnEvicted(int for_priority) override;
  void OnScheduled(uint32_t cached_tokens) override;
  void OnToken(uint32_t tokens) override;
  void OnFinished() override;
  void OnBroken() override;
  void OnReceiving(uint32_t cached_tokens) override;
  void OnPrefilled() override;
  void OnPrefillBroken() override;

  void TakeBody();
  void Act(const Step& step);
  void Dispatch();
  void DispatchPrefill();
  void OnRefused();
  void OnPrefillRefused();
  void OnTooLong();
  void OnPrefillTooLong();
  void OnKvArrived();
  void OnBackOffOver();
  void OnQueueTimeout();
  void Respond(Rejection rejection);
  void End(Outcome outcome);
  // Unless something else happens first.
  void After(Duration time, void (VirtualRequest::*then)());

  Timeline& timeline_;
  VirtualGateway& gateway_;
  Exchange exchange_;
  http::RequestParser parser_;
  std::string head_;
  FleetRequest request_;
  FleetAnswer answer_;
  VirtualReplica* replica_ = nullptr;  // that has it, or its decode half
  PrefillHalf prefill_;
  uint64_t moves_ = 0;  // timers of an earlier one are over
  bool is_chat_ = false;
};

}  // namespace gw::bench
