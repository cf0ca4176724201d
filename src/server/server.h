// Server: builds everything, owns the threads, reloads, drains and stops.
//
// Configuration flows one way: ConfigSource -> ResourceSet -> Translate -> Snapshot -> workers.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_share.h"
#include "base/status.h"
#include "collect/scraper.h"
#include "config/config_source.h"
#include "dataplane/options.h"
#include "dns/resolver.h"
#include "net/address.h"
#include "peers/options.h"
#include "server/admin_access.h"
#include "server/other_names.h"
#include "telemetry/options.h"
#include "translate/translate.h"

namespace gw {

struct ServerOptions {
  std::string admin_address = "127.0.0.1:9909";  // metrics, health, configuration
  AdminAccess admin_access;
  OtherNames other_names;           // that metrics have besides ours
  std::string bind_ip = "0.0.0.0";  // address of the Gateways' listeners
  TranslateOptions translate;
  int workers = 0;  // event loops; 0: one per core
  size_t prefix_index_bytes_max = 256u << 20;
  LogShare log_share;              // of requests whose route does not say which of them are logged
  bool log_prompt_blocks = false;  // with names of what their prompts begin with
  bool ready_without_endpoints = true;  // /readyz while no pool has an endpoint that can be asked
  // Another process may listen on the same ports, the admin port too: this one takes over from it.
  bool takeover = false;
  // Of all chance: request ids, ties, weights. Drawn from the system if not given, so that no two
  // runs make the same request ids.
  std::optional<uint64_t> seed;
  // Where the state of releases is kept; "": nowhere.
  std::string release_state_file;
  bool releases_by_objects = false;  // their objects alone say what they are to do
  // For tests: the field of a request that lists the addresses which it may go to; empty: none.
  std::string endpoint_selection_header;
  // For tests: the field of a response that says which address it is from; empty: none.
  std::string served_endpoint_header;
  // Other gateways of the same endpoints.
  peers::PeerOptions peers;
  // Where spans go. Its limits are those of `dataplane`.
  TraceOptions traces;
  DataplaneOptions dataplane;
  ScrapeOptions scrape;
  ResolverOptions resolver;
};

class Server {
 public:
  // Loads, translates, listens. An error names what could not be done.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, std::unique_ptr<config::ConfigSource> source);
  virtual ~Server() = default;

  // The admin port's real address.
  virtual const SocketAddress& admin_address() const = 0;
  // Blocks until SIGTERM or SIGINT; what other signals do meanwhile is in signals.h. From then on
  // it is not ready, goes on serving for DataplaneOptions::shutdown_delay, unless another process
  // listens on its ports as well, and drains: no new connections, what is in flight finishes, at
  // most for DataplaneOptions::drain_timeout. A second signal ends at once, whenever it comes, also
  // after this has returned. Returns the exit status.
  virtual int RunUntilSignal() = 0;
};

}  // namespace gw
