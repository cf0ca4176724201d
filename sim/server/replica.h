// One simulated model server: a listener, its connections, the paths it answers, and an Engine
// driven in real time.
//
// An iteration of the engine ends when the loop's clock says so; what it produced goes out then. A
// timer that fires late does not slow the engine down: the next iteration begins when the last one
// should have ended, unless that is long ago.
//
// Used on its loop's thread only; its loop must not run on after it is destroyed.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "sim/engine/engine.h"
#include "sim/server/connection.h"
#include "sim/server/fault_control.h"
#include "sim/server/kv_exporter.h"
#include "sim/server/kv_fetch.h"
#include "sim/server/options.h"
#include "sim/server/replica_stats.h"
#include "sim/server/request_body.h"
#include "sim/server/work.h"

namespace gw::sim {

class Replica final : private ConnectionOwner, private KvOwner {
 public:
  // `options` and `control` must outlive the replica; `control` may be nullptr.
  Replica(EventLoop& loop, const SimOptions& options, uint32_t index, const SocketAddress& address,
          FaultControl* control);
  ~Replica();

  absl::Status Listen();
  // The real one, with the port that was chosen if 0 was asked for.
  const SocketAddress& address() const { return address_; }
  // Where its KV blocks are fetched; port 0 if nobody can.
  SocketAddress kv_address() const;

  void SetFault(const Fault& fault, Duration lasts);
  // All faults are over; listens again. Connections that hang are reset.
  absl::Status Restore();

  // What vLLM does at SIGTERM: no new connections; everything in flight ends, streams cleanly with
  // finish_reason "abort". `done` is called when all connections are gone.
  void Stop(std::function<void()> done);

 private:
  struct Generation;
  enum class Path : uint8_t;

  // ConnectionOwner
  void OnRequest(Connection* connection, const http::RequestHead& head, std::string* body) override;
  void OnClosed(Connection* connection) override;
  std::string_view CommonHeaders() override;
  std::string_view ReplicaHeader() override { return replica_header_; }

  // KvOwner
  void OnKvWanted(uint64_t id) override;
  void OnKvTaken(uint64_t id) override;
  void OnKvExpired(uint64_t id) override;

  // replica_paths.cc: what is answered at once.
  void AnswerPath(Connection* connection, Path path, const http::RequestHead& head,
                  std::string* body);
  void AnswerModels(Connection* connection);
  void AnswerMetrics(Connection* connection);
  void AnswerState(Connection* connection);
  void OrderFault(Connection* connection, std::string_view body, bool restore);
  void RespondJson(Connection* connection, int status, std::string_view body,
                   std::string_view extra = {});
  void NoteLoras();

  // replica.cc: inference requests.
  void StartInference(Connection* connection, Dialect dialect, const http::RequestHead& head,
                      std::string* body);
  bool CheckRequest(Dialect dialect, const http::RequestHead& head, std::string_view body,
                    Refusal* refusal);
  bool CheckLengths(Refusal* refusal) const;
  bool Serves(std::string_view model) const;
  void Refuse(Connection* connection, Dialect dialect, const Refusal& refusal);
  bool Hang(Generation* generation);
  void Prepare(Generation* generation);
  void Submit(Generation* generation);
  Generation* NewGeneration();
  Generation* Find(uint64_t id);
  void Free(Generation* generation);
  void MakeRequestId(Connection* connection, const http::RequestHead& head);

  void KickEngine();
  void PostSteps();
  void RunSteps();
  void EndStep();
  void OnEngineEvent(const EngineEvent& event, TimePoint now);
  void OnToken(Generation* generation, uint32_t tokens, TimePoint now);
  void Finish(Generation* generation, TimePoint now);
  void WriteToken(Generation* generation);
  void Cut(Generation* generation);
  void Fail(Generation* generation, const Refusal& refusal, Ending ending);
  void SendAnswer(Generation* generation, FinishReason reason);
  void End(Generation* generation, Ending ending);
  void AbortAll();
  void ObserveTimes(const Generation& generation, TimePoint now);

  // replica_transfer.cc: the halves of disaggregated requests.
  absl::Status ListenForKv();
  bool CheckTransfer(const Connection* connection, Refusal* refusal) const;
  void ReadHalf(Generation* generation);
  void ReadBootstrap(Generation* generation);
  void AwaitDecode(Generation* generation);
  bool AllWanted(const Generation& generation) const;
  void HoldForDecode(Generation* generation);
  void PushToDecode(Generation* generation);
  void FetchKv(Generation* generation);
  void OnFetched(uint64_t id, KvFetch::Outcome outcome);
  void OnBootstrapTimeout(uint64_t id);
  void FailTransfer(Generation* generation, std::string_view why);
  void EndTransfer(Generation* generation);
  void ForgetTransfers();
  Duration TransferTime(const Generation& generation) const;
  std::string EngineId() const;
  uint64_t Bootstrapping() const;

  void Accept(std::unique_ptr<Stream> stream);
  void CloseConnections(bool idle_only, Connection::Manner manner);
  void CheckStopped();

  EventLoop& loop_;
  const SimOptions& options_;
  const uint32_t index_;
  SocketAddress address_;
  FaultControl* const control_;
  const double started_unix_s_;
  const uint32_t context_tokens_max_;
  ClientPool client_;  // for transfers

  std::unique_ptr<Listener> listener_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_serial_ = 1;

  std::unique_ptr<Engine> engine_;
  Timer step_timer_;
  TimePoint step_ends_{};
  bool steps_posted_ = false;
  std::vector<EngineEvent> events_;
  std::vector<Connection*> touched_;  // by the events of this step

  // Generations have the id (use << 32 | slot); a use is never repeated in a slot.
  std::vector<std::unique_ptr<Generation>> slots_;
  std::vector<uint32_t> free_slots_;
  size_t in_flight_ = 0;

  std::unique_ptr<KvExporter> exporter_;
  uint32_t incarnation_ = 0;  // how often it has died: part of its engine id
  std::unordered_map<std::string, SocketAddress> known_engines_;
  std::unordered_map<uint64_t, std::unique_ptr<KvFetch>> releases_;  // on their way

  FaultState faults_;
  Timer restore_timer_;
  std::vector<uint64_t> hanging_;  // serials of connections
  bool stopping_ = false;
  std::function<void()> on_stopped_;

  ReplicaStats stats_;
  RequestBodyReader reader_;
  RequestBody request_;
  Work work_;
  std::string answer_;  // buffer
  std::string page_;    // the metrics page, unless it is stale
  bool page_stale_ = true;
  std::string last_body_;
  std::string replica_header_;
  std::string common_headers_;
  int64_t common_headers_second_ = -1;
  uint64_t next_request_id_ = 1;
  std::vector<MetricsInput::LoraState> lora_states_;
};

}  // namespace gw::sim
