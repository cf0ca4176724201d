#include "snapshot/snapshot.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gw {
namespace {

std::shared_ptr<const Snapshot> Numbered(uint64_t generation) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = generation;
  // As many ports as the number says, so that a reader can tell a torn value.
  for (uint64_t i = 0; i < generation % 7; ++i) {
    ListenerEntry listener;
    listener.key.port = static_cast<uint16_t>(8000 + i);
    snapshot->listeners.push_back(std::move(listener));
  }
  return snapshot;
}

TEST(Snapshot, FindsListenersByPort) {
  const auto snapshot = Numbered(3);
  ASSERT_NE(snapshot->FindListener({8002}), nullptr);
  EXPECT_EQ(snapshot->FindListener({8002})->key.port, 8002);
  EXPECT_EQ(snapshot->FindListener({8003}), nullptr);
  EXPECT_EQ(Snapshot{}.FindListener({8000}), nullptr);
  EXPECT_EQ(snapshot->FindListener({8002, "127.0.0.1"}), nullptr);
}

TEST(SnapshotStore, HoldsNothingBeforeTheFirstPublish) {
  SnapshotStore store;
  SnapshotReader reader(store);
  EXPECT_EQ(store.version(), 0u);
  EXPECT_EQ(store.Load(), nullptr);
  EXPECT_EQ(reader.Get(), nullptr);
}

TEST(SnapshotReader, SeesEachPublishedSnapshot) {
  SnapshotStore store;
  SnapshotReader early(store);
  for (uint64_t generation = 1; generation <= 3; ++generation) {
    const auto snapshot = Numbered(generation);
    store.Publish(snapshot);
    EXPECT_EQ(store.version(), generation);
    EXPECT_EQ(early.Get(), snapshot);
    SnapshotReader late(store);
    EXPECT_EQ(late.Get(), snapshot);
  }
}

TEST(SnapshotReader, KeepsItsSnapshotAliveUntilItLooksAgain) {
  SnapshotStore store;
  SnapshotReader reader(store);
  store.Publish(Numbered(1));
  std::weak_ptr<const Snapshot> first = reader.Get();
  store.Publish(Numbered(2));
  EXPECT_FALSE(first.expired());
  EXPECT_EQ(reader.Get()->generation, 2u);
  EXPECT_TRUE(first.expired());
}

TEST(SnapshotStore, ManyReadersSeeOnlyWholeSnapshotsAndNeverAnOlderOne) {
  constexpr uint64_t kLast = 2000;
  SnapshotStore store;
  std::vector<uint64_t> seen_last(4, 0);
  std::vector<uint64_t> errors(4, 0);
  {
    std::vector<std::jthread> readers;
    for (size_t i = 0; i < seen_last.size(); ++i) {
      readers.emplace_back([&, i] {
        SnapshotReader reader(store);
        while (seen_last[i] < kLast) {
          const std::shared_ptr<const Snapshot> snapshot = reader.Get();
          if (snapshot == nullptr) continue;
          errors[i] += snapshot->generation < seen_last[i];
          errors[i] += snapshot->listeners.size() != snapshot->generation % 7;
          seen_last[i] = snapshot->generation;
        }
      });
    }
    for (uint64_t generation = 1; generation <= kLast; ++generation) {
      store.Publish(Numbered(generation));
    }
  }
  EXPECT_EQ(errors, std::vector<uint64_t>(4, 0));
  EXPECT_EQ(seen_last, std::vector<uint64_t>(4, kLast));
}

}  // namespace
}  // namespace gw
