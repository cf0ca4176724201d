#include "server/startup.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "base/version.h"
#include "net/port_holder.h"
#include "net/stream.h"

namespace gw {
namespace {

// Every client and every endpoint is a file descriptor: use all that the system allows.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

absl::Status CheckBindIp(const std::string& ip) {
  const absl::StatusOr<SocketAddress> address = SocketAddress::FromIp(ip, 0);
  if (!address.ok()) {
    return absl::InvalidArgumentError("--bind: must be an IPv4 or IPv6 address, got " + ip);
  }
  const absl::Status local = CheckLocalAddress(*address);
  if (local.ok()) return local;
  return absl::InvalidArgumentError("--bind: must be an address of this machine, got " +
                                    std::string(local.message()));
}

absl::StatusOr<SocketAddress> AdminAddressOf(const std::string& text, bool shared,
                                             const HandedSockets& handed) {
  const auto refused = [](absl::string_view why) {
    return absl::InvalidArgumentError("--admin: " + std::string(why));
  };
  const absl::StatusOr<SocketAddress> address = SocketAddress::Resolve(text);
  if (!address.ok()) return refused(address.status().message());
  const absl::Status local = CheckLocalAddress(*address);
  if (!local.ok()) {
    return refused("must be an address of this machine, got " + std::string(local.message()));
  }
  shared |= handed.Find(*address) >= 0;
  const absl::Status free = shared ? absl::OkStatus() : CheckNobodyListens(*address);
  if (free.ok()) return *address;
  if (!absl::IsAlreadyExists(free)) return refused(free.message());
  return refused(WithHolder(std::string(free.message()), address->port()) +
                 "; another port is chosen by --admin ADDR:PORT, with 0 as PORT any free one");
}

int WorkersOf(const ServerOptions& options) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  return options.workers > 0 ? options.workers : static_cast<int>(cores);
}

ServerOptions WithinDescriptors(ServerOptions options) {
  constexpr rlim_t kOthers = 32;  // listeners, loops, scraped endpoints of a small pool, files
  RaiseDescriptorLimit();
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return options;
  const rlim_t left = limit.rlim_cur > kOthers ? limit.rlim_cur - kOthers : 0;
  const auto clients = static_cast<size_t>(left / 2 / static_cast<rlim_t>(WorkersOf(options)));
  size_t& most = options.dataplane.downstream_connections_max;
  if (clients < most) {
    Log(LogLevel::kWarning, "Few open files are allowed: fewer clients are taken",
        {{"open_files", static_cast<int64_t>(limit.rlim_cur)},
         {"downstream_connections_per_worker", static_cast<int64_t>(clients)}});
    most = std::max<size_t>(clients, 1);
  }
  return options;
}

std::string ListenersText(const Snapshot& snapshot, const std::set<ListenerKey>& open) {
  constexpr size_t kNamedMax = 50;
  std::string text;
  size_t named = 0;
  size_t more = 0;
  for (const ListenerEntry& entry : snapshot.listeners) {
    if (!open.contains(entry.key)) continue;
    for (const std::string& name : entry.names) {
      if (named == kNamedMax) {
        ++more;
        continue;
      }
      text += (named++ == 0 ? "" : ", ") + name + " " + entry.key.ToString();
    }
  }
  return more == 0 ? text : text + " and " + std::to_string(more) + " more";
}

void LogStart(const ServerOptions& options, const config::FirstLoad& loaded,
              const std::string& sockets) {
  Log(LogLevel::kInfo, "Starting",
      {{"version", Version().version},
       {"commit", Version().commit},
       {"seed", *options.seed},
       {"files", loaded.files},
       {"objects", loaded.objects},
       {"paths", loaded.places},
       {"workers", WorkersOf(options)},
       {"sockets", sockets}});
  if (!options.endpoint_selection_header.empty()) {
    Log(LogLevel::kWarning, "Requests choose their endpoints by a header, which is for tests",
        {{"header", options.endpoint_selection_header}});
  }
  if (!options.served_endpoint_header.empty()) {
    Log(LogLevel::kWarning, "Responses tell clients the addresses of endpoints, which is for tests",
        {{"header", options.served_endpoint_header}});
  }
}

void LogListening(size_t files, const Snapshot& snapshot, const std::set<ListenerKey>& open) {
  Log(LogLevel::kInfo, "Listening",
      {{"version", Version().version},
       {"files", files},
       {"ports", open.size()},
       {"listeners", ListenersText(snapshot, open)}});
}

std::string WithHolder(std::string error, uint16_t port) {
  const std::string holder = WhoListens(port);
  return holder.empty() ? error : error + ", by " + holder;
}

}  // namespace gw
