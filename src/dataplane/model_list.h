// Asks endpoints for their models (exchange/model_list.h says which), and keeps the merged answers
// for a moment, per worker.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "dataplane/upstream.h"
#include "exchange/exchange.h"
#include "exchange/model_list.h"

namespace gw {

// The model list of one rule being put together. Destroying it gives up the questions still open.
class ModelListFetch {
 public:
  // `done(body)` is called once, from the loop or from Start; an empty body means that no pool
  // could tell. It may destroy the fetch.
  using Done = std::function<void(const std::string& body)>;
  using OnLimit = std::function<void(std::string_view limit)>;

  // `on_limit` is told of each limit and time-out that is reached.
  ModelListFetch(UpstreamPool& upstreams, ModelListPlan plan, OnLimit on_limit);
  ~ModelListFetch();
  void Start(Done done);

 private:
  class Question;
  void OnAnswer();
  void Finish();

  UpstreamPool& upstreams_;
  ModelListPlan plan_;
  const OnLimit on_limit_;
  Done done_;
  std::vector<std::unique_ptr<Question>> questions_;
  size_t open_ = 0;
};

class ModelListCache {
 public:
  // The list of KeyOf(rules), or nullptr if it is unknown or older than `max_age`.
  const std::string* Find(uint64_t generation, const std::string& key, TimePoint now,
                          Duration max_age) const;
  void Put(uint64_t generation, const std::string& key, TimePoint now, std::string body);

 private:
  struct Entry {
    TimePoint at;
    std::string body;
  };
  uint64_t generation_ = 0;
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace gw
