#include "sim/server/replica.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sim/server/generation.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

// How far the engine may be behind the clock and still catch up.
constexpr Duration kLagMax = std::chrono::seconds(1);
// Iterations in one round of the loop before sockets have their turn.
constexpr int kStepsPerRound = 64;

// A transfer is answered when it is done, however long that takes.
constexpr ClientOptions kTransferOptions = {.response_timeout = std::chrono::hours(24)};

double UnixSeconds(EventLoop& loop) { return static_cast<double>(loop.clock().UnixNanos()) * 1e-9; }

}  // namespace

Replica::Replica(EventLoop& loop, const SimOptions& options, uint32_t index,
                 const SocketAddress& address, FaultControl* control)
    : loop_(loop),
      options_(options),
      index_(index),
      address_(address),
      control_(control),
      started_unix_s_(UnixSeconds(loop)),
      context_tokens_max_(static_cast<uint32_t>(
          std::min<uint64_t>(options.context_tokens_max,
                             uint64_t{options.spec.kv_blocks} * options.spec.block_tokens))),
      client_(loop, kTransferOptions, {}),
      engine_(std::make_unique<Engine>(options.spec)),
      step_timer_(loop, [this] { RunSteps(); }),
      restore_timer_(loop, [this] { Restore().IgnoreError(); }) {
  for (const FaultOrder& order : options.faults) {
    if (order.replica.value_or(index) == index) faults_.Add(order.fault);
  }
}

Replica::~Replica() = default;

absl::Status Replica::Listen() {
  if (!faults_.down) {
    ASSIGN_OR_RETURN(listener_, Listener::New(loop_, address_, {},
                                              [this](auto stream) { Accept(std::move(stream)); }));
    address_ = listener_->local();
    if (options_.role == Role::kPrefill) RETURN_IF_ERROR(ListenForKv());
  }
  replica_header_ = Concat({"x-sim-replica: ", address_.ToString(),
                            "\r\nx-sim-name: ", options_.name, "-", Digits(index_), "\r\n"});
  return absl::OkStatus();
}

void Replica::Accept(std::unique_ptr<Stream> stream) {
  const uint64_t serial = next_serial_++;
  ConnectionOwner& owner = *this;
  connections_[serial] =
      std::make_unique<Connection>(loop_, owner, options_, serial, std::move(stream));
}

void Replica::OnClosed(Connection* connection) {
  if (Generation* const generation = Find(connection->generation())) {
    End(generation, Ending::kClientLeft);
  }
  if (!hanging_.empty()) std::erase(hanging_, connection->serial());
  const auto found = connections_.find(connection->serial());
  loop_.FreeLater(std::move(found->second));
  connections_.erase(found);
  CheckStopped();
}

void Replica::StartInference(Connection* connection, Dialect dialect, const http::RequestHead& head,
                             std::string* body) {
  ++stats_.requests;
  page_stale_ = true;
  Refusal refusal;
  const bool good = CheckRequest(dialect, head, *body, &refusal) &&
                    (dialect == Dialect::kEmbedding || CheckTransfer(connection, &refusal));
  last_body_.swap(*body);
  if (!good) return Refuse(connection, dialect, refusal);

  Generation* const g = NewGeneration();
  g->connection = connection;
  connection->set_generation(g->id);
  g->stream = request_.stream && dialect != Dialect::kEmbedding;
  g->received = loop_.now();
  g->cut_after_tokens = faults_.cut_after_tokens;
  g->cut = faults_.cut;
  const std::string_view model = request_.model.empty() ? options_.models[0] : request_.model;
  const auto lora = std::find(options_.loras.begin(), options_.loras.end(), model);
  g->lora = lora == options_.loras.end() ? -1 : static_cast<int>(lora - options_.loras.begin());
  Answer& answer = g->answer;
  answer.dialect = dialect;
  answer.include_usage = request_.include_usage;
  answer.id = connection->request_id();
  answer.model = model;
  answer.created_s = loop_.clock().UnixNanos() / 1'000'000'000;
  answer.prompt_tokens = request_.prompt.size();
  answer.inputs = request_.inputs;
  if (dialect != Dialect::kEmbedding) answer.choices = request_.sequences();
  answer.seed = AnswerSeed(request_, options_.seed);
  if (dialect != Dialect::kEmbedding) ReadHalf(g);
  if (Hang(g)) return;
  Prepare(g);
  if (g->half == Half::kPrefill && !g->keys.empty()) return AwaitDecode(g);
  Submit(g);
}

