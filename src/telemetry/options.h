// Where traces go, and what may be set about it.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "tls/client_tls.h"

namespace gw {

struct TraceOptions {
  // "127.0.0.1:4318" or "collector.monitoring:4318", whose name is looked up when a connection is
  // to be made; empty: requests are not traced.
  std::string address;
  std::string authority;                                     // as Host has it
  std::string path;                                          // "/v1/traces"
  std::shared_ptr<const ClientTls> tls;                      // nullptr: plain
  std::vector<std::pair<std::string, std::string>> headers;  // of each POST
  double ratio = 0.01;  // of the requests whose caller has not decided
  std::string service_name = "penstock";
  bool prompts = false;  // spans carry them
  // DataplaneOptions has these, since that is where limits are set.
  size_t queue_max = 2048;
  size_t queue_bytes_max = 64u << 20;
  size_t prompt_bytes_max = 32 * 1024;
  Duration export_timeout = std::chrono::seconds(10);
  Duration retry_timeout = std::chrono::seconds(60);
  Duration flush_timeout = std::chrono::seconds(3);

  bool on() const { return !address.empty(); }
};

}  // namespace gw
