#include "collect/scrape_target.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace gw {
namespace {

// What a probe asks, one after the other. The runtime trt-llm is trtllm-serve or Triton.
std::span<const std::string_view> HealthPaths(Runtime runtime) {
  static constexpr std::string_view kPaths[] = {"/health", "/v2/health/ready"};
  const std::span<const std::string_view> both(kPaths);
  if (runtime == Runtime::kTrtLlm) return both;
  return runtime == Runtime::kTriton ? both.subspan(1) : both.first(1);
}

std::string GetRequest(std::string_view path, std::string_view host) {
  std::string request = "GET ";
  request.append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  request.append("\r\nUser-Agent: penstock\r\nAccept: text/plain\r\n\r\n");
  return request;
}

// Nobody listens there, as opposed to trouble of our own (no file descriptor left) or of the
// network.
bool IsRefused(const absl::Status& status) {
  return std::string_view(status.message().data(), status.message().size())
      .ends_with(std::strerror(ECONNREFUSED));
}

std::vector<std::string> SplitAdapters(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

}  // namespace

ScrapeTarget::ScrapeTarget(EventLoop& loop, PrefixIndex& index, ScrapeMetrics& metrics,
                           const ScrapeOptions& options, Identity identity, TimePoint first_due)
    : loop_(loop),
      index_(index),
      metrics_(metrics),
      options_(options),
      identity_(std::move(identity)),
      pacer_(options),
      // What a target before this one, of another runtime, read of adapters is checked, too.
      has_adapters_(identity_.state->lora_version.load(std::memory_order_relaxed) != 0),
      first_due_(first_due),
      scanner_(identity_.runtime) {}

void ScrapeTarget::Tick(TimePoint now) {
  if (phase_ != Phase::kResting) {
    // Connecting has a time limit of its own.
    if (phase_ == Phase::kAnswering && now - sent_ >= options_.timeout) {
      Fail(ScrapeFailure::kTimeout, false);
    }
    return;
  }
  if (IsEjected(*identity_.state)) {
    if (IsProbeDue(*identity_.state, now)) Begin(Job::kProbe, now);
    return;
  }
  if (!identity_.scraped) return;
  if (!due_at_once_) {
    if (!ever_began_) {
      if (now < first_due_) return;
    } else {
      const bool in_use = identity_.state->in_flight_requests.load(std::memory_order_relaxed) > 0;
      if (now - began_ < pacer_.Interval(in_use, identity_.metrics_age_max)) return;
    }
  }
  Begin(Job::kScrape, now);
}

void ScrapeTarget::Begin(Job job, TimePoint now) {
  job_ = job;
  began_ = now;
  ever_began_ = true;
  due_at_once_ = false;
  // A probe asks whether the server takes new connections, so it makes one.
  if (job == Job::kProbe) stream_.reset();
  health_path_ = 0;
  if (stream_ != nullptr && !stream_->peer_gone()) {
    Send();
  } else {
    Connect();
  }
}

void ScrapeTarget::Connect() {
  stream_.reset();
  phase_ = Phase::kConnecting;
  fresh_connection_ = true;
  connector_ = Connector::New(loop_, identity_.address, options_.timeout,
                              [this](auto stream) { OnConnected(std::move(stream)); });
}

void ScrapeTarget::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  connector_.reset();
  if (!stream.ok()) {
    const bool refused = IsRefused(stream.status());
    const bool timed_out = absl::IsDeadlineExceeded(stream.status());
    Fail(ScrapeFailure::kConnect, refused || timed_out,
         refused ? EndpointFailure::kConnectRefused : EndpointFailure::kNoAnswer);
    return;
  }
  if (job_ == Job::kProbe && !identity_.scraped) {
    Rest();
    CameBack();
    return;
  }
  stream_ = std::move(*stream);
  stream_->set_observer(this);
  Send();
}

void ScrapeTarget::Send() {
  phase_ = Phase::kAnswering;
  saw_answer_bytes_ = false;
  body_bytes_ = 0;
  parser_.Reset(false);
  in_flight_at_start_ = identity_.state->in_flight_requests.load(std::memory_order_relaxed);
  if (job_ == Job::kScrape) {
    reads_details_ = fresh_connection_ || has_adapters_ ||
                     began_ - read_details_at_ >= options_.details_interval;
    if (reads_details_) read_details_at_ = began_;
    scanner_.Begin(reads_details_ ? MetricsScanner::Details::kRead
                                  : MetricsScanner::Details::kSkip);
  }
  const std::string request =
      GetRequest(job_ == Job::kScrape ? "/metrics" : HealthPaths(identity_.runtime)[health_path_],
                 identity_.name);
  sent_ = loop_.clock().Now();
  const iovec part{const_cast<char*>(request.data()), request.size()};
  // A hundred bytes on a resting connection either fit the socket's buffer or the connection is
  // dead.
  if (stream_->Write({&part, 1}).state != IoState::kOk) OnClosed();
}

