#include "bench/load/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "bench/load/answer_text.h"
#include "bench/load/request_body.h"
#include "inference/response.h"

namespace gw::bench {
namespace {

// Below that it does not sleep: the kernel and the loop's timers count in milliseconds.
constexpr Duration kLooksFor = std::chrono::milliseconds(2);
constexpr size_t kErrorBytesMax = 4096;

// "code":"queue_full" of an error's body, or its "type"; empty: it says neither.
std::string CodeIn(std::string_view body) {
  for (const std::string_view key : {R"("code":")", R"("type":")"}) {
    const size_t at = body.find(key);
    if (at == body.npos) continue;
    const std::string_view rest = body.substr(at + key.size());
    const std::string_view code = rest.substr(0, rest.find('"'));
    if (!code.empty() && code.size() <= 64) return std::string(code);
  }
  return {};
}

}  // namespace

// One that is in flight, and used for another one afterwards.
class LoadRunner::Request final : public ResponseHandler {
 public:
  explicit Request(LoadRunner& runner) : runner_(runner) {}

  void Send(Ask ask) {
    ask_ = std::move(ask);
    answer_ = Answer{};
    target_ = runner_.target_.path + std::string(PathOf(ask_.api));
    fields_.clear();
    fields_.push_back({"content-type", "application/json"});
    for (const auto& [name, value] : runner_.target_.fields) fields_.push_back({name, value});
    for (const auto& [name, value] : ask_.fields) fields_.push_back({name, value});
    parts_ = {ask_.body};
    answer_.held = std::max(Duration::zero(), runner_.place_free_ - ask_.due);
    answer_.sent = runner_.now();
    SendOver(Reuse::kTrusted);
  }
  // The run is over.
  void Abandon() {
    if (call_ == nullptr) return;
    call_->Cancel();
    End(AnswerEnd::kUnfinished, "unfinished");
  }

  void OnResponseHead(const http::ResponseHead& head) override {
    answer_.status = head.status;
    const http::HeaderField* const type = head.headers.Find("content-type");
    is_stream_ = type != nullptr && type->value.starts_with("text/event-stream");
    reader_.Reset(ask_.api, is_stream_);
    text_.Reset();
    error_.clear();
  }
  void OnResponseBody(std::string_view piece) override {
    if (answer_.status != 200) {
      error_ += piece.substr(0, kErrorBytesMax - std::min(kErrorBytesMax, error_.size()));
      return;
    }
    reader_.Feed(piece);
    if (ask_.wants_text) text_.Feed(piece);
    CountEvents();
  }
  void OnResponseEnd() override {
    call_ = nullptr;
    reader_.Finish();
    if (answer_.status != 200) {
      const std::string code = CodeIn(error_);
      return End(AnswerEnd::kStatus,
                 fmt::format("{}{}{}", answer_.status, code.empty() ? "" : " ", code));
    }
    CountEvents();
    if (reader_.saw_error_event()) return End(AnswerEnd::kErrorEvent, "error event");
    // A stream that ends without its last event was cut by somebody who can end a message in order;
    // what is no stream was made by a model only if it counts tokens.
    const bool whole = is_stream_ ? reader_.saw_done() : reader_.usage().completion_tokens >= 0;
    if (!whole) return End(AnswerEnd::kBroken, is_stream_ ? "no last event" : "no answer");
    if (!is_stream_) answer_.first = answer_.last = runner_.now();  // all of it at once
    End(AnswerEnd::kComplete, {});
  }
  void OnResponseFailed(const ClientError& error) override {
    call_ = nullptr;
    // An idle connection may be closed by its server at any time: nothing came of the request.
    if (error.failure == ClientFailure::kStaleConnection && answer_.status == 0) {
      return SendOver(Reuse::kNone);
    }
    End(EndOf(error.failure), std::string(NameOf(error.failure)));
  }

  bool in_flight() const { return in_flight_; }

 private:
  static AnswerEnd EndOf(ClientFailure failure) {
    switch (failure) {
      case ClientFailure::kConnectRefused:
      case ClientFailure::kConnectTimeout:
      case ClientFailure::kTlsHandshake:
      case ClientFailure::kUnreachable:
      case ClientFailure::kLocalResources:
        return AnswerEnd::kConnect;
      case ClientFailure::kTimeout:
        return AnswerEnd::kTimeout;
      default:
        return AnswerEnd::kBroken;
    }
  }

  void SendOver(Reuse reuse) {
    in_flight_ = true;
    const ClientRequest request{.method = "POST",
                                .target = target_,
                                .authority = runner_.target_.authority,
                                .fields = fields_,
                                .has_body = true,
                                .parts = parts_};
    call_ =
        runner_.pool_.Send({runner_.target_.address, runner_.target_.tls}, request, reuse, this);
  }

