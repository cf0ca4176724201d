// ServicePorts: keeps the ports of the Service that clients reach the gateway by as the Gateways'
// listeners have them, so that whoever adds a listener need not edit the Service.
//
// Ports of it that have a name "port-80" are its own: missing ones are added, those that nothing
// listens at are removed, the others are left alone, and so is all else of the Service. The last
// port stays, as a Service must have one. Sent as a JSON merge patch (RFC 7386) of spec.ports with
// the version that it was made of: if the Service is another by then the server refuses it, and it
// is made again of the newer one.
//
// On the loop's thread, all of it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/meta.h"
#include "base/random.h"
#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/resource.h"

namespace gw::config {

// The patch of `service` for these ports, sorted; empty if it has them and no others of ours.
std::string ServicePortsPatch(const api::Node& service, const std::vector<uint16_t>& ports);

class ServicePorts {
 public:
  // `client` outlives it.
  ServicePorts(kube::ApiClient& client, api::ObjectKey service, Random random);

  // Of any object that the server has: others than the Service are ignored.
  void Seen(const kube::Resource& resource, const kube::ApiObject& object);
  void Gone(const kube::Resource& resource, const api::ObjectKey& key);
  void Want(std::vector<uint16_t> ports);
  // Inactive, as it is at first, it sends nothing.
  void SetActive(bool active);

 private:
  bool IsService(const kube::Resource& resource, const api::ObjectKey& key) const;
  void Consider();
  void OnAnswer(const kube::ApiAnswer& answer);

  kube::ApiClient& client_;
  const api::ObjectKey service_;
  Random random_;
  bool active_ = false;
  std::optional<std::vector<uint16_t>> wanted_;
  std::optional<kube::ApiObject> seen_;
  std::string sent_version_;  // that the last patch was made of
  std::string error_;         // that was logged
  kube::Backoff backoff_;
  std::unique_ptr<kube::ApiCall> call_;
  Timer retry_;
};

}  // namespace gw::config
