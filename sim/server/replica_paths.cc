// The paths of a replica, and what changes its faults.

#include <simdjson.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "http/chars.h"
#include "sim/server/generation.h"
#include "sim/server/replica.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr size_t kLoraStatesMax = 32;

double UnixSeconds(EventLoop& loop) { return static_cast<double>(loop.clock().UnixNanos()) * 1e-9; }

void AppendHex(uint64_t value, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out->push_back(kDigits[(value >> shift) & 15]);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  out += '"';
  return out;
}

}  // namespace

enum class Replica::Path : uint8_t {
  kChat,
  kCompletions,
  kEmbeddings,
  kResponses,
  kMessages,
  kModels,
  kHealth,
  kVersion,
  kLoad,
  kMetrics,
  kResetPrefixCache,
  kState,
  kLastBody,
  kFault,
  kRestore,
};

void Replica::OnRequest(Connection* connection, const http::RequestHead& head, std::string* body) {
  static constexpr struct {
    std::string_view path;
    std::string_view method;
    Path what;
  } kPaths[] = {
      {"/v1/chat/completions", "POST", Path::kChat},
      {"/v1/completions", "POST", Path::kCompletions},
      {"/metrics", "GET", Path::kMetrics},
      {"/health", "GET", Path::kHealth},
      {"/v1/models", "GET", Path::kModels},
      {"/v1/embeddings", "POST", Path::kEmbeddings},
      {"/v1/responses", "POST", Path::kResponses},
      {"/v1/messages", "POST", Path::kMessages},
      {"/ping", "GET", Path::kHealth},
      {"/health_generate", "GET", Path::kHealth},
      {"/version", "GET", Path::kVersion},
      {"/load", "GET", Path::kLoad},
      {"/reset_prefix_cache", "POST", Path::kResetPrefixCache},
      {"/sim/state", "GET", Path::kState},
      {"/sim/last-body", "GET", Path::kLastBody},
      {"/sim/fault", "POST", Path::kFault},
      {"/sim/restore", "POST", Path::kRestore},
  };
  if (!connection->delayed()) MakeRequestId(connection, head);
  const std::string_view path = head.target.substr(0, head.target.find('?'));
  for (const auto& known : kPaths) {
    if (known.path != path) continue;
    if (known.method != head.method) {
      return RespondJson(connection, 405, R"({"detail":"Method Not Allowed"})",
                         Concat({"allow: ", known.method, "\r\n"}));
    }
    return AnswerPath(connection, known.what, head, body);
  }
  RespondJson(connection, 404, R"({"detail":"Not Found"})");
}

void Replica::AnswerPath(Connection* connection, Path path, const http::RequestHead& head,
                         std::string* body) {
  switch (path) {
    case Path::kChat:
      return StartInference(connection, Dialect::kChat, head, body);
    case Path::kCompletions:
      return StartInference(connection, Dialect::kCompletion, head, body);
    case Path::kEmbeddings:
      return StartInference(connection, Dialect::kEmbedding, head, body);
    case Path::kResponses:
      return StartInference(connection, Dialect::kResponses, head, body);
    case Path::kMessages:
      return StartInference(connection, Dialect::kMessages, head, body);
    case Path::kState:
      return AnswerState(connection);
    case Path::kLastBody:
      return connection->Respond(200, "application/octet-stream", last_body_);
    case Path::kFault:
      return OrderFault(connection, *body, false);
    case Path::kRestore:
      return OrderFault(connection, *body, true);
    default:
      break;
  }
  if (faults_.hang) return hanging_.push_back(connection->serial());
  switch (path) {
    case Path::kModels:
      return AnswerModels(connection);
    case Path::kHealth:
      return connection->Respond(faults_.unhealthy ? 503 : 200, {}, {});
    case Path::kVersion:
      return RespondJson(connection, 200, R"({"version":"0.32.0"})");
    case Path::kLoad:
      return RespondJson(connection, 200, R"({"server_load":0})");
    case Path::kMetrics:
      return AnswerMetrics(connection);
    case Path::kResetPrefixCache:
      page_stale_ = true;
      return RespondJson(
          connection, 200,
          engine_->ResetPrefixCache() ? R"({"success":true})" : R"({"success":false})");
    default:
      break;
  }
}

