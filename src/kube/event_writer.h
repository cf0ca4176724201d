// EventWriter: tells what happened to an object as an Event beside it (core/v1), as `kubectl
// describe` shows it. One is sent once: it says nothing that the object's status does not.
//
// On the loop's thread, all of it.

#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "api/meta.h"
#include "base/random.h"
#include "kube/api_client.h"

namespace gw::kube {

struct ObjectEvent {
  api::ObjectRef object;
  std::string uid = {};  // by which the object's page finds it
  bool warning = false;
  std::string reason;
  std::string message;
};

// The Event's JSON. `name` is its own, no other of the namespace has it.
std::string EventJson(const ObjectEvent& event, const std::string& name,
                      const std::string& instance, int64_t now_unix_s);

class EventWriter {
 public:
  static constexpr size_t kUnderWayMax = 100;

  // `client` outlives it. `instance`: who tells.
  EventWriter(ApiClient& client, Random random, std::string instance)
      : client_(client), random_(random), instance_(std::move(instance)) {}

  // Beyond kUnderWayMax it is left out, which is logged.
  void Write(const ObjectEvent& event);
  size_t under_way() const { return calls_.size(); }

 private:
  ApiClient& client_;
  Random random_;
  const std::string instance_;
  std::list<std::unique_ptr<ApiCall>> calls_;
};

}  // namespace gw::kube
