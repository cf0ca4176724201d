#include "dns/resolver.h"

#include <ares.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "base/thread_name.h"

namespace gw {
namespace {

std::string IpOf(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const void* const raw =
      address.sa_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
          : &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  ares_inet_ntop(address.sa_family, raw, text, sizeof text);
  return text;
}

// Of the addresses of one family.
std::vector<std::string> IpsOf(const ares_addrinfo& found, int family) {
  std::vector<std::string> ips;
  for (const ares_addrinfo_node* node = found.nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family == family) ips.push_back(IpOf(*node->ai_addr));
  }
  return ips;
}

// An answer lives as long as the shortest-lived record that led to it.
Duration LifetimeOf(const ares_addrinfo& found) {
  int seconds = INT32_MAX;
  for (const ares_addrinfo_node* node = found.nodes; node != nullptr; node = node->ai_next) {
    seconds = std::min(seconds, node->ai_ttl);
  }
  for (const ares_addrinfo_cname* name = found.cnames; name != nullptr; name = name->next) {
    seconds = std::min(seconds, name->ttl);
  }
  return std::chrono::seconds(std::max(seconds, 0));
}

NameAnswer AnswerOf(int status, const ares_addrinfo* found) {
  NameAnswer answer;
  if (status == ARES_SUCCESS && found != nullptr) {
    answer.ips = IpsOf(*found, AF_INET);
    if (answer.ips.empty()) answer.ips = IpsOf(*found, AF_INET6);
    answer.lifetime = LifetimeOf(*found);
    answer.kind = NameAnswer::Kind::kFound;
    if (!answer.ips.empty()) return answer;
    status = ARES_ENODATA;
  }
  const bool none = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_ENONAME;
  answer.kind = none ? NameAnswer::Kind::kNoSuchName : NameAnswer::Kind::kFailed;
  answer.error = ares_strerror(status);
  return answer;
}

// One question, with its own channel: sockets of one that was given up cannot mix with another's.
class Lookup {
 public:
  explicit Lookup(std::string name) : name_(std::move(name)) {}
  ~Lookup() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  void Begin(const ResolverOptions& options) {
    ares_options wanted{};
    wanted.timeout = static_cast<int>(ToMillis(options.try_timeout));
    wanted.tries = options.tries;
    wanted.ndomains = 0;
    wanted.sock_state_cb = [](void* self, int fd, int reads, int writes) {
      static_cast<Lookup*>(self)->Watch(fd, reads != 0, writes != 0);
    };
    wanted.sock_state_cb_data = this;
    const int mask =
        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&channel_, &wanted, mask);
    if (status == ARES_SUCCESS && !options.servers.empty()) {
      status = ares_set_servers_ports_csv(channel_, options.servers.c_str());
    }
    if (status != ARES_SUCCESS) {
      answer_ = AnswerOf(status, nullptr);
      return;
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(
        channel_, name_.c_str(), nullptr, &hints,
        [](void* self, int status, int, ares_addrinfo* found) {
          static_cast<Lookup*>(self)->answer_ = AnswerOf(status, found);
          if (found != nullptr) ares_freeaddrinfo(found);
        },
        this);
  }

