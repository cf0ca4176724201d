#include "collect/scrape_target.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace gw {
namespace {

// Between two probes of an endpoint that is in use and in doubt.
constexpr Duration kDoubtInterval = std::chrono::seconds(1);

// What a probe asks, one after the other. The runtime trt-llm is trtllm-serve or Triton.
std::span<const std::string_view> HealthPaths(Runtime runtime) {
  static constexpr std::string_view kPaths[] = {"/health", "/v2/health/ready"};
  const std::span<const std::string_view> both(kPaths);
  if (runtime == Runtime::kTrtLlm) return both;
  return runtime == Runtime::kTriton ? both.subspan(1) : both.first(1);
}

constexpr http::HeaderField kFields[] = {{"user-agent", "penstock"}, {"accept", "text/plain"}};

}  // namespace

ScrapeTarget::ScrapeTarget(ClientPool& client, PrefixIndex& index, ScrapeMetrics& metrics,
                           const ScrapeOptions& options, ScrapeBudget& budget, Identity identity,
                           TimePoint first_due, std::function<void()> on_change)
    : client_(client),
      loop_(client.loop()),
      index_(index),
      metrics_(metrics),
      options_(options),
      budget_(budget),
      identity_(std::move(identity)),
      on_change_(std::move(on_change)),
      pacer_(options),
      first_due_(first_due),
      scanner_(identity_.runtime) {
  // What a target before this one, of another runtime, read of adapters is checked, too.
  memory_.has_adapters = identity_.state->lora_version.load(std::memory_order_relaxed) != 0;
}

ScrapeTarget::~ScrapeTarget() { CancelCall(); }

bool ScrapeTarget::Tick(TimePoint now) {
  if (identity_.access != nullptr && identity_.access->closed) return true;
  if (!resting()) {
    // Connecting has a time limit of its own.
    const bool sent = call_ != nullptr && !call_->connecting();
    if (sent && now - sent_ >= options_.timeout) Fail(ScrapeFailure::kTimeout, false);
    return true;
  }
  if (IsEjected(*identity_.state)) {
    if (!told_ejected_) TellEjected();
    if (IsProbeDue(*identity_.state, now)) Begin(Job::kProbe, now);
    return true;
  }
  if (!identity_.scraped) return true;  // a Service says nowhere how it is
  if (now - doubt_probed_at_ >= kDoubtInterval && TakeDoubt(*identity_.state)) {
    doubt_probed_at_ = now;
    Begin(Job::kProbe, now);
    return true;
  }
  if (now < ScrapeDue(is_in_use())) return true;
  // An endpoint that nobody has looked at ranks behind all others: the first look does not wait.
  if (ever_began_ && !budget_.Take()) {
    if (!deferred_) metrics_.deferred.Add();
    deferred_ = true;
    return false;
  }
  deferred_ = false;
  Begin(Job::kScrape, now);
  return true;
}

// In the order of Tick.
NextLook ScrapeTarget::Next(TimePoint now) const {
  if (identity_.access != nullptr && identity_.access->closed) return {};
  if (!resting()) {
    const bool sent = call_ != nullptr && !call_->connecting();
    return {.at = sent ? sent_ + options_.timeout : NextLook::kNever};
  }
  const int64_t until_ns = identity_.state->ejected_until_ns.load(std::memory_order_relaxed);
  if (until_ns != 0) {
    return {.at = told_ejected_ ? TimePoint(Duration(until_ns)) : now};
  }
  NextLook next{.sooner_on = News::kEjected};
  if (!identity_.scraped) return next;
  const bool in_use = is_in_use();
  next.at = ScrapeDue(in_use);
  if (!in_use && ScrapeDue(true) < next.at) next.sooner_on |= News::kInUse;
  const TimePoint doubt_due = doubt_probed_at_ + kDoubtInterval;
  if (now >= doubt_due) {
    next.sooner_on |= News::kDoubted;
  } else {
    next.at = std::min(next.at, doubt_due);
  }
  return next;
}

TimePoint ScrapeTarget::ScrapeDue(bool in_use) const {
  if (due_at_once_) return TimePoint::min();
  if (!ever_began_) return first_due_;
  return began_ + pacer_.Interval(in_use, identity_.metrics_age_max);
}

void ScrapeTarget::Begin(Job job, TimePoint now) {
  job_ = job;
  began_ = now;
  may_bring_back_ = IsEjected(*identity_.state);
  ever_began_ = true;
  due_at_once_ = false;
  health_path_ = 0;
  if (job == Job::kProbe && !identity_.scraped) {
    Connect();
  } else {
    // A probe asks whether the server takes new connections, so it makes one.
    Send(job == Job::kProbe ? Reuse::kNone : Reuse::kTrusted);
  }
}

void ScrapeTarget::Connect() {
  connector_ = Connector::New(loop_, identity_.address, options_.timeout,
                              [this](auto stream) { OnConnected(std::move(stream)); });
}

