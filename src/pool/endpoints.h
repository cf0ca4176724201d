// Endpoints: those of one pool, in their order.

#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "pool/endpoint.h"

namespace gw {

// Their states stand side by side for who walks over all of them: an Endpoint is larger than what a
// decision reads of its state.
class Endpoints {
 public:
  Endpoints() = default;
  Endpoints(std::vector<Endpoint> all) {  // NOLINT(google-explicit-constructor)
    for (Endpoint& endpoint : all) push_back(std::move(endpoint));
  }

  void push_back(Endpoint endpoint) {
    states_.push_back(endpoint.state.get());
    all_.push_back(std::move(endpoint));
  }
  void clear() {
    all_.clear();
    states_.clear();
  }
  size_t size() const { return all_.size(); }
  bool empty() const { return all_.empty(); }
  const Endpoint& operator[](size_t i) const { return all_[i]; }
  const Endpoint& front() const { return all_.front(); }
  const Endpoint& back() const { return all_.back(); }
  std::vector<Endpoint>::const_iterator begin() const { return all_.begin(); }
  std::vector<Endpoint>::const_iterator end() const { return all_.end(); }
  operator std::span<const Endpoint>() const {
    return all_;
  }  // NOLINT(google-explicit-constructor)

  // Of each endpoint, at its place.
  std::span<EndpointState* const> states() const { return states_; }

 private:
  std::vector<Endpoint> all_;
  std::vector<EndpointState*> states_;
};

}  // namespace gw