  void AppendPolls(std::vector<pollfd>* polls) const {
    for (const auto& [fd, events] : sockets_) polls->push_back({fd, events, 0});
  }
  // Milliseconds until it has to be looked at; `most` if later.
  int WaitMillis(int most) const {
    timeval limit{most / 1000, most % 1000 * 1000};
    timeval left{};
    const timeval* const chosen = ares_timeout(channel_, &limit, &left);
    return static_cast<int>(chosen->tv_sec * 1000 + (chosen->tv_usec + 999) / 1000);
  }
  void OnReady(int fd, int16_t events) {
    if (!sockets_.contains(fd)) return;
    const bool reads = (events & ~POLLOUT) != 0;  // an error is read
    ares_process_fd(channel_, reads ? fd : ARES_SOCKET_BAD,
                    (events & POLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
  }
  void OnTime() { ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

  const std::string& name() const { return name_; }
  std::optional<NameAnswer>& answer() { return answer_; }

 private:
  void Watch(int fd, bool reads, bool writes) {
    if (!reads && !writes) {
      sockets_.erase(fd);
      return;
    }
    sockets_[fd] = static_cast<int16_t>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
  }

  const std::string name_;
  ares_channel channel_ = nullptr;
  std::map<int, int16_t> sockets_;
  std::optional<NameAnswer> answer_;
};

class ResolverImpl final : public Resolver {
 public:
  ResolverImpl(ResolverOptions options, MetricRegistry& metrics, OnChange on_change, int wake_fd)
      : options_(std::move(options)),
        on_change_(std::move(on_change)),
        wake_fd_(wake_fd),
        limit_(metrics.AddCounter("penstock_limit_reached_total",
                                  "How often a limit was reached, by its name.",
                                  {{"limit", "dns_lookups"}})),
        cache_(options_.cache) {
    const char* const help = "Names that were looked up, by what came of it.";
    for (const char* result : {"found", "no_such_name", "failed"}) {
      results_.push_back(
          &metrics.AddCounter("penstock_dns_lookups_total", help, {{"result", result}}));
    }
    thread_ = std::thread([this] {
      NameThread("names");
      Run();
    });
  }
  ~ResolverImpl() override {
    stopping_.store(true);
    Wake();
    thread_.join();
    lookups_.clear();
    close(wake_fd_);
  }

  void SetWanted(std::set<std::string> names) override {
    {
      const MutexLock lock(mutex_);
      if (names == wanted_) return;
      wanted_ = std::move(names);
      if (cache_.SetWanted(wanted_, RealClock().Now())) PublishTable();
    }
    Wake();
  }
  std::shared_ptr<const NameTable> table() const override {
    const MutexLock lock(mutex_);
    return table_;
  }
  void WaitForAll(Duration most) override {
    const TimePoint end = RealClock().Now() + most;
    const MutexLock lock(mutex_);
    while (!cache_.all_asked() && mutex_.WaitUntil(answered_, end)) {
    }
  }

 private:
  void Run() {
    while (!stopping_.load()) {
      BeginDue();
      Wait();
      if (TakeAnswers()) on_change_();
    }
  }

  void BeginDue() {
    for (;;) {
      std::optional<std::string> name;
      {
        const MutexLock lock(mutex_);
        const TimePoint now = RealClock().Now();
        if (lookups_.size() >= options_.lookups_max) {
          const std::optional<TimePoint> due = cache_.NextDue();
          if (due && *due <= now && !told_limit_) limit_.Add();
          told_limit_ = due && *due <= now;
          return;
        }
        name = cache_.TakeDue(now);
      }
      told_limit_ = false;
      if (!name) return;
      lookups_.emplace_back(*name).Begin(options_);
    }
  }

  // Until something is ready or due.
  void Wait() {
    constexpr int kWaitMillisMax = 60'000;
    std::vector<pollfd> polls = {{wake_fd_, POLLIN, 0}};
    int wait = kWaitMillisMax;
    for (Lookup& lookup : lookups_) {
      lookup.AppendPolls(&polls);
      wait = lookup.answer() ? 0 : std::min(wait, lookup.WaitMillis(wait));
    }
    if (lookups_.size() < options_.lookups_max) wait = std::min(wait, MillisToDue());
    if (poll(polls.data(), polls.size(), wait) <= 0) {
      for (Lookup& lookup : lookups_) {
        if (!lookup.answer()) lookup.OnTime();
      }
      return;
    }
    if (polls[0].revents != 0) DrainWake();
    for (size_t i = 1; i < polls.size(); ++i) {
      if (polls[i].revents == 0) continue;
      for (Lookup& lookup : lookups_) lookup.OnReady(polls[i].fd, polls[i].revents);
    }
    for (Lookup& lookup : lookups_) {
      if (!lookup.answer()) lookup.OnTime();
    }
  }

  int MillisToDue() const {
    const MutexLock lock(mutex_);
    const std::optional<TimePoint> due = cache_.NextDue();
    if (!due) return INT32_MAX;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - RealClock().Now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT32_MAX));
  }

  bool TakeAnswers() {
    bool changed = false;
    const MutexLock lock(mutex_);
    for (auto it = lookups_.begin(); it != lookups_.end();) {
      std::optional<NameAnswer>& answer = it->answer();
      if (!answer) {
        ++it;
        continue;
      }
      results_[static_cast<size_t>(answer->kind)]->Add();
      changed |= cache_.OnAnswer(it->name(), *std::move(answer), RealClock().Now());
      it = lookups_.erase(it);
    }
    if (changed) PublishTable();
    return changed;
  }

  void PublishTable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    table_ = std::make_shared<const NameTable>(cache_.table());
    answered_.notify_all();
  }
  void Wake() const {
    const uint64_t one = 1;
    // A full counter wakes as well.
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
  }
  void DrainWake() const {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
  }

  const ResolverOptions options_;
  const OnChange on_change_;
  const int wake_fd_;
  Counter& limit_;
  std::vector<Counter*> results_;  // by NameAnswer::Kind
  std::atomic<bool> stopping_{false};
  std::list<Lookup> lookups_;  // of the thread
  bool told_limit_ = false;    // of the thread
  mutable Mutex mutex_;
  std::condition_variable answered_;
  std::set<std::string> wanted_ ABSL_GUARDED_BY(mutex_);
  NameCache cache_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const NameTable> table_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const NameTable>();
  std::thread thread_;
};

}  // namespace

absl::Status CheckDnsServers(const std::string& servers) {
  ares_channel channel = nullptr;
  if (ares_init(&channel) != ARES_SUCCESS) return absl::InternalError("c-ares cannot be used");
  const int status = ares_set_servers_ports_csv(channel, servers.c_str());
  ares_destroy(channel);
  if (status == ARES_SUCCESS && !servers.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "must be addresses such as 10.0.0.10 or [2001:db8::1]:53, separated by commas, got \"" +
      servers + "\"");
}

absl::StatusOr<std::unique_ptr<Resolver>> Resolver::Start(ResolverOptions options,
                                                          MetricRegistry& metrics,
                                                          OnChange on_change) {
  CHECK(on_change != nullptr);
  static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
  if (initialised != ARES_SUCCESS) {
    return absl::InternalError(std::string("c-ares: ") + ares_strerror(initialised));
  }
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) return absl::InternalError(std::string("eventfd: ") + strerror(errno));
  return std::make_unique<ResolverImpl>(std::move(options), metrics, std::move(on_change), wake_fd);
}

}  // namespace gw
