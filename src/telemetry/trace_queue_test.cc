#include "telemetry/trace_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace gw {
namespace {

RequestRecord Named(const std::string& id) {
  RequestRecord record;
  record.request_id = id;
  return record;
}

TEST(TraceQueue, GivesTheOldestFirst) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(10, metrics);
  for (const char* const id : {"a", "b", "c"}) queue.Take(Named(id));
  const TraceQueue::Records two = queue.TakeOldest(2);
  ASSERT_EQ(two.size(), 2);
  EXPECT_EQ(two[0]->request_id, "a");
  EXPECT_EQ(two[1]->request_id, "b");
  EXPECT_EQ(queue.TakeOldest(2).at(0)->request_id, "c");
  EXPECT_TRUE(queue.TakeOldest(2).empty());
}

TEST(TraceQueue, DropsTheNewestBeyondItsLimitAndCountsItsSpans) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(2, metrics);
  RequestRecord record = Named("x");
  record.body_ms = 1;  // a second span
  for (int i = 0; i < 5; ++i) queue.Take(record);
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(metrics.queue_full.value(), 6);
  EXPECT_EQ(metrics.queue_limit.value(), 3);
  queue.GiveBack(queue.TakeOldest(1));
  queue.Take(record);
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(metrics.queue_full.value(), 6);
}

TEST(TraceQueue, SaysOnceThatABatchIsHere) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(1000, metrics);
  int told = 0;
  queue.set_on_full_batch([&] { ++told; });
  for (size_t i = 0; i < 2 * TraceQueue::kBatchRecords; ++i) queue.Take(Named("x"));
  EXPECT_EQ(told, 1);
  queue.TakeOldest(1000);
  for (size_t i = 0; i < TraceQueue::kBatchRecords; ++i) queue.Take(Named("x"));
  EXPECT_EQ(told, 2);
}

TEST(TraceQueue, TakesFromManyThreadsWithinItsLimit) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(50, metrics);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) queue.Take(Named("x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(queue.size(), 50);
  EXPECT_EQ(metrics.queue_full.value(), 350);
}

}  // namespace
}  // namespace gw
