// NameCache: which names are to be asked for, and when again: when an answer's lifetime is over, or
// after a failure with a pause that grows. It asks nobody itself.
//
// A server that does not answer takes nothing away: what was known stays until somebody says
// otherwise, since a model served elsewhere is as reachable as before. That a name does not exist
// is an answer, and empties it.
//
// One thread at a time.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dns/name_table.h"

namespace gw {

struct NameAnswer {
  enum class Kind : uint8_t { kFound, kNoSuchName, kFailed };
  Kind kind = Kind::kFailed;
  std::vector<std::string> ips = {};  // in any order
  Duration lifetime{0};               // of kFound
  std::string error = {};             // of the others
};

struct NameCacheOptions {
  // Lifetimes are taken as at least, and at most, this.
  Duration lifetime_min = std::chrono::seconds(5);
  Duration lifetime_max = std::chrono::seconds(300);
  // After a failure, and after each further one twice that.
  Duration retry_min = std::chrono::seconds(1);
  Duration retry_max = std::chrono::seconds(30);
  size_t ips_max = 64;  // of one name; the rest is left out
};

class NameCache {
 public:
  explicit NameCache(NameCacheOptions options = {}) : options_(options) {}

  // These are to be known from now on, and no others. True: the table is another.
  bool SetWanted(const std::set<std::string>& names, TimePoint now);
  // A name that is to be asked for now; it is, until its answer comes.
  std::optional<std::string> TakeDue(TimePoint now);
  // When the next one is due; nullopt: none will be before an answer comes.
  std::optional<TimePoint> NextDue() const;
  // Of a name that was taken, wanted still or not. True: the table is another.
  bool OnAnswer(const std::string& name, NameAnswer answer, TimePoint now);

  const NameTable& table() const { return table_; }
  bool all_asked() const;  // the first answers of all have come

 private:
  struct State {
    bool under_way = false;
    TimePoint due;
    int failures = 0;  // in a row
  };
  Duration PauseAfter(int failures) const;

  const NameCacheOptions options_;
  std::map<std::string, State> states_;  // of the wanted names
  NameTable table_;                      // of the same
};

}  // namespace gw