void Replica::MakeRequestId(Connection* connection, const http::RequestHead& head) {
  const http::HeaderField* const given = head.headers.Find("x-request-id");
  // It becomes part of ids in JSON, too.
  if (given != nullptr && !given->value.empty() && http::AllAre(http::kTokenChar, given->value)) {
    return connection->set_request_id(given->value);
  }
  std::string id;
  id.reserve(32);
  AppendHex((options_.seed + index_) * 0x9e3779b97f4a7c15, &id);
  AppendHex(next_request_id_++ * 0xbf58476d1ce4e5b9, &id);
  connection->set_request_id(id);
}

void Replica::RespondJson(Connection* connection, int status, std::string_view body,
                          std::string_view extra) {
  connection->Respond(status, kJson, body, extra);
}

std::string_view Replica::CommonHeaders() {
  const int64_t second = loop_.clock().UnixNanos() / 1'000'000'000;
  if (second != common_headers_second_) {
    common_headers_second_ = second;
    const auto time = static_cast<time_t>(second);
    tm parts{};
    gmtime_r(&time, &parts);
    char text[80];
    const size_t size = std::strftime(
        text, sizeof(text), "date: %a, %d %b %Y %H:%M:%S GMT\r\nserver: uvicorn\r\n", &parts);
    common_headers_.assign(text, size);
  }
  return common_headers_;
}

void Replica::AnswerModels(Connection* connection) {
  std::string body = R"({"object":"list","data":[)";
  const std::string created =
      std::string(std::string_view(Digits(static_cast<int64_t>(started_unix_s_))));
  const std::string_view owner = options_.runtime == Runtime::kVllm ? "vllm" : "sglang";
  const auto add = [&](std::string_view name, std::string_view parent, std::string_view length) {
    Append(&body,
           {body.ends_with('[') ? "" : ",", R"({"id":)", Quoted(name),
            R"(,"object":"model","created":)", created, R"(,"owned_by":")", owner, R"(","root":)",
            Quoted(name), R"(,"parent":)", parent, R"(,"max_model_len":)", length, "}"});
  };
  for (const std::string& model : options_.models) {
    add(model, "null", Digits(context_tokens_max_));
  }
  for (const std::string& lora : options_.loras) add(lora, Quoted(options_.models[0]), "null");
  body += "]}";
  RespondJson(connection, 200, body);
}

void Replica::AnswerMetrics(Connection* connection) {
  if (faults_.metrics_delay > Duration{} && !connection->delayed()) {
    return connection->Delay(faults_.metrics_delay);
  }
  ++stats_.scrapes;
  if (page_stale_) {
    NoteLoras();
    page_.clear();
    AppendMetricsPage(options_.runtime,
                      {.engine = *engine_,
                       .stats = stats_,
                       .model = options_.models[0],
                       .started_unix_s = started_unix_s_,
                       .role = options_.role,
                       .bootstrapping = Bootstrapping(),
                       .loras_max = static_cast<uint32_t>(options_.loras.size()),
                       .lora_states = lora_states_},
                      &page_);
    page_stale_ = false;
  }
  connection->Respond(200, MetricsContentType(options_.runtime), page_);
}

