// Discovery: which resources an API server has in the versions that are understood. It tells a kind
// that is not installed from one that may not be read: RBAC refuses both with 403.
//
// On the loop's thread, all of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/random.h"
#include "kube/api_client.h"
#include "kube/backoff.h"

namespace gw::config {

class Discovery {
 public:
  enum class Has : uint8_t {
    kNotKnown,  // not answered yet
    kYes,
    kNo,
    kForbidden,  // the server does not tell us
  };

  // `client` outlives it. `on_answer`: what Find says may be another now.
  Discovery(kube::ApiClient& client, const std::set<std::string>& api_versions, Random random,
            std::function<void()> on_answer);

  // Asks for all of them, once more if that was done before. What is not answered is asked again
  // after a back-off until it is; what was known stays.
  void Ask();

  // REQUIRES: the version is one of `api_versions`
  Has Find(const std::string& api_version, const std::string& plural) const;
  // Why the version is not known; empty if it was not answered yet.
  const std::string& ErrorOf(const std::string& api_version) const;

 private:
  struct Version {
    bool known = false;
    bool forbidden = false;
    std::set<std::string> plurals;
    std::string error;
    std::unique_ptr<kube::ApiCall> call;  // under way
  };

  void AskFor(const std::string& api_version, Version& version);
  void OnAnswer(Version& version, const kube::ApiAnswer& answer);

  kube::ApiClient& client_;
  Random random_;
  const std::function<void()> on_answer_;
  std::map<std::string, Version> versions_;
  size_t open_ = 0;  // calls under way
  kube::Backoff backoff_;
  Timer retry_;
};

}  // namespace gw::config
