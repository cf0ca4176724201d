// What a StatusWriter knows of one object. Internal to status_writer.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "api/object.h"
#include "kube/backoff.h"
#include "kube/status_writer.h"

namespace gw::kube {

// Versions of an object that are known to be older than the one that is held. A watch may tell them
// late: behind the answer to a PATCH that was made of them.
class PassedVersions {
 public:
  void Add(std::string version, TimePoint now) {
    if (versions_.size() == kVersionsMax) versions_.pop_front();
    versions_.emplace_back(std::move(version), now);
  }
  bool Has(const std::string& version, TimePoint now) const {
    for (const auto& [passed, since] : versions_) {
      if (passed == version && now - since < kRememberedFor) return true;
    }
    return false;
  }
  void Clear() { versions_.clear(); }

 private:
  static constexpr size_t kVersionsMax = 8;
  // A watch is not that late. Versions of a restored store may be told anew.
  static constexpr Duration kRememberedFor = std::chrono::seconds(60);
  std::deque<std::pair<std::string, TimePoint>> versions_;
};

struct StatusWriter::Entry {
  enum class State : uint8_t {
    kIdle,      // says what is wished, or nothing is wished
    kQueued,    // to be compared
    kCalling,   // a request is under way
    kConflict,  // a newer version is awaited, and asked for when the timer fires
    kWaiting,   // for the next try, whatever is told meanwhile
    kRefused,   // until object or wish is another
  };

  Entry(EventLoop& loop, api::ObjectId entry_id, Resource entry_resource,
        std::function<void(Entry*)> on_timer)
      : id(std::move(entry_id)),
        resource(std::move(entry_resource)),
        timer(loop, [this, on_timer = std::move(on_timer)] { on_timer(this); }) {}

  const api::ObjectId id;
  const Resource resource;
  ApiObject seen;  // of its node what is compared
  PassedVersions passed;
  State state = State::kIdle;
  std::string base_version;   // of the request under way
  bool superseded = false;    // the server has a newer version than `seen`: it said so
  bool wish_changed = false;  // since that request was made
  int conflicts = 0;          // in a row
  std::string refusal;        // that was logged
  Backoff backoff;
  std::unique_ptr<ApiCall> call;
  Timer timer;
};

}  // namespace gw::kube