// vLLM keeps a series for each pair of adapter lists that there has been, and tells by its value, a
// time, which one is current.
void Replica::NoteLoras() {
  if (options_.loras.empty()) return;
  MetricsInput::LoraState state;
  state.unix_s = UnixSeconds(loop_);
  for (size_t i = 0; i < options_.loras.size(); ++i) {
    const auto any = [&](bool running) {
      return std::any_of(slots_.begin(), slots_.end(), [&](const auto& g) {
        return g->connection != nullptr && g->submitted && g->running == running &&
               g->lora == static_cast<int>(i);
      });
    };
    if (any(true)) Append(&state.running, {state.running.empty() ? "" : ",", options_.loras[i]});
    if (any(false)) Append(&state.waiting, {state.waiting.empty() ? "" : ",", options_.loras[i]});
  }
  std::erase_if(lora_states_, [&](const MetricsInput::LoraState& s) {
    return s.running == state.running && s.waiting == state.waiting;
  });
  if (lora_states_.size() == kLoraStatesMax) lora_states_.erase(lora_states_.begin());
  lora_states_.push_back(std::move(state));
}

void Replica::AnswerState(Connection* connection) {
  std::string body = Concat({R"({"replica":)",
                             Digits(index_),
                             R"(,"name":)",
                             Quoted(Concat({options_.name, "-", Digits(index_)})),
                             R"(,"address":)",
                             Quoted(address_.ToString()),
                             R"(,"kv_address":)",
                             Quoted(kv_address().port() == 0 ? "" : kv_address().ToString()),
                             R"(,"fault":)",
                             Quoted(faults_.description),
                             R"(,"connections":)",
                             Digits(connections_.size()),
                             R"(,"in_flight":)",
                             Digits(in_flight_),
                             R"(,"running":)",
                             Digits(engine_->running()),
                             R"(,"waiting":)",
                             Digits(engine_->waiting()),
                             R"(,"receiving":)",
                             Digits(engine_->deferred()),
                             R"(,"held":)",
                             Digits(engine_->held()),
                             R"(,"bootstrapping":)",
                             Digits(Bootstrapping()),
                             R"(,"kv_cache_used_blocks":)",
                             Digits(engine_->used_blocks()),
                             R"(,"preemptions":)",
                             Digits(engine_->counters().preemptions),
                             R"(,"scrapes":)",
                             Digits(stats_.scrapes),
                             R"(,"requests":)",
                             Digits(stats_.requests),
                             R"(,"prompt_tokens":)",
                             Digits(stats_.prompt_tokens),
                             R"(,"cached_prompt_tokens":)",
                             Digits(stats_.cached_prompt_tokens),
                             R"(,"generation_tokens":)",
                             Digits(stats_.generation_tokens),
                             R"(,"ended":{)"});
  for (size_t i = 0; i < stats_.endings.size(); ++i) {
    Append(&body, {i > 0 ? "," : "", "\"", NameOf(static_cast<Ending>(i)),
                   "\":", Digits(stats_.endings[i])});
  }
  body += "}}";
  RespondJson(connection, 200, body);
}

// {"fault":"break-after=3"}, {"fault":"refuse","replica":1,"for_ms":500}, {"replica":"all"}.
void Replica::OrderFault(Connection* connection, std::string_view body, bool restore) {
  FaultControl::Change change;
  std::string problem;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (!body.empty() && parser.parse(body.data(), body.size()).get(root)) problem = "not JSON";
  if (!body.empty() && problem.empty()) {
    uint64_t number = 0;
    std::string_view text;
    if (!root["replica"].get(number)) change.replica = static_cast<uint32_t>(number);
    if (!root["replica"].get(text)) change.all = text == "all";
    if (!root["for_ms"].get(number)) change.lasts = std::chrono::milliseconds(number);
    if (!restore && !root["fault"].get(text)) {
      absl::StatusOr<FaultOrder> order = ParseFaultOrder(text);
      if (order.ok()) {
        change.fault = order->fault;
        if (order->replica.has_value()) change.replica = order->replica;
      } else {
        problem = std::string(order.status().message());
      }
    }
  }
  if (!restore && !change.fault.has_value() && problem.empty()) problem = "no \"fault\"";
  if (!problem.empty()) {
    return RespondJson(connection, 400, Concat({R"({"detail":)", Quoted(problem), "}"}));
  }
  connection->set_control(true);
  const auto done = [this, serial = connection->serial()](const absl::Status& status) {
    const auto found = connections_.find(serial);
    if (found == connections_.end()) return;
    found->second->set_control(false);
    if (faults_.down) found->second->CloseWhenDone();
    RespondJson(found->second.get(), status.ok() ? 200 : 409,
                status.ok()
                    ? R"({"ok":true})"
                    : Concat({R"({"detail":)", Quoted(std::string(status.message())), "}"}));
  };
  if (control_ != nullptr) return control_->Apply(index_, change, done);
  if (change.fault.has_value()) {
    SetFault(*change.fault, change.lasts);
    return done(absl::OkStatus());
  }
  done(Restore());
}

