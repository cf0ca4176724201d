// Outbox: what this gateway has to tell its peers of the endpoints that they share, since it last
// did: the sums that have changed, what was put into the prefix index.
//
// Nothing is noted on the request path: sums are read from the endpoints' accounting and compared
// with what was told. One thread.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "peers/message.h"
#include "pool/endpoint.h"
#include "prefix/news.h"

namespace gw::peers {

class Outbox {
 public:
  // What answers generate changes all the time and matters least: it is told that often.
  static constexpr Duration kGeneratedInterval = std::chrono::milliseconds(50);

  // The endpoints that are served. What is told of others ends with the next Whole.
  struct Shared {
    std::string address;
    std::shared_ptr<EndpointState> state;
  };
  void SetEndpoints(std::vector<Shared> endpoints);

  // Appends what has changed since the last call to messages in `out`.
  void TakeSums(TimePoint now, std::string* out);
  // Appends all there is. Changes nothing of what the next TakeSums tells.
  void Whole(std::string* out) const;
  // Appends news of the index, at most about so many bytes of them.
  static void TakePrefixes(std::span<const std::unique_ptr<PrefixNews>> workers, size_t bytes_max,
                           std::string* out);

 private:
  struct Told {
    Shared endpoint;
    GatewaySums sums;
  };

  std::vector<Told> endpoints_;
  TimePoint generated_at_{};
};

}  // namespace gw::peers
