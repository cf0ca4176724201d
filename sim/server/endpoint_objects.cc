#include "sim/server/endpoint_objects.h"

#include "base/log.h"
#include "sim/server/sim_server.h"
#include "sim/server/text.h"

namespace gw::sim {
namespace {

// A quoted string of YAML 1.2 is one of JSON.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  out += '"';
  return out;
}

absl::StatusOr<std::string> LabelLines(std::string_view labels) {
  std::string lines;
  while (!labels.empty()) {
    const std::string_view label = labels.substr(0, labels.find(','));
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return absl::InvalidArgumentError(Concat({"label \"", label, "\": wanted NAME=VALUE"}));
    }
    Append(&lines, {"    ", label.substr(0, equals), ": ", Quoted(label.substr(equals + 1)), "\n"});
    labels.remove_prefix(std::min(label.size() + 1, labels.size()));
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::string> PodObjects(const SimOptions& options, std::string_view labels) {
  ASSIGN_OR_RETURN(const std::string lines, LabelLines(labels));
  std::string out;
  for (uint32_t i = 0; i < options.replicas; ++i) {
    ASSIGN_OR_RETURN(const SocketAddress address, ReplicaAddress(options.listen, i));
    if (address.port() == 0) {
      return absl::InvalidArgumentError("with port 0 the replicas' ports are not known in advance");
    }
    Append(&out,
           {i > 0 ? "---\n" : "", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: ", options.name,
            "-", Digits(i), "\n  annotations:\n    penstock.dev/target-port: \"",
            Digits(address.port()), "\"\n"});
    if (!lines.empty()) Append(&out, {"  labels:\n", lines});
    Append(&out, {"status:\n  podIP: ", address.ip(), "\n"});
  }
  return out;
}

}  // namespace gw::sim
