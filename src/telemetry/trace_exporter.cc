#include "telemetry/trace_exporter.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/version.h"
#include "http/retry_after.h"
#include "telemetry/partial_success.h"
#include "telemetry/request_spans.h"
#include "trace/otlp.h"

namespace gw {
namespace {

constexpr size_t kAnswerBytesMax = 64 * 1024;
// Of what a collector asks for: none is what it means by 0.
constexpr Duration kPauseMin = std::chrono::milliseconds(100);
constexpr Duration kPauseMax = std::chrono::minutes(5);
constexpr Duration kTellAgain = std::chrono::minutes(1);

ClientOptions OptionsOfClient(const TraceOptions& options) {
  ClientOptions client;
  client.response_timeout = options.export_timeout;
  client.idle_timeout = options.export_timeout;
  client.keep_alive_timeout = std::chrono::seconds(30);
  return client;
}

bool IsThrottled(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::string TextOf(const ClientError& error) {
  std::string text(NameOf(error.failure));
  if (!error.detail.empty()) return text + ": " + error.detail;
  return error.error_number == 0 ? text : text + ": " + std::strerror(error.error_number);
}

}  // namespace

TraceExporter::TraceExporter(EventLoop& loop, TraceQueue& queue, TraceMetrics& metrics,
                             const TraceOptions& options, uint64_t seed)
    : loop_(loop),
      queue_(queue),
      metrics_(metrics),
      options_(options),
      client_options_(OptionsOfClient(options)),
      random_(seed),
      client_(loop, client_options_, {.on_trouble = [](const ClientTrouble&) {}}),
      lookup_(loop),
      user_agent_("penstock/" + std::string(Version().version)),
      look_(loop, [this] { Look(); }),
      pause_(loop, [this] { Send(); }),
      timeout_(loop, [this] { OnTimeout(); }) {
  CHECK(options_.on());
  if (SocketAddress::Parse(options_.address).ok()) address_ = options_.address;
  look_.Start(kInterval);
}

TraceExporter::~TraceExporter() {
  if (call_ != nullptr) std::exchange(call_, nullptr)->Cancel();
  size_t left = spans_;
  for (const auto& request : queue_.TakeOldest(SIZE_MAX)) left += SpanCount(*request.record);
  if (left == 0) return;
  metrics_.not_flushed.Add(left);
  // Nobody can read the metrics any more.
  Log(LogLevel::kWarning, "The collector did not take all traces before the end",
      {{"collector", options_.authority}, {"spans", left}});
}

void TraceExporter::Look() {
  look_.Start(kInterval);
  if (spans_ > 0) return;  // one is under way; its end looks again
  if (TakeBatch()) {
    first_try_ = loop_.now();
    // The collector has asked for a pause, or is not there: the next one waits, too.
    if (!pause_.active()) Send();
  } else if (flushed_) {
    std::exchange(flushed_, nullptr)();
  }
}

void TraceExporter::Flush(std::function<void()> done) {
  flushed_ = std::move(done);
  const bool pauses = pause_.active();
  pause_.Stop();
  if (spans_ == 0) return Look();
  if (pauses) Send();
}

// From the queue into body_. False if there is nothing.
bool TraceExporter::TakeBatch() {
  const OtlpSpans::Attribute resource[] = {{"service.name", options_.service_name},
                                           {"service.version", Version().version},
                                           {"telemetry.sdk.name", "penstock"},
                                           {"telemetry.sdk.language", "cpp"},
                                           {"telemetry.sdk.version", Version().version}};
  OtlpSpans batch(resource, "penstock", Version().version);
  const Clock& clock = loop_.clock();
  const int64_t offset = clock.UnixNanos() - clock.Now().time_since_epoch().count();
  while (batch.count() < kBatchSpansMax && batch.bytes() < kBatchBytesMax) {
    TraceQueue::Requests requests = queue_.TakeOldest(1);
    if (requests.empty()) break;
    const TracedRequest& request = requests.front();
    AppendSpans(*request.record, request.prompt.get(), offset, random_, &batch);
    queue_.GiveBack(std::move(requests));
  }
  spans_ = batch.count();
  if (spans_ == 0) return false;
  body_ = batch.Finish();
  parts_[0] = body_;
  return true;
}

void TraceExporter::Send() {
  if (spans_ == 0) return Look();
  if (address_) return Post();
  if (lookup_.active()) return;
  lookup_.Start(options_.address, [this](absl::StatusOr<SocketAddress> found) {
    if (!found.ok()) {
      metrics_.posts_failed.Add();
      return TryAgain(std::string(found.status().message()), std::nullopt);
    }
    address_ = found->ToString();
    Post();
  });
}

void TraceExporter::Post() {
  std::vector<http::HeaderField> fields = {{"content-type", "application/json"},
                                           {"user-agent", user_agent_}};
  for (const auto& [name, value] : options_.headers) fields.push_back({name, value});
  status_ = 0;
  retry_after_.reset();
  answer_.clear();
  timeout_.Start(options_.export_timeout);
  call_ = client_.Send({*address_, options_.tls},
                       {.method = "POST",
                        .target = options_.path,
                        .authority = options_.authority,
                        .fields = fields,
                        .has_body = true,
                        .parts = parts_},
                       Reuse::kVerified, this);
}

void TraceExporter::OnResponseHead(const http::ResponseHead& head) {
  status_ = head.status;
  const http::HeaderField* const field = head.headers.Find("retry-after");
  if (field == nullptr) return;
  retry_after_ = http::ParseRetryAfter(field->value, loop_.clock().UnixNanos() / 1'000'000'000);
}

void TraceExporter::OnResponseBody(std::string_view piece) {
  answer_.append(piece.substr(0, kAnswerBytesMax - answer_.size()));
}

void TraceExporter::OnResponseEnd() {
  call_ = nullptr;
  timeout_.Stop();
  if (status_ >= 200 && status_ <= 299) return Taken();
  const std::string why = "status " + std::to_string(status_);
  if (IsThrottled(status_)) {
    metrics_.posts_throttled.Add();
    return TryAgain(why, retry_after_);
  }
  metrics_.posts_refused.Add();
  Lose(metrics_.refused, why);
  EndBatch();
}

void TraceExporter::OnResponseFailed(const ClientError& error) {
  call_ = nullptr;
  timeout_.Stop();
  metrics_.posts_failed.Add();
  // Its name may have another address by now.
  if (!SocketAddress::Parse(options_.address).ok()) address_.reset();
  TryAgain(TextOf(error), std::nullopt);
}

void TraceExporter::OnTimeout() {
  std::exchange(call_, nullptr)->Cancel();
  metrics_.export_timeout.Add();
  metrics_.posts_failed.Add();
  TryAgain("no answer in time", std::nullopt);
}

void TraceExporter::Taken() {
  const PartialSuccess partial = ReadPartialSuccess(answer_);
  const size_t rejected = std::min<uint64_t>(partial.rejected_spans, spans_);
  metrics_.exported.Add(spans_ - rejected);
  metrics_.rejected.Add(rejected);
  (partial.empty() ? metrics_.posts_ok : metrics_.posts_partial).Add();
  if (!partial.empty()) {
    Log(LogLevel::kWarning, "The collector of traces has not taken all",
        {{"rejected_spans", rejected}, {"error", partial.message}});
  }
  if (failing_) {
    Log(LogLevel::kInfo, "Traces reach the collector again", {{"collector", options_.authority}});
  }
  failing_ = false;
  told_ = {};
  back_off_ = kBackOffFirst;
  EndBatch();
}

// Between half and all of it, so that many gateways do not come back at once.
Duration TraceExporter::NextBackOff() {
  const Duration wait = back_off_ / 2 + Duration(random_.Below((back_off_ / 2).count()));
  back_off_ = std::min(back_off_ * 2, kBackOffMax);
  return wait;
}

void TraceExporter::TryAgain(const std::string& why, std::optional<Duration> asked) {
  if (flushed_) {
    Lose(metrics_.not_flushed, why);
    return EndBatch();
  }
  const Duration wait = asked ? std::clamp(*asked, kPauseMin, kPauseMax) : NextBackOff();
  pause_.Start(wait);
  if (loop_.now() + wait <= first_try_ + options_.retry_timeout) return Tell(why);
  metrics_.retry_timeout.Add();
  Lose(metrics_.gave_up, why);
  EndBatch();
}

void TraceExporter::Lose(Counter& counter, const std::string& why) {
  counter.Add(spans_);
  Tell(why);
}

void TraceExporter::Tell(const std::string& why) {
  failing_ = true;
  const TimePoint now = loop_.now();
  if (told_ != TimePoint() && now - told_ < kTellAgain) return;
  told_ = now;
  Log(LogLevel::kWarning, "Traces do not reach the collector",
      {{"collector", options_.authority}, {"error", why}});
}

// The next one goes at once if it is whole, or if the end is near.
void TraceExporter::EndBatch() {
  spans_ = 0;
  body_.clear();
  if (flushed_ || queue_.size() >= TraceQueue::kBatchRecords) look_.Start(Duration(0));
}

}  // namespace gw
