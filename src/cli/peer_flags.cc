#include "cli/peer_flags.h"

#include "cli/machine_name.h"
#include "config/file/files.h"
#include "net/address.h"
#include "server/peer_addresses.h"
#include "tls/shared_identity.h"

namespace gw {
namespace {

constexpr size_t kFileBytesMax = 64 << 10;

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  std::string secret;
  if (!config::ReadFile(path, kFileBytesMax, &secret).empty()) {
    return Wrong("--peer-secret-file: " + path + " cannot be read");
  }
  // Editors end files with a line's end.
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  const auto identity = SharedIdentity::FromSecret(secret);
  if (!identity.ok()) {
    return Wrong("--peer-secret-file: " + path + ": " + std::string(identity.status().message()));
  }
  return secret;
}

}  // namespace

void AddPeers(CLI::App& serve, PeerFlags& flags) {
  serve
      .add_option("--peer-address", flags.address,
                  "Where other gateways of the same endpoints connect to, such as 0.0.0.0:9910: "
                  "they tell each other what they have there")
      ->type_name("IP:PORT");
  serve
      .add_option("--peers", flags.peers,
                  "Where those are; a name may stand for many, this one may be among them")
      ->delimiter(',')
      ->type_name("HOST:PORT,...");
  serve
      .add_option("--peer-secret-file", flags.secret_file,
                  "What all of them know: 16 bytes at least, such as of openssl rand -hex 32")
      ->type_name("FILE");
  serve.add_option("--peer-name", flags.name, "What they call this one; the host's name")
      ->type_name("NAME");
  serve.add_option("--peer-gather-ms", flags.gather_ms, "What changes is told so often")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
}

absl::StatusOr<peers::PeerOptions> PeerOptionsOf(const PeerFlags& flags) {
  peers::PeerOptions options;
  if (flags.address.empty()) {
    if (!flags.peers.empty() || !flags.secret_file.empty() || !flags.name.empty()) {
      return Wrong(
          "--peer-address: is wanted where there are --peers, a --peer-secret-file or a "
          "--peer-name");
    }
    return options;
  }
  if (flags.secret_file.empty()) {
    return Wrong(
        "--peer-secret-file: is wanted with --peer-address: gateways believe only who knows it");
  }
  const auto address = SocketAddress::Resolve(flags.address);
  if (!address.ok()) return Wrong("--peer-address: " + std::string(address.status().message()));
  ASSIGN_OR_RETURN(options.secret, ReadSecret(flags.secret_file));
  options.listen = flags.address;
  options.peers = flags.peers;
  options.name = flags.name.empty() ? MachineName() : flags.name;
  options.gather = std::chrono::milliseconds(flags.gather_ms);
  RETURN_IF_ERROR(CheckPeers(options));
  return options;
}

}  // namespace gw
