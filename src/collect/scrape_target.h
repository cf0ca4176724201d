// ScrapeTarget: one endpoint as the scraper sees it: its pace, and the exchange under way.
//
// Tick begins what is due or gives up what has timed out; all else comes from the loop. Next says
// when Tick has something to do (look_plan.h): a call before then does nothing. A kept connection
// that the server has closed meanwhile is replaced by a fresh one without counting a failure.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "client/pool.h"
#include "collect/apply_page.h"
#include "collect/look_plan.h"
#include "collect/metrics_text.h"
#include "collect/scrape_budget.h"
#include "collect/scrape_metrics.h"
#include "collect/scrape_options.h"
#include "collect/scrape_pacer.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/tls.h"
#include "pool/endpoint.h"
#include "pool/endpoint_access.h"
#include "prefix/index.h"

namespace gw {

class ScrapeTarget final : private ResponseHandler {
 public:
  struct Identity {
    std::shared_ptr<EndpointState> state;
    SocketAddress address = {};
    std::string name;     // "127.0.0.11:8000", for Host and logs
    std::string pool_id;  // a pool that holds it, for logs and metrics
    Runtime runtime = Runtime::kVllm;
    bool scraped = true;  // false: endpoints of Services, only probed
    Duration metrics_age_max{0};
    std::shared_ptr<const EndpointAccess> access = nullptr;  // as requests to that pool have it

    // Whether a target of that identity does what one of this does. Names follow from the state.
    bool SameAs(const Identity& other) const {
      return state == other.state && pool_id == other.pool_id && runtime == other.runtime &&
             scraped == other.scraped && metrics_age_max == other.metrics_age_max &&
             SameAccess(access, other.access);
    }
  };

  // `first_due`: when the first scrape may begin. `on_change`: something other than Tick, or Tick,
  // has made what Next says another. The references outlive the target.
  ScrapeTarget(ClientPool& client, PrefixIndex& index, ScrapeMetrics& metrics,
               const ScrapeOptions& options, ScrapeBudget& budget, Identity identity,
               TimePoint first_due, std::function<void()> on_change);
  ~ScrapeTarget();

  const Identity& identity() const { return identity_; }

  // Begins what is due at `now`, ends what has timed out. False: a scrape is due and the budget has
  // nothing left for it.
  bool Tick(TimePoint now);
  // When Tick has something to do next, as far as is known at `now`. Holds until Tick is called,
  // on_change tells or the options change.
  NextLook Next(TimePoint now) const;

 private:
  enum class Job : uint8_t { kScrape, kProbe };

  void OnNewConnection() override;
  void OnResponseHead(const http::ResponseHead& head) override;
  void OnResponseBody(std::string_view piece) override;
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;

  bool is_in_use() const {
    return identity_.state->in_flight_requests.load(std::memory_order_relaxed) > 0;
  }
  TimePoint ScrapeDue(bool in_use) const;
  bool resting() const {
    return call_ == nullptr && connector_ == nullptr && handshake_ == nullptr;
  }
  std::shared_ptr<const ClientTls> tls() const {
    return identity_.access == nullptr ? nullptr : identity_.access->tls;
  }
  void Begin(Job job, TimePoint now);
  void Connect();
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void OnShaken(const TlsHandshake::Result& result);
  void Send(Reuse reuse);
  void CompleteScrape();
  void CompleteProbe();
  void Apply(const MetricsSample& sample);
  void CountFailure(ScrapeFailure failure);
  void CancelCall();
  // Ends the exchange. `counts`: as a failure of the endpoint's health, too.
  void Fail(ScrapeFailure failure, bool counts, EndpointFailure kind = EndpointFailure::kNoAnswer);
  void FailProbe(ScrapeFailure failure, bool asked, TimePoint now);
  void TellEjected();
  void CameBack();

  ClientPool& client_;
  EventLoop& loop_;
  PrefixIndex& index_;
  ScrapeMetrics& metrics_;
  const ScrapeOptions& options_;
  ScrapeBudget& budget_;
  const Identity identity_;
  const std::function<void()> on_change_;
  ScrapePacer pacer_;

  Job job_ = Job::kScrape;
  int status_ = 0;  // of the answer under way
  bool reads_details_ = false;
  bool due_at_once_ = false;
  bool told_ejected_ = false;
  bool may_bring_back_ = false;  // the probe under way was begun after the back-off
  TimePoint doubt_probed_at_{};
  TimePoint read_details_at_{};
  size_t body_bytes_ = 0;
  size_t health_path_ = 0;  // of the probe under way
  int32_t in_flight_at_start_ = 0;
  int64_t tokens_at_start_ = 0;
  TimePoint first_due_;
  TimePoint began_{};
  TimePoint sent_{};  // over the connection, once there is one
  bool ever_began_ = false;
  bool deferred_ = false;  // the scrape that is due has been counted as waiting for the budget

  std::unique_ptr<Connector> connector_;  // to see whether somebody listens
  std::unique_ptr<TlsHandshake> handshake_;
  ClientCall* call_ = nullptr;
  MetricsScanner scanner_;
  PageMemory memory_;
};

}  // namespace gw