bool Replica::CheckRequest(Dialect dialect, const http::RequestHead& head, std::string_view body,
                           Refusal* refusal) {
  const http::HeaderField* const type = head.headers.Find("content-type");
  if (type == nullptr || !http::EqualsIgnoreCase(type->value.substr(0, 16), "application/json")) {
    *refusal = {
        400, "Bad Request", "",
        "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"};
    return false;
  }
  if (!reader_.Read(dialect, body, &request_, refusal)) return false;
  if (!Serves(request_.model)) {
    std::string names;
    for (const std::string& model : options_.models) {
      Append(&names, {names.empty() ? "" : ", ", model});
    }
    *refusal = {
        404, "NotFoundError", "model",
        Concat({"The model `", request_.model, "` does not exist. Valid aliases: ", names, "."})};
    return false;
  }
  if (faults_.error_status != 0) {
    *refusal = {faults_.error_status, "Service Unavailable", "",
                "The engine is currently busy and cannot accept new requests. Please try again "
                "later or on a different instance."};
    return false;
  }
  if (faults_.busy_beyond && in_flight_ >= *faults_.busy_beyond) {
    *refusal = {429, "Too Many Requests", "", "As many requests are in work as may be.", 1};
    return false;
  }
  return CheckLengths(refusal);
}

bool Replica::Serves(std::string_view model) const {
  const auto has = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), model) != names.end();
  };
  return model.empty() || has(options_.models) || has(options_.loras);
}

bool Replica::CheckLengths(Refusal* refusal) const {
  const uint32_t prompt = request_.prompt.size();
  const uint32_t wanted = request_.output_tokens_max.value_or(1);
  if (prompt == 0) {
    *refusal = {400, "BadRequestError", "prompt", "The prompt is empty."};
  } else if (wanted > context_tokens_max_) {
    *refusal = {400, "BadRequestError", "max_tokens",
                Concat({"max_tokens=", Digits(wanted), " cannot be greater than max_model_len=",
                        Digits(context_tokens_max_), ". Please request fewer output tokens."})};
  } else if (uint64_t{prompt} + wanted > context_tokens_max_) {
    *refusal = {400, "BadRequestError", "input_tokens",
                Concat({"This model's maximum context length is ", Digits(context_tokens_max_),
                        " tokens. However, you requested ", Digits(wanted),
                        " output tokens and your prompt contains ", Digits(prompt),
                        " input tokens. Please reduce the length of the input prompt."})};
  } else {
    return true;
  }
  return false;
}

void Replica::Refuse(Connection* connection, Dialect dialect, const Refusal& refusal) {
  stats_.Count(Ending::kRefused);
  answer_.clear();
  AppendErrorBody(options_.runtime, dialect, refusal, &answer_);
  const bool tells = refusal.retry_after_s > 0;
  RespondJson(connection, refusal.status, answer_,
              tells ? Concat({"retry-after: ", Digits(refusal.retry_after_s), "\r\n"}) : "");
}

// Faults that leave a request without an answer. It still counts as in flight.
bool Replica::Hang(Generation* g) {
  if (faults_.error_delay > Duration{}) {
    g->late_error = std::make_unique<Timer>(loop_, [this, g] {
      Fail(g, {500, "InternalServerError", "", "Internal server error"}, Ending::kError);
    });
    g->late_error->Start(faults_.error_delay);
    return true;
  }
  if (!faults_.hang && !faults_.hang_after_headers) return false;
  hanging_.push_back(g->connection->serial());
  if (faults_.hang) return true;
  if (g->stream) {
    g->connection->BeginStream();
  } else {
    g->connection->SendHeadOnly(1000);
  }
  return true;
}

// What will be answered, and what the engine has to do for it.
void Replica::Prepare(Generation* g) {
  const bool embeds = g->answer.dialect == Dialect::kEmbedding;
  WorkOptions options{.seed = options_.seed,
                      .context_tokens_max = context_tokens_max_,
                      .block_tokens = options_.spec.block_tokens,
                      .cache = g->lora < 0 ? options_.models[0] : options_.loras[g->lora],
                      .embeds = embeds};
  // A prefill server of SGLang stops after one token, whatever the request says.
  if (g->half == Half::kPrefill && !g->keys.empty()) options.limit_max = 1;
  PlanWork(options, &request_, &work_);
  g->limit = work_.limit;
  g->output_tokens = work_.output_tokens;
  if (work_.ends_at_limit) g->reason = FinishReason::kLength;
  g->answer.text = work_.text;
  EngineRequest& request = g->request;
  request.id = g->id;
  request.kv_from_outside = g->half == Half::kDecode;
  // vLLM hands nothing over if the answer is complete already.
  request.holds_blocks = g->half == Half::kPrefill && g->reason == FinishReason::kLength;
  request.prompt_tokens = g->answer.prompt_tokens;
  request.output_tokens = g->output_tokens;
  request.block_names = work_.block_names;
}

