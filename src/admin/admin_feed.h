// AdminFeed: an answer of the admin port that does not end: server-sent events (WHATWG HTML,
// section 9.2), the same for everybody who reads it. A handler answers with one:
//
//   handlers["/feed"] = [&feed](const AdminRequest&) { return AdminResponse{.feed = &feed}; };
//
// Each reader gets Whole() and then every Changes() since. One that has not taken what it was sent
// before misses what comes meanwhile, and gets Whole() in its place when it has: a reader costs one
// message of memory at most, however slow it is. While nobody reads nothing is called.

#pragma once

#include <memory>
#include <string>

#include "base/clock.h"

namespace gw {

// Whole events, each with its empty line at the end. Shared by all readers.
using FeedMessage = std::shared_ptr<const std::string>;

// Outlives the server. All calls on the admin thread.
class AdminFeed {
 public:
  virtual ~AdminFeed() = default;

  // How often Changes is asked for.
  virtual Duration period() const = 0;
  // Somebody reads again; before any other call. Whatever was gathered for earlier readers is old.
  virtual void Begin() = 0;
  // What is different since the last call, or since Begin; nullptr: nothing. So many read.
  virtual FeedMessage Changes(size_t readers) = 0;
  // All there is, as the last Begin or Changes found it. Not null.
  virtual FeedMessage Whole() = 0;
  // Nobody reads any more.
  virtual void End() = 0;
};

}  // namespace gw
