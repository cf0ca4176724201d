// FeedReaders: the connections that read one AdminFeed, and its clock.

#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "admin/admin_feed.h"
#include "net/event_loop.h"

namespace gw::internal {

// One that reads.
class FeedReader {
 public:
  virtual ~FeedReader() = default;

  // True: all of what it was sent is out.
  virtual bool has_sent() const = 0;
  // REQUIRES: has_sent(). May end the reader, which then calls Remove.
  virtual void Send(const FeedMessage& message) = 0;
};

// Of one loop. Outlives its readers.
class FeedReaders {
 public:
  FeedReaders(EventLoop& loop, AdminFeed& feed);

  // Sends it the whole feed at once.
  void Add(FeedReader* reader);
  void Remove(FeedReader* reader);
  size_t size() const { return readers_.size(); }

  // What a reader is sent that had nothing to read for so long: a comment, so that both ends find
  // out that a connection is dead.
  static constexpr Duration kSilence = std::chrono::seconds(10);

 private:
  void Tick();
  void SendToAll(const FeedMessage& changes);

  struct State {
    bool missed = false;
    TimePoint sent_at{};
  };

  EventLoop& loop_;
  AdminFeed& feed_;
  Timer timer_;
  std::unordered_map<FeedReader*, State> readers_;
};

// All feeds that are read at a server.
class Feeds {
 public:
  explicit Feeds(EventLoop& loop) : loop_(loop) {}

  FeedReaders& Of(AdminFeed& feed) { return all_.try_emplace(&feed, loop_, feed).first->second; }
  // Of all together.
  size_t readers() const;

 private:
  EventLoop& loop_;
  std::unordered_map<AdminFeed*, FeedReaders> all_;
};

}  // namespace gw::internal