  // What has come in one read came at one time.
  void CountEvents() {
    const uint32_t more = reader_.output_events() - answer_.events;
    if (more == 0) return;
    const Duration now = runner_.now();
    if (answer_.events == 0) {
      answer_.first = now;
    } else {
      const Duration gap = now - answer_.last;
      if (ask_.counts) runner_.records_.gaps.Add(gap);
      answer_.gap_max = std::max(answer_.gap_max, gap);
    }
    if (ask_.counts) runner_.records_.gaps.AddMany(Duration::zero(), more - 1);
    answer_.last = now;
    answer_.events += more;
    runner_.live_.output_events += more;
  }

  void End(AnswerEnd end, std::string error) {
    call_ = nullptr;
    in_flight_ = false;
    answer_.end = end;
    answer_.error = std::move(error);
    answer_.ended = runner_.now();
    if (answer_.status == 200) {
      answer_.prompt_tokens = reader_.usage().prompt_tokens;
      answer_.output_tokens = reader_.usage().completion_tokens;
      answer_.cached_tokens = reader_.usage().cached_tokens;
      if (ask_.wants_text) answer_.text = text_.Take();
    }
    runner_.OnEnded(this, std::move(ask_), std::move(answer_));
  }

  LoadRunner& runner_;
  ClientCall* call_ = nullptr;
  bool in_flight_ = false;
  bool is_stream_ = false;
  Ask ask_;
  Answer answer_;
  std::string target_;
  std::vector<http::HeaderField> fields_;
  std::array<std::string_view, 1> parts_;
  ResponseReader reader_;
  AnswerText text_;
  std::string error_;  // the beginning of an error's body
};

LoadRunner::LoadRunner(EventLoop& loop, const LoadTarget& target, const RunnerOptions& options,
                       LoadWorkload& workload, RunRecords& records)
    : loop_(loop),
      target_(target),
      options_(options),
      workload_(workload),
      records_(records),
      pool_(loop, options_.client, {}) {}

LoadRunner::~LoadRunner() = default;

void LoadRunner::Run(const std::function<bool(const LiveFigures&)>& on_tick) {
  began_ = loop_.clock().Now();
  Duration next_tick = options_.tick;
  while (!IsOver()) {
    SendDue();
    loop_.RunOnce(WaitMax());
    if (now() < next_tick) continue;
    next_tick += options_.tick;
    live_.now = now();
    const bool goes_on = on_tick(live_);
    live_.ttfts.clear();
    if (!goes_on) break;
  }
  for (const std::unique_ptr<Request>& request : requests_) {
    if (request->in_flight()) request->Abandon();
  }
  AbandonWaiting();
}

bool LoadRunner::IsDue() const {
  const std::optional<Duration> due = workload_.due();
  return due && *due <= now() && !(options_.length && *due >= *options_.length);
}

bool LoadRunner::IsOver() const {
  if (options_.length && now() >= *options_.length) {
    return (live_.in_flight == 0 && !IsDue()) || now() >= *options_.length + options_.patience;
  }
  return workload_.done() && live_.in_flight == 0;
}

// Until something is due, for whoever cannot wait exactly.
Duration LoadRunner::WaitMax() const {
  Duration wait = options_.tick;
  if (IsFull()) return wait;  // an answer ends it
  const std::optional<Duration> due = workload_.due();
  if (due && !(options_.length && *due >= *options_.length)) wait = std::min(wait, *due - now());
  return wait <= kLooksFor ? Duration::zero() : wait - kLooksFor;
}

void LoadRunner::SendDue() {
  while (!IsFull() && IsDue()) {
    if (idle_.empty()) {
      requests_.push_back(std::make_unique<Request>(*this));
      idle_.push_back(requests_.back().get());
    }
    Request* const request = idle_.back();
    idle_.pop_back();
    ++live_.asked;
    ++live_.in_flight;
    request->Send(workload_.Take());
  }
}

void LoadRunner::AbandonWaiting() {
  while (options_.in_flight_max > 0 && IsDue()) {
    const Ask ask = workload_.Take();
    Answer answer{.error = "no place"};
    answer.ended = now();
    answer.held = answer.ended - ask.due;
    records_.Add(ask, answer);
  }
}

void LoadRunner::OnEnded(Request* request, Ask ask, Answer answer) {
  if (IsFull()) place_free_ = now();
  --live_.in_flight;
  ++(answer.end == AnswerEnd::kComplete ? live_.completed : live_.failed);
  if (answer.first > Duration::zero()) live_.ttfts.push_back(answer.first - ask.due);
  records_.Add(ask, answer);
  workload_.OnAnswer(ask, answer, now());
  idle_.push_back(request);
}

}  // namespace gw::bench
