// ReadErrorNews: what is worth a line in the log of what the source of the configuration cannot
// read. Pure; time is passed in.
//
// A line when something begins to be unreadable, one when it all can be read again, and between
// these one when something else is unreadable. Of files that is whenever the words are others: a
// mistake was made in place of another. The resources of a cluster whose API server is away fail
// one after the other, each in the words of its last try, so that the words change every second or
// two: theirs are worth a line when the resources are others, and at most one a minute. What is
// held back is said when the minute is over, if it is still true.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace gw {

class ReadErrorNews {
 public:
  static constexpr Duration kInterval = std::chrono::minutes(1);
  enum class Say : uint8_t { kNothing, kErrors, kAllRead };

  // What is so from now on: Remarks::errors in one text, and Remarks::unread.
  void Set(std::string error, std::vector<std::string> unread);
  // What is to be said now. The caller says it.
  Say Take(TimePoint now);
  const std::string& error() const { return now_.error; }

 private:
  struct Unreadable {
    std::string error;  // empty: nothing
    std::vector<std::string> resources;
  };

  Unreadable now_;
  Unreadable said_;  // empty: nothing, or all has been read since
  std::optional<TimePoint> resources_said_at_;
};

}  // namespace gw
