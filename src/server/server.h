// Server: builds everything, owns the threads, reloads, drains and stops.
//
// Configuration flows one way: files -> ResourceSet -> Translate -> Snapshot -> workers. What a
// reload breaks goes on serving at its last good version.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "collect/scraper.h"
#include "config/file/file_limits.h"
#include "dataplane/options.h"
#include "net/address.h"
#include "translate/translate.h"

namespace gw {

struct ServerOptions {
  std::vector<std::string> paths;  // files and directories of objects
  config::FileLimits file_limits;
  std::string admin_address = "127.0.0.1:9090";  // metrics, health, configuration
  std::string bind_ip = "0.0.0.0";               // address of the Gateways' listeners
  TranslateOptions translate;
  int workers = 0;  // event loops; 0: one per core
  size_t prefix_index_bytes_max = 256u << 20;
  bool log_requests = true;
  // Of all chance: request ids, ties, weights. Drawn from the system if not given, so that no two
  // runs make the same request ids.
  std::optional<uint64_t> seed;
  DataplaneOptions dataplane;
  ScrapeOptions scrape;
};

class Server {
 public:
  // Loads, translates, listens. An error names what could not be done.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  virtual ~Server() = default;

  // The admin port's real address.
  virtual const SocketAddress& admin_address() const = 0;
  // Blocks until SIGTERM or SIGINT, then drains: no new connections, what is in flight finishes, at
  // most for DataplaneOptions::drain_timeout. A second signal ends at once, also after this has
  // returned. Returns the exit status.
  virtual int RunUntilSignal() = 0;
};

}  // namespace gw