void ScrapeTarget::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  connector_.reset();
  if (stream.ok()) {
    if (tls() == nullptr) return CameBack();
    handshake_ = client_.handshakes().Connect(
        *std::move(stream), tls(), identity_.name, options_.timeout,
        [this](const TlsHandshake::Result& result) { OnShaken(result); });
    return;
  }
  const bool refused = ErrnoOf(stream.status()) == ECONNREFUSED;
  const bool timed_out = absl::IsDeadlineExceeded(stream.status());
  // Anything else is trouble of our own (no file descriptor left) or of the network.
  Fail(ScrapeFailure::kConnect, refused || timed_out,
       refused ? EndpointFailure::kConnectRefused : EndpointFailure::kConnectTimeout);
}

void ScrapeTarget::OnShaken(const TlsHandshake::Result& result) {
  handshake_.reset();
  client_.TellHandshake(identity_.name, result);
  if (result.stream != nullptr) return CameBack();
  const bool timed_out = result.error.failure == TlsFailure::kTimeout;
  Fail(timed_out ? ScrapeFailure::kConnect : ScrapeFailure::kTls, true,
       timed_out ? EndpointFailure::kConnectTimeout : EndpointFailure::kTlsHandshake);
}

void ScrapeTarget::Send(Reuse reuse) {
  body_bytes_ = 0;
  in_flight_at_start_ = identity_.state->in_flight_requests.load(std::memory_order_relaxed);
  tokens_at_start_ = identity_.state->own_tokens();
  sent_ = loop_.clock().Now();
  const std::string_view path =
      job_ == Job::kScrape ? "/metrics" : HealthPaths(identity_.runtime)[health_path_];
  http::HeaderField fields[std::size(kFields) + 1];
  size_t count = static_cast<size_t>(std::copy(std::begin(kFields), std::end(kFields), fields) -
                                     std::begin(fields));
  std::string_view authority = identity_.name;
  if (const EndpointAccess* const access = identity_.access.get()) {
    if (access->credential)
      fields[count++] = {access->credential->field, access->credential->value};
    if (!access->authority.empty()) authority = access->authority;
  }
  call_ = client_.Send({identity_.name, tls()},
                       {.target = path, .authority = authority, .fields = std::span(fields, count)},
                       reuse, this);
  if (job_ != Job::kScrape) return;
  reads_details_ = call_->connecting() || memory_.has_adapters ||
                   began_ - read_details_at_ >= options_.details_interval;
  if (reads_details_) read_details_at_ = began_;
  scanner_.Begin(reads_details_ ? MetricsScanner::Details::kRead : MetricsScanner::Details::kSkip);
}

void ScrapeTarget::OnNewConnection() {
  sent_ = loop_.clock().Now();
  on_change_();
}

void ScrapeTarget::OnResponseHead(const http::ResponseHead& head) { status_ = head.status; }

void ScrapeTarget::OnResponseBody(std::string_view piece) {
  body_bytes_ += piece.size();
  if (body_bytes_ > options_.page_bytes_max) return Fail(ScrapeFailure::kTooLarge, false);
  if (job_ == Job::kScrape) scanner_.Feed(piece);
}

void ScrapeTarget::OnResponseEnd() {
  call_ = nullptr;
  identity_.state->unanswered_scrapes.store(0, std::memory_order_relaxed);
  if (job_ == Job::kScrape) {
    CompleteScrape();
  } else {
    CompleteProbe();
  }
  on_change_();
}

void ScrapeTarget::OnResponseFailed(const ClientError& error) {
  call_ = nullptr;
  switch (error.failure) {
    case ClientFailure::kStaleConnection:
      Send(Reuse::kNone);  // it was closed while we wrote; the fresh connection decides
      return on_change_();
    case ClientFailure::kConnectRefused:
      return Fail(ScrapeFailure::kConnect, true, EndpointFailure::kConnectRefused);
    case ClientFailure::kConnectTimeout:
      return Fail(ScrapeFailure::kConnect, true, EndpointFailure::kConnectTimeout);
    case ClientFailure::kTlsHandshake:
      return Fail(ScrapeFailure::kTls, true, EndpointFailure::kTlsHandshake);
    case ClientFailure::kUnreachable:
    case ClientFailure::kLocalResources:
      return Fail(ScrapeFailure::kConnect, false, EndpointFailure::kConnectTimeout);
    case ClientFailure::kClosed:
      return Fail(ScrapeFailure::kClosed, true);
    case ClientFailure::kBadResponse:
      return Fail(ScrapeFailure::kMalformed, false);
    case ClientFailure::kTimeout:
      return Fail(ScrapeFailure::kTimeout, false);
  }
}