void Replica::SetFault(const Fault& fault, Duration lasts) {
  faults_.Add(fault);
  if (exporter_ != nullptr) exporter_->SetStuck(faults_.no_transfer);
  if (lasts > Duration{}) restore_timer_.Start(lasts);
  if (!faults_.down) return;
  listener_.reset();
  if (fault.kind == FaultKind::kRefuse) {
    CloseConnections(true, Connection::Manner::kOrderly);
  } else if (fault.kind == FaultKind::kDie) {
    for (const auto& generation : slots_) {
      if (generation->connection != nullptr) End(generation.get(), Ending::kBroken);
    }
    CloseConnections(false, Connection::Manner::kReset);
    ForgetTransfers();
    step_timer_.Stop();
    engine_ = std::make_unique<Engine>(options_.spec);
  }
}

absl::Status Replica::Restore() {
  faults_ = {};
  if (exporter_ != nullptr) exporter_->SetStuck(false);
  restore_timer_.Stop();
  const std::vector<uint64_t> hanging = std::exchange(hanging_, {});
  for (const uint64_t serial : hanging) {
    const auto found = connections_.find(serial);
    if (found == connections_.end()) continue;
    if (Generation* const generation = Find(found->second->generation())) {
      End(generation, Ending::kBroken);
    }
    found->second->Close(Connection::Manner::kReset);
  }
  return listener_ != nullptr || stopping_ ? absl::OkStatus() : Listen();
}

void Replica::CloseConnections(bool idle_only, Connection::Manner manner) {
  std::vector<Connection*> all;
  for (const auto& [serial, connection] : connections_) all.push_back(connection.get());
  for (Connection* const connection : all) {
    if (connection->control()) continue;
    if (!idle_only || connection->idle()) connection->Close(manner);
  }
}

void Replica::Stop(std::function<void()> done) {
  stopping_ = true;
  on_stopped_ = std::move(done);
  listener_.reset();
  AbortAll();
  ForgetTransfers();
  std::vector<Connection*> all;
  for (const auto& [serial, connection] : connections_) all.push_back(connection.get());
  for (Connection* const connection : all) {
    if (!connection->closed()) connection->CloseWhenDone();
  }
  CheckStopped();
}

void Replica::AbortAll() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Generation* const g = slots_[i].get();
    Connection* const connection = g->connection;
    if (connection == nullptr) continue;
    connection->CloseWhenDone();
    if (!g->submitted) {
      End(g, Ending::kBroken);
      connection->Close(Connection::Manner::kReset);
      continue;
    }
    if (g->stream) {
      if (!g->writer.begun()) g->writer.Begin(g->answer, connection);
      g->writer.Stop(g->answer, FinishReason::kAbort, connection);
      g->writer.End(g->answer, FinishReason::kAbort, connection);
      connection->EndStream();
      End(g, Ending::kAbort);
      connection->Flush();
    } else {
      connection->set_generation(0);
      SendAnswer(g, FinishReason::kAbort);
      End(g, Ending::kAbort);
    }
  }
}

void Replica::CheckStopped() {
  if (stopping_ && connections_.empty() && on_stopped_ != nullptr) {
    std::exchange(on_stopped_, nullptr)();
  }
}

}  // namespace gw::sim
