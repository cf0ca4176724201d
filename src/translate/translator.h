// Translator: Translate for a configuration that changes bit by bit. A Pod that becomes Ready makes
// the pools that select it anew; all else of the Snapshot, its routes and listeners, is the one
// before's. What comes out is what Translate would make of all objects (translator_test.cc).

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/object.h"
#include "flowcontrol/rate_limit.h"
#include "translate/translate.h"

namespace gw {

// One thread at a time.
class Translator {
 public:
  struct Update {
    std::shared_ptr<const Snapshot> snapshot;
    // True: everything was translated, `status` has all objects. False: listeners, routes and which
    // pools there are stay as they were; of the statuses only the parents in `parents` are others.
    bool whole = true;
    api::StatusSet status = {};
    std::vector<std::pair<api::ObjectRef, std::vector<api::ParentStatus>>> parents = {};
    std::vector<std::string> warnings = {};
  };

  // `endpoints` outlives it.
  Translator(TranslateOptions options, EndpointTable& endpoints);
  ~Translator();

  Update TranslateAll(const api::ResourceSet& resources, uint64_t generation);
  // The same for objects that are those of the last call but for these changes, each object once.
  Update Follow(const api::ResourceSet& resources, std::span<const api::ObjectChange> changes,
                uint64_t generation);

 private:
  struct Kept;

  const TranslateOptions options_;
  EndpointTable& endpoints_;
  Holders holders_;
  RateMeters rate_meters_;
  std::unique_ptr<Kept> kept_;  // of the last call
};

}  // namespace gw
