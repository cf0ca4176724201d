#include "net/epoll_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutex.h"

namespace gw {
namespace internal {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(1);

}  // namespace

EpollLoop::EpollLoop(const Clock& clock, int epoll_fd, int event_fd)
    : clock_(clock),
      epoll_fd_(epoll_fd),
      event_fd_(event_fd),
      base_(clock.Now()),
      now_(base_),
      scratch_(new char[kScratchBytes]) {
  // Edge-triggered, so that the counter never needs to be read: each write is a new edge.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event) == 0);
}

EpollLoop::~EpollLoop() {
  // Tasks may own streams and timers of this loop, so they go while it still works.
  std::vector<std::function<void()>> tasks;
  {
    const MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  tasks.clear();
  FreeEnded();
  // A stream that outlives its loop would unlink itself from memory that is gone.
  DCHECK(deferred_.empty() && watched_ == 0);
  close(event_fd_);
  close(epoll_fd_);
}

void EpollLoop::Run() {
  while (!stop_.load(std::memory_order_acquire)) RunOnce(Duration::max());
  stop_.store(false, std::memory_order_release);
}

void EpollLoop::Stop() {
  stop_.store(true, std::memory_order_release);
  Wake();
}

void EpollLoop::Post(std::function<void()> task) {
  bool first;
  {
    const MutexLock lock(mutex_);
    first = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  if (first) Wake();
}

void EpollLoop::Wake() {
  const uint64_t one = 1;
  ssize_t written;
  do {
    written = write(event_fd_, &one, sizeof(one));
  } while (written < 0 && errno == EINTR);
}

int EpollLoop::Watch(int fd, uint32_t events, IoHandler* handler) {
  ++watched_;  // until Forget, which is called even if the kernel refuses
  return Resume(fd, events, handler);
}

int EpollLoop::Resume(int fd, uint32_t events, IoHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void EpollLoop::Suspend(int fd) { CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr) == 0); }

void EpollLoop::Rewatch(int fd, uint32_t events, IoHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void EpollLoop::Forget(const IoHandler* handler) {
  --watched_;
  for (int i = batch_next_; i < batch_count_; ++i) {
    if (batch_[i].data.ptr == handler) batch_[i].events = 0;
  }
}

void EpollLoop::StartTimer(TimerNode* node, Duration after) {
  if (node->linked()) wheel_.Stop(node);
  const TimePoint from = now();
  // A deadline beyond what the clock can say means never; half the range leaves room to add.
  after = std::clamp(after, Duration::zero(), Duration::max() / 2 - from.time_since_epoch() / 2);
  const Duration deadline = from - base_ + after;
  // Rounded up: a timer never fires early.
  wheel_.Start(node, static_cast<uint64_t>((deadline + kTick - Duration(1)) / kTick));
}

int EpollLoop::WaitMillis(Duration max_wait) {
  if (!deferred_.empty() || tasks_posted_ || stop_.load(std::memory_order_acquire)) return 0;
  Duration wait = max_wait;
  const uint64_t tick = wheel_.NextTick();
  if (tick != TimerWheel::kNever) {
    const TimePoint due = base_ + kTick * static_cast<int64_t>(tick);
    wait = std::min(wait, due - clock_.Now());
  }
  if (wait == Duration::max()) return -1;
  if (wait <= Duration::zero()) return 0;
  constexpr int64_t kMillisMax = 24 * 3600 * 1000;
  return static_cast<int>(std::min<int64_t>((wait - Duration(1)) / kTick + 1, kMillisMax));
}

void EpollLoop::RunOnce(Duration max_wait) {
  Poll(WaitMillis(max_wait));
  now_ = clock_.Now();
  in_round_ = true;
  // What asks to be called again from here on is called in the next round.
  ListHead again;
  again.TakeAll(&deferred_);
  std::vector<std::function<void()>> tasks;
  if (tasks_posted_) TakeTasks(&tasks);
  HandleEvents();
  while (!again.empty()) static_cast<Deferred*>(again.PopFront())->OnDeferred();
  for (std::function<void()>& task : tasks) {
    task();
    task = nullptr;  // what the task holds is released before the next one runs
  }
  RunTimers();
  FreeEnded();
  DCHECK(ended_.empty());
  in_round_ = false;
}

// A destructor may end something else.
void EpollLoop::FreeEnded() {
  while (!ended_.empty()) {
    freeing_.swap(ended_);
    for (const Ended& ended : freeing_) ended.free(ended.object);
    freeing_.clear();
  }
}

// Reads what is ready into the batch. A wait that a signal ended has read nothing, whatever is
// ready.
void EpollLoop::Poll(int wait_ms) {
  batch_next_ = 0;
  batch_count_ = std::max(0, epoll_wait(epoll_fd_, batch_, kBatchEvents, wait_ms));
  for (int i = 0; i < batch_count_; ++i) tasks_posted_ |= batch_[i].data.ptr == nullptr;
}

void EpollLoop::HandleEvents() {
  while (batch_next_ < batch_count_) {
    const epoll_event& event = batch_[batch_next_++];
    if (event.data.ptr == nullptr || event.events == 0) continue;
    static_cast<IoHandler*>(event.data.ptr)->OnEvents(event.events);
  }
}

// Data that arrived in time wins over its time-out: what was ready when now_ was read is handled
// before any timer, however much it is, and also if the process stood still since the last look
// (stopped, frozen, moved) and everything is due at once. The kernel hands out ready descriptors in
// turn, so that after as many batches as all of them fill, each has had its turn.
void EpollLoop::RunTimers() {
  const auto tick = static_cast<uint64_t>((now_ - base_) / kTick);
  if (wheel_.NextTick() > tick) {
    wheel_.SkipTo(tick);
    return;
  }
  for (size_t left = watched_ / kBatchEvents + 1; left > 0; --left) {
    Poll(0);
    HandleEvents();
    if (batch_count_ < kBatchEvents) break;
  }
  wheel_.Advance(tick);
}

// What is posted from here on runs in the next round.
void EpollLoop::TakeTasks(std::vector<std::function<void()>>* tasks) {
  tasks_posted_ = false;
  const MutexLock lock(mutex_);
  tasks->swap(tasks_);
}

}  // namespace internal

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::New(const Clock& clock) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("epoll_create1: ", std::strerror(errno)));
  }
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) {
    const int error = errno;
    close(epoll_fd);
    return absl::ResourceExhaustedError(absl::StrCat("eventfd: ", std::strerror(error)));
  }
  return std::make_unique<internal::EpollLoop>(clock, epoll_fd, event_fd);
}

Timer::Timer(EventLoop& loop, std::function<void()> on_expiry)
    : loop_(loop), on_expiry_(std::move(on_expiry)) {}

Timer::~Timer() { Stop(); }

void Timer::Start(Duration after) { internal::ImplOf(loop_).StartTimer(this, after); }

void Timer::Stop() {
  if (linked()) internal::ImplOf(loop_).StopTimer(this);
}

}  // namespace gw
