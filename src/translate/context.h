// What the steps of one Translate share: the objects, the options, and the conditions so far.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/conditions.h"
#include "api/resources.h"
#include "flowcontrol/breaker.h"
#include "flowcontrol/rate_limit.h"
#include "flowcontrol/request_queues.h"
#include "pool/endpoint.h"
#include "scheduling/pool_memory.h"
#include "translate/object_index.h"
#include "translate/tls_memory.h"
#include "translate/translate.h"

namespace gw::internal {

class BackendTlsPolicies;
class ReleaseSet;

// The outcome of one check of one object; becomes a condition.
struct Verdict {
  api::ConditionStatus status = api::ConditionStatus::kTrue;
  std::string reason;
  std::string message;

  bool ok() const { return status == api::ConditionStatus::kTrue; }
};
Verdict Holds(std::string reason, std::string message = "");
Verdict Refused(std::string reason, std::string message);
// Unknown, reason Pending.
Verdict Pending(std::string message);

struct Context {
  const api::ResourceSet& resources;
  const ObjectIndex& index;  // of `resources`
  const TranslateOptions& options;
  EndpointTable& endpoints;
  const Holders& held;  // as it was
  TlsMemory& tls_memory;
  api::StatusSet status = {};
  std::vector<std::string> warnings = {};
  Holders holders = {};               // as it is
  RateMeters* rate_meters = nullptr;  // of API keys' owners; what was used stays
  RequestQueues* queues = nullptr;    // of pools; who waits stays
  PoolMemories* memories = nullptr;   // of pools; what was learned stays
  Breakers* breakers = nullptr;       // of pools and routes; who is counted stays
  std::map<ListenerKey, std::shared_ptr<const ServerTls>> servers = {};  // of HTTPS listeners
  std::vector<ServedCertificate> certificates = {};
  const BackendTlsPolicies* backend_tls = nullptr;  // set before the pools are made
  ReleaseSet* releases = nullptr;                   // set before rules and models are read

  bool Holds(const std::string& what, const std::string& who) const {
    const auto holder = held.find(what);
    return holder != held.end() && holder->second == who;
  }
  // Our name where no GatewayClass of ours tells under which one we act.
  const std::string& own_name() const { return *options.controller_names.begin(); }
  // The object's entry in `status`, made on first use.
  api::ObjectStatus& StatusOf(const api::ObjectRef& ref, const api::SourceRef& source);
  // An entry of its own, behind those of the same name.
  api::ObjectStatus& AddStatus(const api::ObjectRef& ref, const api::SourceRef& source);
  // True if an object of that name exists and breaks the rules of its kind.
  bool IsInvalid(std::string_view group, std::string_view kind, std::string_view ns,
                 std::string_view name) const;
  // "does not exist", or "is invalid" if it does and breaks the rules of its kind: for messages.
  std::string_view WhyMissing(std::string_view group, std::string_view kind, std::string_view ns,
                              std::string_view name) const;
};

api::ObjectRef RefOf(const api::GatewayClass& gateway_class);
api::ObjectRef RefOf(const api::Gateway& gateway);
api::ObjectRef RefOf(const api::HttpRoute& route);
api::ObjectRef RefOf(const api::InferencePool& pool);
api::ObjectRef RefOf(const api::InferenceModel& model);
api::ObjectRef RefOf(const api::InferenceObjective& objective);
api::ObjectRef RefOf(const api::InferenceModelRewrite& rewrite);
api::ObjectRef RefOf(const api::InferenceTrafficPolicy& policy);
api::ObjectRef RefOf(const api::Backend& backend);
api::ObjectRef RefOf(const api::BackendTlsPolicy& policy);
api::ObjectRef RefOf(const api::ModelRelease& release);
// The Gateway as an object's status refers to it.
api::ParentRef GatewayRef(const api::ObjectKey& key);

// Sets the condition `type` to the verdict, as seen at that generation of the object.
void SetVerdict(std::vector<api::Condition>* conditions, std::string type, const Verdict& verdict,
                int64_t generation);

// Why one object goes before another that wants the same: "which is older", "which had it first" or
// "whose name sorts first".
std::string_view WhyFirst(int64_t created, int64_t other_created, bool held);

// "a; b; c"
std::string Join(const std::vector<std::string>& parts);
// "spec.x: is not supported yet; spec.y: ..." of the fields with that index.
std::string UnsupportedText(const std::vector<api::Unsupported>& unsupported, int index = -1);

}  // namespace gw::internal
