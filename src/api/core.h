// The core kinds, read only as far as routing needs them: Service, EndpointSlice, Pod, Secret,
// ConfigMap, Namespace. Fields that are not here are not looked at.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/access.h"
#include "api/meta.h"

namespace gw::api {

struct ServicePort {
  std::string name;  // may be empty when there is one port
  int port = 0;
  int target_port = 0;           // 0: named, see target_port_name
  std::string target_port_name;  // a container port of the Pods
  std::string protocol = "TCP";
  std::string app_protocol;

  bool operator==(const ServicePort&) const = default;
};

// Where a load balancer takes requests for a Service.
struct IngressPoint {
  std::string ip;        // may be empty
  std::string hostname;  // may be empty

  bool operator==(const IngressPoint&) const = default;
};

struct Service {
  ObjectMeta meta;
  std::string type = "ClusterIP";
  std::string cluster_ip;                // "None" for headless
  std::vector<std::string> cluster_ips;  // of both families, the first is cluster_ip
  std::vector<std::string> external_ips;
  std::vector<IngressPoint> load_balancer;  // of a cluster, in status
  std::string external_name;  // of type ExternalName; lower case, without a dot at its end
  StringMap selector;
  std::vector<ServicePort> ports;

  bool operator==(const Service&) const = default;
};

struct SlicePort {
  std::string name;
  std::optional<int> port;
  std::string protocol = "TCP";
  std::string app_protocol;

  bool operator==(const SlicePort&) const = default;
};

struct SliceEndpoint {
  std::vector<std::string> addresses;
  bool ready = true;  // absent counts as true
  bool serving = true;
  bool terminating = false;
  std::string pod_name;  // targetRef of kind Pod; may be empty

  bool operator==(const SliceEndpoint&) const = default;
};

struct EndpointSlice {
  ObjectMeta meta;
  std::string service_name;  // label kubernetes.io/service-name
  std::string address_type;  // "IPv4", "IPv6", "FQDN"
  std::vector<SlicePort> ports;
  std::vector<SliceEndpoint> endpoints;

  bool operator==(const EndpointSlice&) const = default;
};

struct Pod {
  ObjectMeta meta;
  std::string ip;     // status.podIP; empty: none yet
  std::string phase;  // status.phase; empty: not given
  bool ready = true;  // the Ready condition; without any condition a Pod counts as ready
  std::optional<int> target_port;  // annotation penstock.dev/target-port

  bool operator==(const Pod&) const = default;
};

inline constexpr char kTlsSecretType[] = "kubernetes.io/tls";
inline constexpr char kTlsCertificateKey[] = "tls.crt";
inline constexpr char kTlsPrivateKeyKey[] = "tls.key";

// What is in `data` is never shown to anybody: messages, logs and reports name keys of the map and
// lengths.
struct Secret {
  ObjectMeta meta;
  std::string type = "Opaque";
  StringMap data;     // decoded, with stringData over it
  RateLimits limits;  // of the owners of the API keys in it
  QueueTerms queue_terms;

  bool operator==(const Secret&) const = default;
};

inline constexpr char kCaCertificateKey[] = "ca.crt";

struct ConfigMap {
  ObjectMeta meta;
  StringMap data;  // without binaryData

  bool operator==(const ConfigMap&) const = default;
};

struct Namespace {
  ObjectMeta meta;  // labels include kubernetes.io/metadata.name

  bool operator==(const Namespace&) const = default;
};

}  // namespace gw::api