void ScrapeTarget::OnReadable() {
  while (stream_ != nullptr) {
    const std::span<char> scratch = loop_.scratch();
    const IoResult read = stream_->Read(scratch);
    if (read.state == IoState::kWouldBlock) return;
    if (read.state != IoState::kOk) {
      OnClosed();
      return;
    }
    if (!Consume({scratch.data(), read.bytes})) return;
  }
}

bool ScrapeTarget::Consume(std::string_view bytes) {
  if (phase_ != Phase::kAnswering) {  // bytes that nobody asked for
    stream_.reset();
    return false;
  }
  saw_answer_bytes_ = true;
  while (true) {
    const http::H1Step step = parser_.Next(bytes);
    if (step.event != http::H1Event::kError) bytes.remove_prefix(step.consumed);
    switch (step.event) {
      case http::H1Event::kNeedMore:
        return true;
      case http::H1Event::kHead:
        break;
      case http::H1Event::kBody:
        body_bytes_ += step.body.size();
        if (body_bytes_ > options_.page_bytes_max) {
          Fail(ScrapeFailure::kTooLarge, false);
          return false;
        }
        if (job_ == Job::kScrape) scanner_.Feed(step.body);
        break;
      case http::H1Event::kEnd:
        if (!bytes.empty()) stream_.reset();
        Complete();
        return stream_ != nullptr;
      case http::H1Event::kError:
        Fail(ScrapeFailure::kMalformed, false);
        return false;
    }
  }
}

void ScrapeTarget::OnClosed() {
  if (phase_ != Phase::kAnswering) {
    stream_.reset();  // an idle connection, as servers may close
    return;
  }
  if (saw_answer_bytes_ && parser_.OnClose()) {
    stream_.reset();
    Complete();
  } else if (!fresh_connection_ && !saw_answer_bytes_) {
    Connect();  // it was closed while we wrote; the fresh connection decides
  } else {
    Fail(ScrapeFailure::kClosed, true);
  }
}

void ScrapeTarget::Complete() {
  const http::ResponseHead& head = parser_.head();
  const int status = head.status;
  if (!head.keep_alive) stream_.reset();
  fresh_connection_ = false;
  identity_.state->unanswered_scrapes.store(0, std::memory_order_relaxed);
  if (job_ == Job::kScrape) {
    CompleteScrape(status);
  } else {
    CompleteProbe(status);
  }
}

void ScrapeTarget::CompleteProbe(int status) {
  if (status >= 500) {
    Fail(ScrapeFailure::kStatus, true);
  } else if (status >= 400 && health_path_ + 1 < HealthPaths(identity_.runtime).size()) {
    ++health_path_;
    stream_ != nullptr ? Send() : Connect();
  } else {
    Rest();
    CameBack();
  }
}

void ScrapeTarget::CompleteScrape(int status) {
  if (status != 200) {
    // The answer is complete and the connection in order: it is kept.
    CountFailure(ScrapeFailure::kStatus);
    Rest();
    return;
  }
  const MetricsSample& sample = scanner_.Finish();
  if (!sample.any_load_found()) {
    CountFailure(ScrapeFailure::kNoMetrics);
    Rest();
    return;
  }
  const Duration took = loop_.clock().Now() - sent_;
  metrics_.scrapes.Add();
  metrics_.duration.Observe(ToSeconds(took));
  pacer_.OnAnswer(took, sample.waiting_requests == 0 && sample.running_requests == 0);
  Rest();
  identity_.state->scrape_failures.store(0, std::memory_order_relaxed);
  Apply(sample);
}

bool ScrapeTarget::CountRefused(const MetricsSample& sample) {
  using Scanner = MetricsScanner;
  for (size_t i = 0; sample.refused != 0 && i < Scanner::kWantedCount; ++i) {
    if ((sample.refused & 1u << i) != 0) metrics_.refused_values[i]->Add();
  }
  // A KV-cache use that is never a number is as good as not reported; requests are what a server
  // must be able to count.
  constexpr unsigned kRequests = 1u << Scanner::kWaiting | 1u << Scanner::kRunning;
  const unsigned needed = reported_kv_cache_ ? kRequests | 1u << Scanner::kKvCache : kRequests;
  return (sample.refused & needed) == 0;
}

