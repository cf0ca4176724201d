#include "cli/top/top.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "admin/follower.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cli/top/feed_state.h"
#include "cli/top/screen.h"

namespace gw {
namespace {

constexpr Duration kReconnect = std::chrono::seconds(1);
// Beside the endpoints: pools, queues, releases.
constexpr size_t kOnceLinesBeside = 1000;

// What the follower's thread has read and this one has not looked at yet.
class Mailbox {
 public:
  Mailbox() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Mailbox() { close(wake_); }

  void Put(std::string_view piece) {
    const MutexLock lock(mutex_);
    bytes_.append(piece);
    Wake();
  }
  void End(absl::Status status) {
    const MutexLock lock(mutex_);
    end_ = std::move(status);
    Wake();
  }
  int descriptor() const { return wake_; }
  std::string Take(std::optional<absl::Status>* end) {
    uint64_t count;
    (void)!read(wake_, &count, sizeof(count));
    const MutexLock lock(mutex_);
    *end = std::exchange(end_, std::nullopt);
    return std::exchange(bytes_, {});
  }

 private:
  void Wake() {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }

  const int wake_;
  Mutex mutex_;
  std::string bytes_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

// The signals that end it or say that the terminal has another size, as something to be read.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, &before_);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() {
    close(fd_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  int descriptor() const { return fd_; }
  // True: one that ends it.
  bool Take() const {
    signalfd_siginfo info;
    bool ends = false;
    while (read(fd_, &info, sizeof(info)) == sizeof(info)) ends |= info.ssi_signo != SIGWINCH;
    return ends;
  }

 private:
  sigset_t before_;
  int fd_;
};

// A terminal as a screen, which is as it was before when this is gone.
class Terminal {
 public:
  explicit Terminal(std::ostream& out) : out_(out) {
    has_keys_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (has_keys_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      raw.c_cc[VSUSP] = _POSIX_VDISABLE;
      tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    out_ << "\x1b[?1049h\x1b[?25l" << std::flush;
  }
  ~Terminal() {
    out_ << "\x1b[?25h\x1b[?1049l" << std::flush;
    if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  bool has_keys() const { return has_keys_; }
  static void Measure(TopView* view) {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
      return;
    }
    view->width = size.ws_col;
    view->height = size.ws_row;
  }
  // At once, so that nothing flickers.
  void Show(const std::vector<std::string>& lines) {
    std::string text = "\x1b[H";
    for (size_t i = 0; i < lines.size(); ++i) {
      text.append(lines[i]).append("\x1b[K").append(i + 1 < lines.size() ? "\r\n" : "");
    }
    out_ << text << "\x1b[J" << std::flush;
  }

 private:
  std::ostream& out_;
  termios before_{};
  bool has_keys_ = false;
};

class Top {
 public:
  Top(const TopFlags& flags, const AdminTarget& where, std::ostream& out, std::ostream& err)
      : flags_(flags), where_(where), out_(out), err_(err) {
    view_.address = flags.admin.address;
    view_.colours = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  }

  int Run() {
    const bool is_screen = !flags_.once && !flags_.plain && isatty(STDOUT_FILENO) == 1;
    if (const std::optional<int> ended = Connect()) return *ended;
    if (flags_.once) return ShowOnce();
    if (is_screen) terminal_.emplace(out_);
    next_line_ = RealClock().Now();
    for (;;) {
      Show();
      if (!WaitForSomething()) return 0;
    }
  }

 private:
  std::optional<int> Connect();
  bool Follow();
  bool WaitForSomething();
  void TakeMail();
  bool TakeKeys();
  void Show();
  int ShowOnce();
  void Trouble(const absl::Status& status);

