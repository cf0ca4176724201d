// ServerUrl: a server as somebody types it: "127.0.0.1:9909", "http://localhost:8080/v1",
// "https://gateway.example.com".

#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/address.h"
#include "tls/client_tls.h"

namespace gw {

struct ServerUrl {
  SocketAddress address;
  std::string host_port;                 // "localhost:8080", the port always there
  std::string authority;                 // as the Host field has it: "localhost:8080"
  std::string path;                      // without a slash at its end: "/v1", ""
  std::shared_ptr<const ClientTls> tls;  // nullptr: plain
};

// What is believed of a server over TLS.
struct ServerTrust {
  std::string ca_file = {};  // empty: what the machine trusts
  bool insecure = false;     // whatever certificate it shows
  std::string_view ca_flag = "--ca-file";
};

// Looks the name up, which blocks, and reads the file. A URL without a port means 80 or 443. The
// error names `flag`, or --ca-file or --insecure.
absl::StatusOr<ServerUrl> ServerUrlOf(std::string_view flag, std::string text,
                                      const ServerTrust& trust);
// The same but for its address, which is not looked up.
absl::StatusOr<ServerUrl> ReadServerUrl(std::string_view flag, std::string text,
                                        const ServerTrust& trust);

// --ca-file and --insecure. `trust` outlives the command.
void AddServerTrust(CLI::App& command, ServerTrust& trust);

}  // namespace gw
