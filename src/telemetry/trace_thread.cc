#include "telemetry/trace_thread.h"

#include <condition_variable>
#include <optional>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread_name.h"
#include "net/event_loop.h"
#include "telemetry/trace_exporter.h"
#include "telemetry/trace_queue.h"

namespace gw {
namespace {

class TraceThreadImpl final : public TraceThread {
 public:
  TraceThreadImpl(std::unique_ptr<EventLoop> loop, TraceMetrics& metrics,
                  const TraceOptions& options, uint64_t seed)
      : flush_timeout_(options.flush_timeout),
        metrics_(metrics),
        queue_(options.queue_max, options.queue_bytes_max, metrics),
        tracing_{Sampler(options.ratio), queue_, options.prompts ? options.prompt_bytes_max : 0},
        loop_(std::move(loop)),
        exporter_(std::in_place, *loop_, queue_, metrics, options, seed) {
    queue_.set_on_full_batch([this] { loop_->Post([this] { exporter_->Look(); }); });
    thread_ = std::thread([this] {
      NameThread("traces");
      loop_->Run();
    });
  }

  ~TraceThreadImpl() override {
    loop_->Post([this] { exporter_->Flush([this] { Flushed(); }); });
    WaitForFlush();
    loop_->Stop();
    thread_.join();
    exporter_.reset();
  }

  const Tracing& tracing() const override { return tracing_; }

 private:
  void Flushed() {
    const MutexLock lock(mutex_);
    flushed_ = true;
    changed_.notify_all();
  }
  void WaitForFlush() {
    const TimePoint end = RealClock().Now() + flush_timeout_;
    const MutexLock lock(mutex_);
    while (!flushed_ && mutex_.WaitUntil(changed_, end)) continue;
    if (!flushed_) metrics_.flush_timeout.Add();
  }

  const Duration flush_timeout_;
  TraceMetrics& metrics_;
  TraceQueue queue_;
  const Tracing tracing_;
  const std::unique_ptr<EventLoop> loop_;
  std::optional<TraceExporter> exporter_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool flushed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TraceThread>> TraceThread::Start(TraceMetrics& metrics,
                                                                const TraceOptions& options,
                                                                uint64_t seed) {
  ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, EventLoop::New());
  return std::make_unique<TraceThreadImpl>(std::move(loop), metrics, options, seed);
}

}  // namespace gw
