// TestNetwork: topics of several gateways that tell each other, in virtual time, over links that
// delay, lose and are cut, as a Mesh would have them.

#pragma once

#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "peers/topic.h"

namespace gw::peers {

class TestNetwork {
 public:
  TestNetwork(Duration gather, uint64_t seed) : gather_(gather), random_(seed) {}

  // A gateway comes: it is told a whole, and tells one.
  void Add(Topic& topic) {
    nodes_.push_back({&topic, ++ids_, {}, false, {}});
    for (Node& node : nodes_) node.needs_whole = true;
  }
  // It goes, and what it has said on the way is lost.
  void Remove(Topic& topic) {
    const uint64_t id = Of(topic).id;
    nodes_.remove_if([&](const Node& node) { return node.id == id; });
    under_way_.remove_if([&](const Word& word) { return word.from == id || word.to == id; });
    if (now_ > TimePoint()) {
      for (Node& node : nodes_) node.topic->Forget(id, now_);
    }
  }
  // Nothing of it goes through, and it is not told that.
  void Cut(Topic& topic, bool is_cut) {
    Of(topic).is_cut = is_cut;
    for (Node& node : nodes_) node.needs_whole = true;
  }
  // It neither tells nor hears.
  void Hang(Topic& topic, bool hangs) { Of(topic).hangs = hangs; }

  void set_late(Duration at_most) { late_ = at_most; }
  void set_lost(double chance) { lost_ = chance; }
  void set_alone_tells(bool tells) { alone_tells_ = tells; }

  // What is due by `now` is heard and told.
  void Advance(TimePoint now) {
    now_ = now;
    for (auto word = under_way_.begin(); word != under_way_.end();) {
      if (word->at > now) {
        ++word;
        continue;
      }
      Deliver(*word);
      word = under_way_.erase(word);
    }
    for (Node& node : nodes_) {
      if (now >= node.tells_at && !node.hangs) Tell(node);
    }
  }

 private:
  struct Node {
    Topic* topic;
    uint64_t id;
    TimePoint tells_at;
    bool is_cut;
    TimePoint whole_at;
    bool needs_whole = true;
    bool hangs = false;
    std::map<uint64_t, TimePoint> heard_at = {};  // the last of each peer: words stay in order
  };
  struct Word {
    uint64_t from;
    uint64_t to;
    TimePoint at;
    std::string bytes;
  };

  Node& Of(const Topic& topic) {
    const auto node = std::find_if(nodes_.begin(), nodes_.end(),
                                   [&](const Node& each) { return each.topic == &topic; });
    CHECK(node != nodes_.end());
    return *node;
  }

  void Tell(Node& node) {
    node.tells_at = now_ + gather_;
    if (nodes_.size() < 2 && !alone_tells_) return;
    const bool whole = std::exchange(node.needs_whole, false) || now_ >= node.whole_at;
    if (whole) node.whole_at = now_ + std::chrono::seconds(1);
    std::string bytes;
    MessageWriter writer(&bytes);
    node.topic->Tell(now_, whole, &writer);
    writer.End();
    if (bytes.empty()) return;
    for (Node& other : nodes_) {
      if (other.id == node.id || node.is_cut || other.is_cut) continue;
      if (random_.Unit() < lost_) continue;
      const Duration late(late_ > Duration(0) ? random_.Below(late_.count()) : 0);
      TimePoint& heard_at = other.heard_at[node.id];
      heard_at = std::max(heard_at, now_ + late);
      under_way_.push_back({node.id, other.id, heard_at, bytes});
    }
  }

  void Deliver(const Word& word) {
    for (Node& node : nodes_) {
      if (node.id != word.to || node.hangs) continue;
      std::string_view left = word.bytes;
      while (!left.empty()) {
        Message message;
        bool is_whole = false;
        CHECK(TakeMessage(&left, &message, &is_whole).ok() && is_whole);
        CHECK(message.kind == node.topic->kind());
        const absl::Status status = node.topic->Take(word.from, message.payload, now_);
        CHECK(status.ok());
      }
    }
  }

  const Duration gather_;
  Random random_;
  Duration late_{};
  double lost_ = 0;
  bool alone_tells_ = true;
  uint64_t ids_ = 0;
  TimePoint now_{};
  std::list<Node> nodes_;
  std::list<Word> under_way_;
};

}  // namespace gw::peers