  const TopFlags& flags_;
  const AdminTarget& where_;
  std::ostream& out_;
  std::ostream& err_;
  const Signals signals_;
  Mailbox mail_;
  std::unique_ptr<AdminFollower> follower_;
  std::unique_ptr<FeedState> state_ = std::make_unique<FeedState>();
  TopHistory history_;
  TopView view_;
  std::vector<std::string> lines_;  // that are shown, or stand still while it is paused
  std::optional<Terminal> terminal_;
  int events_ = 0;
  TimePoint retry_at_{};  // while there is no follower
  TimePoint next_line_{};
};

bool Top::Follow() {
  state_ = std::make_unique<FeedState>();
  auto follower = AdminFollower::Start(
      where_, "/feed",
      {.on_piece = [this](std::string_view piece) { mail_.Put(piece); },
       .on_end = [this](absl::Status status) { mail_.End(std::move(status)); }});
  if (!follower.ok()) {
    Trouble(follower.status());
    return false;
  }
  follower_ = *std::move(follower);
  return true;
}

// Waits for the first state; the exit status if there is none.
std::optional<int> Top::Connect() {
  if (!Follow()) return 1;
  while (events_ == 0) {
    pollfd sources[] = {{mail_.descriptor(), POLLIN, 0}, {signals_.descriptor(), POLLIN, 0}};
    poll(sources, 2, -1);
    if (signals_.Take()) return 0;
    TakeMail();
    if (follower_ != nullptr) continue;
    err_ << "penstock top: " << view_.trouble << "\n";
    return 1;
  }
  return std::nullopt;
}

void Top::Trouble(const absl::Status& status) {
  view_.trouble = status.ok() ? "the gateway has ended" : std::string(status.message());
  while (view_.trouble.ends_with('\n')) view_.trouble.pop_back();
  retry_at_ = RealClock().Now() + kReconnect;
}

void Top::TakeMail() {
  std::optional<absl::Status> end;
  const std::string bytes = mail_.Take(&end);
  const int before = events_;
  const absl::Status read = state_->Read(bytes, &events_);
  if (!read.ok()) end = read;
  if (events_ > before) {
    view_.trouble.clear();
    history_.Add(*state_);
  }
  if (!end) return;
  follower_.reset();
  Trouble(*end);
}

// False: that is the end.
bool Top::WaitForSomething() {
  const TimePoint now = RealClock().Now();
  Duration wait = std::chrono::seconds(1);
  if (!terminal_) wait = std::clamp(next_line_ - now, Duration(0), wait);
  pollfd sources[] = {{mail_.descriptor(), POLLIN, 0},
                      {signals_.descriptor(), POLLIN, 0},
                      {terminal_ && terminal_->has_keys() ? STDIN_FILENO : -1, POLLIN, 0},
                      {STDOUT_FILENO, 0, 0}};
  poll(sources, 4, static_cast<int>(wait / std::chrono::milliseconds(1)) + 1);
  if ((sources[3].revents & (POLLERR | POLLHUP)) != 0) return false;  // nobody reads any more
  if (signals_.Take()) return false;
  TakeMail();
  if (follower_ == nullptr && RealClock().Now() >= retry_at_) Follow();
  return sources[2].revents == 0 || TakeKeys();
}

bool Top::TakeKeys() {
  char keys[64];
  const ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
  if (count <= 0) return false;
  const std::string_view text(keys, static_cast<size_t>(count));
  const size_t page = std::max<size_t>(4, view_.height / 2);
  const auto move = [this](size_t up, size_t down) {
    const size_t all = state_->Rows("endpoints").size();
    view_.skip = std::min(view_.skip - std::min(view_.skip, up) + down, all == 0 ? 0 : all - 1);
  };
  if (text == "\x1b[A" || text == "k") move(1, 0);
  if (text == "\x1b[B" || text == "j") move(0, 1);
  if (text == "\x1b[5~") move(page, 0);
  if (text == "\x1b[6~") move(0, page);
  if (text == "\x1b[H" || text == "\x1b[1~" || text == "g") view_.skip = 0;
  if (text == "\x1b[F" || text == "\x1b[4~" || text == "G") move(0, SIZE_MAX / 2);
  if (text.starts_with('\x1b')) return true;
  for (const char key : text) {
    if (key == 'q') return false;
    if (key == 's') {
      view_.sort = static_cast<TopSort>((static_cast<size_t>(view_.sort) + 1) % kTopSorts);
    }
    if (key == 'r') view_.reversed = !view_.reversed;
    if (key == '?') view_.help = !view_.help;
    if (key == ' ') view_.paused = !view_.paused;
  }
  return true;
}

// Rates are known with the second look of the gateway, half a second after the first.
int Top::ShowOnce() {
  constexpr int kEvents = 3;
  const TimePoint end = RealClock().Now() + 3 * std::chrono::milliseconds(500);
  while (events_ < kEvents && follower_ != nullptr) {
    const Duration left = end - RealClock().Now();
    if (left <= Duration(0)) break;
    pollfd sources[] = {{mail_.descriptor(), POLLIN, 0}, {signals_.descriptor(), POLLIN, 0}};
    poll(sources, 2, static_cast<int>(left / std::chrono::milliseconds(1)) + 1);
    if (signals_.Take()) return 0;
    TakeMail();
  }
  view_.width = 160;
  Terminal::Measure(&view_);
  view_.height = state_->Rows("endpoints").size() + kOnceLinesBeside;
  view_.colours = false;
  lines_ = DrawTop(*state_, history_, view_);
  lines_.pop_back();  // what keys do
  while (!lines_.empty() && lines_.back().empty()) lines_.pop_back();
  for (const std::string& line : lines_) out_ << line << "\n";
  out_ << std::flush;
  return 0;
}

void Top::Show() {
  if (terminal_) {
    Terminal::Measure(&view_);
    const bool stands = view_.paused && lines_.size() == view_.height;
    if (!stands) lines_ = DrawTop(*state_, history_, view_);
    return terminal_->Show(lines_);
  }
  const TimePoint now = RealClock().Now();
  if (now < next_line_) return;
  next_line_ = now + std::chrono::seconds(flags_.interval_s);
  out_ << (view_.trouble.empty() ? TopLine(*state_) : "no news: " + view_.trouble) << "\n"
       << std::flush;
}

}  // namespace

int RunTop(const TopFlags& flags, std::ostream& out, std::ostream& err) {
  const absl::StatusOr<AdminTarget> where = TargetOf(flags.admin);
  if (!where.ok()) {
    err << "penstock top: " << where.status().message() << "\n";
    return 1;
  }
  SetLogLevel(LogLevel::kError);  // what is wrong is said here, in words for people
  return Top(flags, *where, out, err).Run();
}

}  // namespace gw
