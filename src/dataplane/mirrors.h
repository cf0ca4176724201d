// Mirrors: the copies of requests that are under way from one worker. A copy is sent after its
// request and has nothing to do with it from then on: its answer is thrown away as it comes, and
// how it ends is counted. What all copies hold is bounded apart from what requests may hold, so
// that those are never refused for them.
//
// On the worker's thread, all of it.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "client/pool.h"
#include "dataplane/options.h"
#include "exchange/mirrored.h"

namespace gw {

class Mirrors {
 public:
  // Everything referred to outlives it.
  Mirrors(ClientPool& upstreams, ExchangeEnvironment& environment, const DataplaneOptions& options);
  ~Mirrors();

  // The body of one request, for all its copies.
  class Body {
   public:
    Body(std::string_view bytes, std::shared_ptr<size_t> held);
    ~Body() { *held_ -= size_; }
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    std::string_view view() const { return {bytes_.data(), size_}; }

   private:
    std::string bytes_;  // with the parser's padding behind them
    size_t size_;
    std::shared_ptr<size_t> held_;
  };

  struct Copy {
    std::string_view route;  // that wants it, for its count
    const PoolEntry* pool;   // nullptr: there is none
    const Asked& asked;
    bool coded = false;            // the body is not what its content type says
    std::string_view body;         // the client's
    const ClientRequest& request;  // as the rule's own endpoints get it, without a body's parts
  };
  // `*kept` is the request's body once one of its copies needs it.
  void Send(const Copy& copy, std::shared_ptr<const Body>* kept);

 private:
  class Call;

  void Count(std::string_view route, MirrorResult result);
  void Ended(Call* call, MirrorResult result);

  ClientPool& upstreams_;
  ExchangeEnvironment& env_;
  const DataplaneOptions& options_;
  std::shared_ptr<size_t> held_ = std::make_shared<size_t>(0);  // bytes of bodies
  absl::flat_hash_map<Call*, std::unique_ptr<Call>> calls_;
};

}  // namespace gw
