// ExecSource: the credential that a plug-in gives, kept until shortly before it expires.
//
// One thread; Get may run the plug-in and blocks until that has ended, at most its time-out.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "kube/access_options.h"
#include "kube/exec_credential.h"

namespace gw::kube {

class ExecSource {
 public:
  // It is asked again that long before its credential expires, or a fifth of the credential's life
  // if that is less: a plug-in that is slow or fails costs no request then.
  static constexpr Duration kBeforeExpiry = std::chrono::seconds(30);
  // After an answer that had expired already (one of the two clocks is wrong; the server's
  // decides), and after a failure while there is a credential that has not.
  static constexpr Duration kAskAgain = std::chrono::seconds(10);

  // `access` and `clock` outlive it. REQUIRES: access.exec
  ExecSource(const AccessOptions& access, const Clock& clock);

  // `ca_pem`: what the plug-in is told of the cluster. The error names the plug-in and what it did;
  // what it wrote to its standard error is in the log.
  absl::StatusOr<ExecCredential> Get(const std::string& ca_pem);
  // The plug-in is asked anew by the next Get; what it gave last is not used any more.
  void Expire() { last_.reset(); }

 private:
  absl::StatusOr<ExecCredential> Ask(const std::string& ca_pem) const;
  void Keep(ExecCredential credential, int64_t now_ns);

  const AccessOptions& access_;
  const Clock& clock_;
  std::optional<ExecCredential> last_;
  std::optional<int64_t> ask_at_unix_ns_;  // none: when it is refused
};

}  // namespace gw::kube
