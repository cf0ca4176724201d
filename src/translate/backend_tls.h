// BackendTLSPolicies: which of them is in force for which port of a Service or InferencePool, and
// what it asks for. One that cannot be honoured is in force all the same: its target's requests
// fail, as plain text would be the worse answer.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "tls/client_tls.h"
#include "translate/context.h"
#include "translate/endpoint_access.h"
#include "translate/pools.h"

namespace gw::internal {

// What one policy asks for.
struct EndpointTls {
  std::string key;                  // "BackendTLSPolicy default/tls"
  ClientTls::Options options = {};  // without a certificate
  std::string error = {};           // why it cannot be honoured, with the key; "" if it can
};

class BackendTlsPolicies {
 public:
  // Of policies for the same object and port the older is in force, then the one whose name sorts
  // first, as the API has it: whichever was served before.
  explicit BackendTlsPolicies(Context& context);

  // The one of the port goes before the one of the whole Service. nullptr: there is none.
  const EndpointTls* Find(const AccessTarget& target) const;
  // A policy's ancestors are the Gateways that lead to what it names.
  void WriteStatus(Context& context, const PoolLinks& links) const;

 private:
  using Place = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  struct Judged {
    const api::BackendTlsPolicy* policy;
    EndpointTls tls;
    Verdict accepted;
    Verdict resolved;
  };

  static Place PlaceOf(const AccessTarget& target, const std::string& port);
  void Add(Context& context, const api::BackendTlsPolicy& policy);
  void AddTarget(const Context& context, Judged* judged, size_t index);
  void AddInvalid(const api::InvalidObject& object);
  const EndpointTls* FindAt(const Place& place) const;

  std::vector<Judged> judged_;             // the oldest first
  std::map<Place, size_t> in_force_;       // indices of judged_
  std::map<Place, EndpointTls> unusable_;  // where none is in force: of policies that are broken
};

}  // namespace gw::internal
