// Translate: a pure function from the objects users wrote to the Snapshot that requests are routed
// by, and the status conditions that say what became of each object. Reads no clock, no file, no
// socket. The same for files and for a cluster. translator.h does the same bit by bit.
//
// One bad object takes no other down: it gets its condition, what refers to it is answered 500 or
// 404, and the rest is served. What is valid and not built is refused aloud: the object's condition
// names the field, and the requests that need it are answered 500.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/conditions.h"
#include "api/managed.h"
#include "api/resources.h"
#include "base/status.h"
#include "dns/name_table.h"
#include "pool/endpoint.h"
#include "release/plan.h"
#include "release/run.h"
#include "release/sample_sink.h"
#include "snapshot/snapshot.h"
#include "tls/ticket_keys.h"
#include "tls/trust.h"
#include "translate/address_pool.h"

namespace gw {

// Who picks for an InferencePool whose reference names a Service that does not exist.
enum class MissingPicker : uint8_t {
  // Our picker. Files need not hold a Service that nobody is going to ask.
  kBuiltIn,
  // Our picker for pools of inference.networking.x-k8s.io, whose users' manifests name Services
  // that another product makes. Nobody for those of v1, which are refused: the Inference Extension
  // wants requests to them to fail.
  kBuiltInOfOldGroup,
};

// What a release has come to: how it shares out what its versions have together.
struct ReleaseInput {
  release::Weights weights = {};
  // Where requests leave what they came to; nullptr: nowhere.
  std::shared_ptr<release::SampleSink> sink = nullptr;

  bool operator==(const ReleaseInput&) const = default;
};
using ReleaseInputs = std::map<std::string, ReleaseInput>;  // by "namespace/name"

struct TranslateOptions {
  // GatewayClasses with one of these controller names are ours.
  std::set<std::string> controller_names = {"inference.networking.x-k8s.io/gateway-controller",
                                            "penstock.dev/gateway-controller"};
  MissingPicker missing_picker = MissingPicker::kBuiltIn;
  // Pickers' Services, "name" or "namespace/name", that the built-in picker stands in for; "*":
  // all.
  std::set<std::string> builtin_pickers = {};
  // GatewayClasses that are ours where no object says who serves them.
  std::set<std::string> gateway_classes = {};
  // In files nobody else can serve or create what is missing: objects that are not ours, and
  // references to Gateways, GatewayClasses and pools that do not exist, are reported. On a cluster
  // they are other controllers' or still to come.
  bool only_controller = true;
  // Where Gateways listen that name no address. One that means all of the machine's is none that
  // clients could be told of in a Gateway's status.
  std::string bind_ip = "0.0.0.0";
  // The Service by which clients reach `bind_ip`: they are told its addresses in place of that one.
  std::optional<api::ObjectKey> shared_service = {};
  // Unless it is empty: Gateways that name no address are given one each of these, and none listens
  // at `bind_ip`. REQUIRES: there is no shared_service then
  AddressPool address_pool = {};
  // Gateways but this one are as if another served them.
  std::optional<api::ObjectKey> only_gateway = {};
  // The Deployment that those are made of by which each Gateway is served: it has one of its own,
  // and a Service, in that namespace (api/managed.h). REQUIRES: no shared_service, no address_pool
  std::optional<api::ObjectKey> managed_from = {};
  int managed_admin_port = 0;  // of their Pods; no listener can have it
  // How far releases have come. Of one that is not there the stable version has all requests that
  // are shared out.
  std::shared_ptr<const ReleaseInputs> releases = nullptr;
  // Of the sessions of HTTPS listeners; they outlive every Snapshot. nullptr: HTTPS is not served.
  TicketKeys* tickets = nullptr;
  // What hostnames stand for; of one that is not in it no address is known yet.
  std::shared_ptr<const NameTable> names = std::make_shared<const NameTable>();
  // Services of type ExternalName may be used: by them whoever may write Services reaches whatever
  // the gateway does (CVE-2021-25740).
  bool allow_external_name = false;
  // Which certificates are valid is judged at this time; 0: that is not looked at.
  int64_t now_unix_s = 0;
  // Asked for at the first use of what the machine trusts: the one thing that is not among the
  // objects. It reads files.
  std::function<absl::StatusOr<std::shared_ptr<const Trust>>()> read_system_trust = Trust::System;
};

// What several objects may want and one can have (a port and hostname, an address, a model's name
// in a pool, a pool's policy) -> the object that has it. Of equally old ones the one that has it
// already keeps it: what works goes on working when somebody adds another.
using Holders = std::map<std::string, std::string>;

// A certificate that clients of an HTTPS listener are shown.
struct ServedCertificate {
  std::string listener;  // "default/inference-gateway/https"
  std::string from;      // "Secret default/cert"
  int64_t not_after_unix_s = 0;
};

// A ModelRelease that is accepted.
struct ServedRelease {
  enum class Subject : uint8_t { kRoute, kModel };

  release::ReleasePlan plan;  // whose name is "namespace/name"
  int64_t generation = 0;     // of the object
  std::string status;         // as a cluster has it (api::ModelRelease)
  std::string about;          // "rule chat of HTTPRoute default/chat"
  Subject subject = Subject::kRoute;
  api::ObjectKey key;  // of the route or model
  size_t rule = 0;     // of the route
  // Index the rule's destinations or the model's targets.
  size_t stable = 0;
  size_t candidate = 0;
  // Ids of the pools that have to be ready; empty: it cannot be, its reference does not resolve.
  std::string stable_pool;
  std::string candidate_pool;

  bool operator==(const ServedRelease&) const = default;
};

struct Translation {
  std::shared_ptr<const Snapshot> snapshot;
  api::StatusSet status;  // one entry per object that carries conditions
  // What is right and probably not meant: "InferencePool default/qwen (a.yaml:1): ...".
  std::vector<std::string> warnings;
  Holders holders;
  std::vector<ServedCertificate> certificates;
  // When the next of the certificates, served or not, begins or ceases to be valid: then some
  // conditions are others. 0: never.
  int64_t next_change_unix_s = 0;
  std::set<std::string> hosts = {};  // names that TranslateOptions::names is to have
  std::optional<api::ManagedGateways> managed = {};  // with TranslateOptions::managed_from
  std::vector<ServedRelease> releases = {};
};

// `endpoints` gives each address its live state; addresses that were known before keep theirs.
// `held` is what the translation before this one gave.
Translation Translate(const api::ResourceSet& resources, const TranslateOptions& options,
                      EndpointTable& endpoints, uint64_t generation, const Holders& held = {});

// Why one of the Snapshot's listeners could not be opened.
struct ListenError {
  std::string message;
  bool address = false;  // it is its address that cannot be used, not the port

  bool operator==(const ListenError&) const = default;
};
using ListenErrors = std::map<ListenerKey, ListenError>;

// The statuses as they are when these listeners of the Snapshot could not be opened: where a port
// is taken they say PortUnavailable, a Gateway of which no listener is open is not Programmed, and
// one whose address cannot be used says AddressNotUsable. A pure function, because it is learnt
// after the translation and may change without a new one.
api::StatusSet WithListenErrors(api::StatusSet statuses, const Snapshot& snapshot,
                                const ListenErrors& errors);

}  // namespace gw