void Replica::Submit(Generation* g) {
  const bool accepted = engine_->Submit(std::move(g->request));
  CHECK(accepted);  // CheckLengths keeps to the KV cache's size
  g->submitted = true;
  if (g->stream) g->connection->BeginStream();
  KickEngine();
}

Replica::Generation* Replica::NewGeneration() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<Generation>());
    slots_.back()->id = free_slots_.back();
  }
  Generation* const generation = slots_[free_slots_.back()].get();
  free_slots_.pop_back();
  const uint64_t id = generation->id + (uint64_t{1} << 32);
  *generation = {};
  generation->id = id;
  ++in_flight_;
  return generation;
}

Replica::Generation* Replica::Find(uint64_t id) {
  if (id == 0) return nullptr;
  Generation* const generation = slots_[id & UINT32_MAX].get();
  return generation->id == id && generation->connection != nullptr ? generation : nullptr;
}

void Replica::KickEngine() {
  if (engine_->in_step() || step_timer_.active() || steps_posted_) return;
  step_ends_ = loop_.now();
  PostSteps();
}

// In the next round: requests that came together are scheduled together. Not a timer, which may be
// a millisecond late.
void Replica::PostSteps() {
  steps_posted_ = true;
  loop_.Post([this] {
    steps_posted_ = false;
    RunSteps();
  });
}

void Replica::RunSteps() {
  const TimePoint now = loop_.now();
  for (int i = 0; i < kStepsPerRound; ++i) {
    if (engine_->in_step()) {
      if (now < step_ends_) return step_timer_.Start(step_ends_ - now);
      EndStep();
    }
    if (!engine_->busy()) return;
    if (now - step_ends_ > kLagMax) step_ends_ = now;
    const Duration duration = engine_->BeginStep();
    page_stale_ = true;
    if (engine_->batch().tokens > 0) {
      stats_.Observe(Measure::kIterationTokens, engine_->batch().tokens);
    }
    step_ends_ +=
        Duration(static_cast<int64_t>(static_cast<double>(duration.count()) / options_.speed));
  }
  PostSteps();
}

void Replica::EndStep() {
  page_stale_ = true;
  events_.clear();
  engine_->EndStep(&events_);
  touched_.clear();
  const TimePoint now = loop_.now();
  for (const EngineEvent& event : events_) OnEngineEvent(event, now);
  // One write for each stream and step, as the real ones do.
  for (Connection* const connection : touched_) {
    if (!connection->closed()) connection->Flush();
  }
}

void Replica::OnEngineEvent(const EngineEvent& event, TimePoint now) {
  Generation* const g = Find(event.id);
  if (g == nullptr) {
    // It was ended by an event before this one: nobody will ask for its blocks.
    if (event.kind == EngineEvent::Kind::kFinished) engine_->ReleaseHeld(event.id);
    return;
  }
  switch (event.kind) {
    case EngineEvent::Kind::kScheduled:
      g->running = true;
      if (g->scheduled != TimePoint{}) return;
      g->scheduled = now;
      g->answer.cached_tokens = event.tokens;
      stats_.prompt_tokens += g->answer.prompt_tokens;
      stats_.cached_prompt_tokens += event.tokens;
      if (g->half == Half::kDecode) {
        stats_.received_prompt_tokens += g->answer.prompt_tokens - 1 - event.tokens;
      }
      return;
    case EngineEvent::Kind::kPreempted:
      g->running = false;
      ++g->preemptions;
      return;
    case EngineEvent::Kind::kToken:
      return OnToken(g, event.tokens, now);
    case EngineEvent::Kind::kFinished:
      return Finish(g, now);
    case EngineEvent::Kind::kReceiving:
      return FetchKv(g);
  }
}

void Replica::Finish(Generation* g, TimePoint now) {
  ObserveTimes(*g, now);
  if (g->half == Half::kPrefill && !g->keys.empty()) return PushToDecode(g);
  if (g->half == Half::kPrefill && g->reason == FinishReason::kLength) HoldForDecode(g);
  if (!g->stream) SendAnswer(g, g->reason);
  End(g, g->reason == FinishReason::kLength ? Ending::kLength : Ending::kStop);
}

