// What a credential plug-in is told and what it answers: the JSON of client.authentication.k8s.io,
// v1 and v1beta1. Values, no I/O.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "kube/access_options.h"

namespace gw::kube {

inline constexpr char kExecV1[] = "client.authentication.k8s.io/v1";
inline constexpr char kExecV1Beta1[] = "client.authentication.k8s.io/v1beta1";

struct ExecCredential {
  std::string token;            // "": none
  std::string certificate_pem;  // "": none; then there is no key either
  std::string key_pem;
  std::optional<int64_t> expires_unix_s;

  bool operator==(const ExecCredential&) const = default;
};

// The value of KUBERNETES_EXEC_INFO. `ca_pem`: the cluster's authorities as they are now. REQUIRES:
// access.exec
std::string ExecInfo(const AccessOptions& access, const std::string& ca_pem);

// The error names the field and what was wanted, and shows nothing of the answer but its kind and
// apiVersion.
absl::StatusOr<ExecCredential> ParseExecCredential(std::string_view answer,
                                                   const std::string& api_version);

// Whether it can stand behind "Bearer ": visible ASCII only.
bool IsToken(std::string_view text);

}  // namespace gw::kube
