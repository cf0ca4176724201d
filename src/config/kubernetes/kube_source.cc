#include "config/kubernetes/kube_source.h"

#include <future>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/log.h"
#include "base/thread_name.h"
#include "kube/new_credentials.h"

namespace gw::config {
namespace {

// Whoever is ended does not wait for an API server that does not answer: another gateway waits for
// the lease's time then.
constexpr Duration kResignMax = std::chrono::seconds(2);

class KubeSource final : public ConfigSource {
 public:
  KubeSource(const KubeSourceOptions& options, Judge judge, std::unique_ptr<EventLoop> loop)
      : places_(absl::StrCat(options.access.server.ToString(), ", ", options.access_name)),
        load_timeout_(options.load_timeout),
        loop_(std::move(loop)),
        credentials_(kube::NewCredentials(options.access, RealClock())),
        load_timer_(*loop_, [this] { OnLoadTimeout(); }),
        stop_timer_(*loop_, [this] { loop_->Stop(); }),
        writer_(*loop_, options.access.server, *credentials_, options.writer,
                options.reader.seed + 1),
        reader_(
            *loop_, options.access.server, *credentials_, std::move(judge), [this] { OnNews(); },
            options.reader, &writer_) {}
  ~KubeSource() override { Stop(); }

  absl::StatusOr<FirstLoad> Load() override {
    CHECK(!thread_.joinable());
    Log(LogLevel::kInfo, "Objects are read from an API server", {{"server", places_}});
    std::future<absl::StatusOr<FirstLoad>> loaded = loaded_.get_future();
    load_timer_.Start(load_timeout_);
    thread_ = std::thread([this] {
      NameThread("kubernetes");
      loop_->Run();
    });
    return loaded.get();
  }

  void Start(OnChange on_change) override {
    loop_->Post([this, on_change = std::move(on_change)]() mutable {
      on_change_ = std::move(on_change);
      Deliver();
    });
  }

  // Nothing is told any more while the lease is given back.
  void Stop() override {
    if (!thread_.joinable()) return;
    loop_->Post([this] {
      on_change_ = nullptr;
      stop_timer_.Start(kResignMax);
      writer_.Resign([this] { loop_->Stop(); });
    });
    thread_.join();
  }

  // The server tells everything by itself; what it has told is delivered at once.
  void LookNow(std::function<void(bool)> done) override {
    loop_->Post([this, done = std::move(done)] { done(Deliver()); });
  }

  void SetOutcome(Outcome outcome) override {
    loop_->Post([this, outcome = std::move(outcome)] { writer_.Want(outcome); });
  }

  void Tell(ObjectEvent event) override {
    loop_->Post([this, event = std::move(event)] { writer_.Tell(event); });
  }
  bool leads() const override { return writer_.is_leader(); }
  void AddMetrics(MetricRegistry& metrics) override { AddWriterMetrics(metrics, writer_); }

  std::vector<std::string_view> limits() const override {
    return {std::begin(kClusterLimits), std::end(kClusterLimits)};
  }

 private:
  // On the loop's thread, all of these.

  void OnNews() {
    if (is_loaded_) {
      Deliver();
    } else if (reader_.has_synced()) {
      EndLoad(FirstLoad{.change = reader_.TakeChange().value_or(Change{}),
                        .files = 0,
                        .objects = reader_.objects(),
                        .places = places_});
    }
  }

  void OnLoadTimeout() {
    EndLoad(absl::UnavailableError(absl::StrCat("the cluster at ", places_, " was not read within ",
                                                ToSeconds(load_timeout_),
                                                " s: ", reader_.WhyNotSynced())));
  }

  void EndLoad(absl::StatusOr<FirstLoad> outcome) {
    load_timer_.Stop();
    is_loaded_ = true;
    loaded_.set_value(std::move(outcome));
  }

  // False if there was nothing to deliver.
  bool Deliver() {
    if (!on_change_) return false;
    std::optional<Change> change = reader_.TakeChange();
    if (change) on_change_(*std::move(change));
    return change.has_value();
  }

  const std::string places_;
  const Duration load_timeout_;
  const std::unique_ptr<EventLoop> loop_;
  const std::unique_ptr<kube::Credentials> credentials_;
  std::promise<absl::StatusOr<FirstLoad>> loaded_;
  bool is_loaded_ = false;  // or that has failed
  OnChange on_change_;      // from Start on
  Timer load_timer_;
  Timer stop_timer_;
  ClusterWriter writer_;
  ClusterReader reader_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ConfigSource>> NewKubeSource(const KubeSourceOptions& options,
                                                            Judge judge) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  return std::make_unique<KubeSource>(options, std::move(judge), std::move(loop));
}

}  // namespace gw::config
