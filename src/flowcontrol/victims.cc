#include "flowcontrol/victims.h"

#include <limits>
#include <utility>

#include "base/check.h"

namespace gw {

bool Victims::Place::operator<(const Place& other) const {
  if (stage != other.stage) return stage < other.stage;
  if (priority != other.priority) return priority < other.priority;
  return key > other.key;
}

Victims::Key Victims::Add(int priority, Evict evict) {
  CHECK(evict != nullptr);
  const Key key = ++last_;
  const Entry& entry =
      entries_.emplace(key, Entry{.priority = priority, .evict = std::move(evict)}).first->second;
  Enter(key, entry);
  return key;
}

void Victims::Enter(Key key, const Entry& entry) {
  if (entry.stage != Stage::kFixed && !entry.taken) order_.insert(PlaceOf(key, entry));
}

void Victims::SetStage(Key key, Stage stage) {
  Entry& entry = entries_.at(key);
  if (entry.stage == stage) return;
  order_.erase(PlaceOf(key, entry));
  entry.stage = stage;
  Enter(key, entry);
}

// Of each stage the first has the lowest priority: if that is not below, none of its stage is.
Victims::Evict Victims::Take(int below) {
  constexpr int kLowest = std::numeric_limits<int>::min();
  constexpr Key kYoungest = std::numeric_limits<Key>::max();
  for (const Stage stage : {Stage::kUnsent, Stage::kStreams}) {
    const auto first = order_.lower_bound({stage, kLowest, kYoungest});
    if (first == order_.end() || first->stage != stage || first->priority >= below) continue;
    Entry& entry = entries_.at(first->key);
    order_.erase(first);
    entry.taken = true;
    ++taken_;
    return entry.evict;
  }
  return nullptr;
}

void Victims::PutBack(Key key) {
  Entry& entry = entries_.at(key);
  CHECK(std::exchange(entry.taken, false));
  --taken_;
  Enter(key, entry);
}

Victims::Evict Victims::Remove(Key key) {
  const auto found = entries_.find(key);
  CHECK(found != entries_.end());
  order_.erase(PlaceOf(key, found->second));
  if (found->second.taken) --taken_;
  Evict evict = std::move(found->second.evict);
  entries_.erase(found);
  return evict;
}

}  // namespace gw