void ScrapeTarget::Apply(const MetricsSample& sample) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  EndpointState& state = *identity_.state;
  const bool whole = CountRefused(sample);
  const auto good = [&sample](bool found, MetricsScanner::Wanted value) {
    return found && (sample.refused & 1u << value) == 0;
  };
  if (good(sample.waiting_found, MetricsScanner::kWaiting)) {
    state.waiting_requests.store(sample.waiting_requests, kRelaxed);
  }
  if (good(sample.running_found, MetricsScanner::kRunning)) {
    state.running_requests.store(sample.running_requests, kRelaxed);
  }
  if (good(sample.kv_cache_found, MetricsScanner::kKvCache)) {
    reported_kv_cache_ = true;
    state.kv_cache_utilization_ratio.store(sample.kv_cache_utilization_ratio, kRelaxed);
  }
  if (sample.cache_block_tokens != 0) {
    state.cache_block_tokens.store(sample.cache_block_tokens, kRelaxed);
  }
  if (sample.cache_blocks != 0) state.cache_blocks.store(sample.cache_blocks, kRelaxed);
  // The page was made between our request and now. Taking the larger of our counts at both ends
  // errs towards fewer foreign requests, so that a request of our own that ended in between is not
  // mistaken for one.
  const int32_t own = std::max(in_flight_at_start_, state.in_flight_requests.load(kRelaxed));
  const float total = state.waiting_requests.load(kRelaxed) + state.running_requests.load(kRelaxed);
  state.foreign_requests.store(std::max(0.0f, total - static_cast<float>(own)), kRelaxed);
  ApplyLora(sample);
  ApplyStart(sample);
  state.paced_age_ns.store(pacer_.PacedAge(identity_.metrics_age_max).count(), kRelaxed);
  if (!whole) return;
  state.scraped_at_ns.store(loop_.clock().Now().time_since_epoch().count(),
                            std::memory_order_release);
}

void ScrapeTarget::ApplyLora(const MetricsSample& sample) {
  if (!reads_details_) return;
  if (!sample.lora_found) {
    // A server that was started anew has used no adapter yet.
    if (has_adapters_) identity_.state->set_lora(nullptr);
    has_adapters_ = false;
    return;
  }
  if (has_adapters_ && sample.lora == adapters_) return;
  has_adapters_ = true;
  adapters_ = sample.lora;
  auto adapters = std::make_shared<LoraAdapters>();
  adapters->max_active = adapters_.max_active;
  adapters->base_model = adapters_.base_model;
  adapters->running = SplitAdapters(adapters_.running);
  adapters->waiting = SplitAdapters(adapters_.waiting);
  identity_.state->set_lora(std::move(adapters));
}

void ScrapeTarget::ApplyStart(const MetricsSample& sample) {
  if (sample.process_start_s == 0) return;
  if (process_start_s_ != 0 && process_start_s_ != sample.process_start_s) {
    index_.RemoveEndpoint(identity_.state->slot);
    Log(LogLevel::kInfo, "Model server was started anew, its prefix cache is empty",
        {{"endpoint", identity_.name}, {"pool", identity_.pool_id}});
  }
  process_start_s_ = sample.process_start_s;
}

void ScrapeTarget::CountFailure(ScrapeFailure failure) {
  metrics_.CountFailure(failure);
  pacer_.OnFailure();
  identity_.state->scrape_failures.fetch_add(1, std::memory_order_relaxed);
}

void ScrapeTarget::Rest() { phase_ = Phase::kResting; }

void ScrapeTarget::Fail(ScrapeFailure failure, bool counts, EndpointFailure kind) {
  connector_.reset();
  stream_.reset();
  Rest();
  if (job_ == Job::kProbe) {
    metrics_.probes_failed.Add();
    counts = true;  // whatever went wrong, the probe did not succeed
  } else {
    CountFailure(failure);
    const bool unanswered =
        failure == ScrapeFailure::kTimeout || (counts && kind != EndpointFailure::kConnectRefused);
    if (unanswered) identity_.state->unanswered_scrapes.fetch_add(1, std::memory_order_relaxed);
  }
  EndpointState& state = *identity_.state;
  // Also when it is ejected already: requests may have gone there for want of another endpoint.
  if (kind == EndpointFailure::kConnectRefused) index_.RemoveEndpoint(state.slot);
  if (!counts || !RecordFailure(state, loop_.clock().Now(), kind, options_.health)) return;
  if (job_ == Job::kProbe) {
    Log(LogLevel::kInfo, "Endpoint still ejected",
        {{"endpoint", identity_.name},
         {"pool", identity_.pool_id},
         {"reason", NameOf(failure)},
         {"probes_failed", state.ejections.load() - 1}});
    return;
  }
  metrics_.CountEjection(identity_.pool_id);
  Log(LogLevel::kWarning, "Endpoint ejected",
      {{"endpoint", identity_.name}, {"pool", identity_.pool_id}, {"reason", NameOf(failure)}});
}

void ScrapeTarget::CameBack() {
  metrics_.probes_succeeded.Add();
  due_at_once_ = true;
  if (!RecordProbeSuccess(*identity_.state)) return;
  Log(LogLevel::kInfo, "Endpoint back in use",
      {{"endpoint", identity_.name}, {"pool", identity_.pool_id}});
}

}  // namespace gw