void Replica::OnToken(Generation* g, uint32_t tokens, TimePoint now) {
  if (g->cut_after_tokens.has_value() && tokens > *g->cut_after_tokens) return Cut(g);
  g->answer.output_tokens = tokens;
  stats_.generation_tokens += g->answer.choices;
  if (tokens == 1) {
    g->first_token = now;
    stats_.Observe(Measure::kTtft, ToSeconds(now - g->received));
  } else {
    stats_.Observe(Measure::kItl, ToSeconds(now - g->last_token));
  }
  g->last_token = now;
  if (!g->stream) return;
  // SGLang's prefill says its token when it has been handed over with the KV.
  if (g->half == Half::kPrefill && !g->keys.empty()) return;
  WriteToken(g);
  touched_.push_back(g->connection);
}

void Replica::WriteToken(Generation* g) {
  const bool last = g->answer.output_tokens == g->output_tokens;
  if (g->answer.output_tokens == 1) g->writer.Begin(g->answer, g->connection);
  g->writer.Token(g->answer, last ? g->reason : FinishReason::kNone, g->connection);
  if (last) {
    g->writer.End(g->answer, g->reason, g->connection);
    g->connection->EndStream();
  }
}

void Replica::ObserveTimes(const Generation& g, TimePoint now) {
  const auto seconds = [](TimePoint from, TimePoint to) { return ToSeconds(to - from); };
  stats_.Observe(Measure::kPromptTokens, g.answer.prompt_tokens);
  stats_.Observe(Measure::kGenerationTokens, g.output_tokens);
  stats_.Observe(Measure::kMaxGenerationTokens, g.output_tokens);
  stats_.Observe(Measure::kParamN, g.answer.choices);
  stats_.Observe(Measure::kParamMaxTokens, g.limit);
  if (g.output_tokens > 1) {
    stats_.Observe(Measure::kTpot, seconds(g.first_token, g.last_token) / (g.output_tokens - 1));
  }
  stats_.Observe(Measure::kE2e, seconds(g.received, now));
  stats_.Observe(Measure::kQueue, seconds(g.received, g.scheduled));
  stats_.Observe(Measure::kInference, seconds(g.scheduled, g.last_token));
  stats_.Observe(Measure::kPrefill, seconds(g.scheduled, g.first_token));
  stats_.Observe(Measure::kDecode, seconds(g.first_token, g.last_token));
  stats_.Observe(Measure::kPreemptions, g.preemptions);
  stats_.Observe(Measure::kPrefillComputed, g.answer.prompt_tokens - g.answer.cached_tokens);
  stats_.Observe(Measure::kHttpDuration, seconds(g.received, now));
}

// Breaks an answer off in the manner that was ordered.
void Replica::Cut(Generation* g) {
  if (g->cut == FaultState::Cut::kErrorEvent) {
    return Fail(g,
                {500, "InternalServerError", "",
                 "EngineCore encountered an issue. See stack trace (above) for the root cause."},
                Ending::kBroken);
  }
  Connection* const connection = g->connection;
  const bool reset = g->cut == FaultState::Cut::kReset;
  End(g, Ending::kBroken);
  connection->Flush();
  if (connection->closed()) return;
  connection->Close(reset ? Connection::Manner::kReset : Connection::Manner::kOrderly);
}

// Answers with an error status, or in the stream if that has begun.
void Replica::Fail(Generation* g, const Refusal& refusal, Ending ending) {
  Connection* const connection = g->connection;
  answer_.clear();
  if (!connection->stream_begun()) {
    AppendErrorBody(options_.runtime, g->answer.dialect, refusal, &answer_);
    End(g, ending);
    return RespondJson(connection, refusal.status, answer_);
  }
  // vLLM says who speaks before it looks at what is said.
  if (!g->writer.begun() && options_.runtime == Runtime::kVllm) {
    g->writer.Begin(g->answer, connection);
  }
  AppendErrorEvent(options_.runtime, refusal, &answer_);
  End(g, ending);
  connection->Event(answer_);
  connection->Event(kDoneEvent);
  connection->EndStream();
  connection->Flush();
}

void Replica::SendAnswer(Generation* g, FinishReason reason) {
  answer_.clear();
  AppendAnswerBody(g->answer, reason, &answer_);
  RespondJson(g->connection, 200, answer_);
}

// The one place where a request leaves, whatever ended it.
void Replica::End(Generation* g, Ending ending) {
  stats_.Count(ending);
  page_stale_ = true;
  EndTransfer(g);
  if (g->submitted) engine_->Cancel(g->id);  // finds nothing if it has finished
  g->late_error.reset();
  if (g->connection->generation() == g->id) g->connection->set_generation(0);
  g->connection = nullptr;
  free_slots_.push_back(static_cast<uint32_t>(g->id & UINT32_MAX));
  --in_flight_;
}

}  // namespace gw::sim