void ScrapeTarget::CompleteProbe() {
  if (status_ >= 500) {
    Fail(ScrapeFailure::kStatus, true);
  } else if (status_ >= 400 && health_path_ + 1 < HealthPaths(identity_.runtime).size()) {
    ++health_path_;
    Send(Reuse::kTrusted);
  } else {
    CameBack();
  }
}

void ScrapeTarget::CompleteScrape() {
  if (status_ != 200) {
    // The answer is complete and the connection in order: it is kept.
    CountFailure(ScrapeFailure::kStatus);
    return;
  }
  const MetricsSample& sample = scanner_.Finish();
  if (!sample.any_load_found()) {
    CountFailure(ScrapeFailure::kNoMetrics);
    return;
  }
  const Duration took = loop_.clock().Now() - sent_;
  metrics_.scrapes.Add();
  metrics_.duration.Observe(ToSeconds(took));
  pacer_.OnAnswer(took, sample.waiting_requests == 0 && sample.running_requests == 0);
  identity_.state->scrape_failures.store(0, std::memory_order_relaxed);
  Apply(sample);
}

void ScrapeTarget::Apply(const MetricsSample& sample) {
  for (size_t i = 0; sample.refused != 0 && i < MetricsScanner::kWantedCount; ++i) {
    if ((sample.refused & 1u << i) != 0) metrics_.refused_values[i]->Add();
  }
  EndpointState& state = *identity_.state;
  state.paced_age_ns.store(pacer_.PacedAge(identity_.metrics_age_max, budget_.Turn()).count(),
                           std::memory_order_relaxed);
  const PageReading reading{in_flight_at_start_, tokens_at_start_, reads_details_,
                            loop_.clock().Now()};
  if (!ApplyPage(sample, reading, &memory_, &state).restarted) return;
  index_.RemoveEndpoint(state.slot);
  Log(LogLevel::kInfo, "Model server was started anew, its prefix cache is empty",
      {{"endpoint", identity_.name}, {"pool", identity_.pool_id}});
}

void ScrapeTarget::CountFailure(ScrapeFailure failure) {
  metrics_.CountFailure(failure);
  pacer_.OnFailure();
  identity_.state->scrape_failures.fetch_add(1, std::memory_order_relaxed);
}

void ScrapeTarget::CancelCall() {
  connector_.reset();
  handshake_.reset();
  if (call_ != nullptr) std::exchange(call_, nullptr)->Cancel();
}

void ScrapeTarget::Fail(ScrapeFailure failure, bool counts, EndpointFailure kind) {
  CancelCall();
  EndpointState& state = *identity_.state;
  const TimePoint now = loop_.clock().Now();
  // Also when it is ejected already: requests may have gone there for want of another endpoint.
  if (kind == EndpointFailure::kConnectRefused) index_.RemoveEndpoint(state.slot);
  if (job_ == Job::kProbe) {
    FailProbe(failure, failure != ScrapeFailure::kConnect || counts, now);
    return on_change_();
  }
  CountFailure(failure);
  const bool unanswered =
      failure == ScrapeFailure::kTimeout || (counts && kind != EndpointFailure::kConnectRefused);
  if (unanswered) state.unanswered_scrapes.fetch_add(1, std::memory_order_relaxed);
  if (counts && RecordFailure(state, now, kind, options_.health)) {
    metrics_.CountEjection(identity_.pool_id);
  }
  on_change_();
}

// `asked`: the probe was made, and whatever went wrong, it did not succeed.
void ScrapeTarget::FailProbe(ScrapeFailure failure, bool asked, TimePoint now) {
  EndpointState& state = *identity_.state;
  if (!asked) return PostponeProbe(state, now, options_.health);
  metrics_.probes_failed.Add();
  const bool was_ejected = IsEjected(state);
  if (!RecordProbeFailure(state, now, options_.health)) return;
  if (!was_ejected) return metrics_.CountEjection(identity_.pool_id);
  Log(LogLevel::kInfo, "Endpoint still ejected",
      {{"endpoint", identity_.name},
       {"pool", identity_.pool_id},
       {"reason", NameOf(failure)},
       {"ejections", state.ejections.load()}});
}

// Whoever ejected it: requests do not log.
void ScrapeTarget::TellEjected() {
  told_ejected_ = true;
  Log(LogLevel::kWarning, "Endpoint ejected",
      {{"endpoint", identity_.name},
       {"pool", identity_.pool_id},
       {"reason", NameOf(CauseOf(*identity_.state))}});
}

void ScrapeTarget::CameBack() {
  metrics_.probes_succeeded.Add();
  due_at_once_ = true;
  // What was asked in doubt says nothing of an ejection that came meanwhile.
  if (may_bring_back_ && RecordProbeSuccess(*identity_.state, loop_.clock().Now())) {
    told_ejected_ = false;
    Log(LogLevel::kInfo, "Endpoint back in use",
        {{"endpoint", identity_.name}, {"pool", identity_.pool_id}});
  }
  on_change_();
}

}  // namespace gw
