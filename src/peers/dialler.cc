#include "peers/dialler.h"

#include <algorithm>
#include <utility>

namespace gw::peers {

Dialler::Dialler(EventLoop& loop, PrivateStreams& streams, const SocketAddress& address,
                 uint64_t seed)
    : streams_(streams), address_(address), random_(seed), loop_(loop), timer_(loop, [this] {
        Dial();
      }) {}

void Dialler::Start(std::function<bool()> is_linked,
                    std::function<void(std::unique_ptr<Stream>)> on_stream) {
  is_linked_ = std::move(is_linked);
  on_stream_ = std::move(on_stream);
  timer_.Start(Duration(0));
}

// While another connection leads there it is looked at again and again: it may end.
void Dialler::Dial() {
  if (at_self_ || is_connected_ || attempt_ != nullptr) return;
  if (is_linked_()) return timer_.Start(kPauseMax / 5);
  attempt_ = streams_.Dial(address_, [this](absl::StatusOr<std::unique_ptr<Stream>> stream) {
    loop_.FreeLater(std::move(attempt_));
    if (!stream.ok()) {
      error_ = std::string(stream.status().message());
      return Pause();
    }
    is_connected_ = true;
    error_.clear();
    on_stream_(*std::move(stream));
  });
}

// By chance, so that two that dial each other do not meet each time.
void Dialler::Pause() {
  const double share = 0.5 + 0.5 * random_.Unit();
  timer_.Start(Duration(static_cast<int64_t>(static_cast<double>(pause_.count()) * share)));
  pause_ = std::min(2 * pause_, kPauseMax);
}

void Dialler::OnEnded(const std::string& error) {
  is_connected_ = false;
  if (error.empty()) pause_ = kPauseMin;
  error_ = error;
  if (!at_self_) Pause();
}

void Dialler::StopAtSelf() {
  at_self_ = true;
  timer_.Stop();
}

}  // namespace gw::peers
