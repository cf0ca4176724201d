#include "admin/feed_readers.h"

#include <utility>
#include <vector>

namespace gw::internal {
namespace {

const FeedMessage& StillHere() {
  static const auto* const message =
      new FeedMessage(std::make_shared<const std::string>(": still here\n\n"));
  return *message;
}

}  // namespace

FeedReaders::FeedReaders(EventLoop& loop, AdminFeed& feed)
    : loop_(loop), feed_(feed), timer_(loop, [this] { Tick(); }) {}

void FeedReaders::Add(FeedReader* reader) {
  if (readers_.empty()) {
    feed_.Begin();
    timer_.Start(feed_.period());
  }
  readers_[reader] = {.missed = false, .sent_at = loop_.clock().Now()};
  reader->Send(feed_.Whole());
}

void FeedReaders::Remove(FeedReader* reader) {
  if (readers_.erase(reader) == 0 || !readers_.empty()) return;
  timer_.Stop();
  feed_.End();
}

void FeedReaders::Tick() {
  SendToAll(feed_.Changes(readers_.size()));
  if (!readers_.empty()) timer_.Start(feed_.period());
}

void FeedReaders::SendToAll(const FeedMessage& changes) {
  const TimePoint now = loop_.clock().Now();
  FeedMessage whole;
  std::vector<std::pair<FeedReader*, FeedMessage>> due;  // sending may remove readers
  for (auto& [reader, state] : readers_) {
    if (!reader->has_sent()) {
      state.missed |= changes != nullptr;
      continue;
    }
    FeedMessage message = changes;
    if (state.missed) {
      if (whole == nullptr) whole = feed_.Whole();
      message = whole;
    } else if (message == nullptr && now - state.sent_at >= kSilence) {
      message = StillHere();
    }
    if (message == nullptr) continue;
    state = {.missed = false, .sent_at = now};
    due.emplace_back(reader, std::move(message));
  }
  for (const auto& [reader, message] : due) reader->Send(message);
}

size_t Feeds::readers() const {
  size_t sum = 0;
  for (const auto& [feed, readers] : all_) sum += readers.size();
  return sum;
}

}  // namespace gw::internal
