#include "server/drain.h"

#include <signal.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"
#include "net/port_holder.h"
#include "server/countdown.h"

namespace gw {
namespace {

// How long listeners that another process takes over still accept connections whose first packet
// they have answered: the way there and back.
constexpr Duration kHandshake = std::chrono::milliseconds(500);

}  // namespace

void ReopenLog() {
  const absl::Status status = ReopenLogFile();
  if (!status.ok()) {
    Log(LogLevel::kError, "SIGUSR1: the log file could not be opened, the old one goes on",
        {{"error", std::string(status.message())}});
  } else {
    Log(LogLevel::kInfo, "SIGUSR1: the log file is open", {});
  }
}

DrainEnd DrainAll(const FrontEnds& front_ends, AdminServer& admin, const std::set<uint16_t>& ports,
                  SignalReader& signals, Duration timeout) {
  const bool taken_over = OthersListen(ports);
  if (taken_over) admin.StopListening(kHandshake);
  auto countdown = std::make_shared<Countdown>(front_ends.size());
  for (const auto& front_end : front_ends) {
    front_end->Drain(taken_over ? kHandshake : Duration(0), [countdown] { countdown->Done(); });
  }
  std::atomic<bool> again{false};
  std::atomic<bool> over{false};
  std::thread second([&] {
    // A second signal ends at once.
    while (!over) {
      const std::optional<int> signal = signals.Next(std::chrono::milliseconds(50));
      if (signal == SIGUSR1) ReopenLog();
      if (signal == SIGHUP) Log(LogLevel::kInfo, "SIGHUP: nothing is read while draining", {});
      if (signal != SIGTERM && signal != SIGINT) continue;
      again = true;
      countdown->Poke();
      return;
    }
  });
  const bool drained = countdown->Wait(timeout, [&] { return again.load(); });
  over = true;
  second.join();
  if (drained) return DrainEnd::kDrained;
  return again ? DrainEnd::kSecondSignal : DrainEnd::kTimeout;
}

}  // namespace gw
