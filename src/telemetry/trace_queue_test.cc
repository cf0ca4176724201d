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
  TraceQueue queue(10, 1000, metrics);
  for (const char* const id : {"a", "b", "c"}) queue.Take(Named(id), nullptr);
  const TraceQueue::Requests two = queue.TakeOldest(2);
  ASSERT_EQ(two.size(), 2);
  EXPECT_EQ(two[0].record->request_id, "a");
  EXPECT_EQ(two[1].record->request_id, "b");
  EXPECT_EQ(queue.TakeOldest(2).at(0).record->request_id, "c");
  EXPECT_TRUE(queue.TakeOldest(2).empty());
}

TEST(TraceQueue, DropsTheNewestBeyondItsLimitAndCountsItsSpans) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(2, 1000, metrics);
  RequestRecord record = Named("x");
  record.body_ms = 1;  // a second span
  for (int i = 0; i < 5; ++i) queue.Take(record, nullptr);
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(metrics.queue_full.value(), 6);
  EXPECT_EQ(metrics.queue_limit.value(), 3);
  queue.GiveBack(queue.TakeOldest(1));
  queue.Take(record, nullptr);
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(metrics.queue_full.value(), 6);
}

std::unique_ptr<PromptMessages> Prompt(size_t bytes) {
  return std::make_unique<PromptMessages>(PromptMessages{.messages = std::string(bytes, 'x')});
}

TEST(TraceQueue, APromptBeyondItsBytesIsDroppedAndItsRecordKept) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(10, 1000, metrics);
  queue.Take(Named("a"), Prompt(600));
  queue.Take(Named("b"), Prompt(500));
  queue.Take(Named("c"), Prompt(400));
  EXPECT_EQ(metrics.queue_bytes_limit.value(), 1);
  EXPECT_EQ(metrics.queue_full.value(), 0);
  const TraceQueue::Requests all = queue.TakeOldest(3);
  ASSERT_EQ(all.size(), 3);
  EXPECT_EQ(all[0].prompt->bytes(), 600);
  EXPECT_EQ(all[1].prompt->bytes(), 0);
  EXPECT_EQ(all[1].prompt->cut_bytes, 500);
  EXPECT_EQ(all[2].prompt->bytes(), 400);
  // What they took is free again.
  queue.Take(Named("d"), Prompt(1000));
  EXPECT_EQ(queue.TakeOldest(1).at(0).prompt->bytes(), 1000);
  EXPECT_EQ(metrics.queue_bytes_limit.value(), 1);
}

TEST(TraceQueue, SaysOnceThatABatchIsHere) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(1000, 1000, metrics);
  int told = 0;
  queue.set_on_full_batch([&] { ++told; });
  for (size_t i = 0; i < 2 * TraceQueue::kBatchRecords; ++i) queue.Take(Named("x"), nullptr);
  EXPECT_EQ(told, 1);
  queue.TakeOldest(1000);
  for (size_t i = 0; i < TraceQueue::kBatchRecords; ++i) queue.Take(Named("x"), nullptr);
  EXPECT_EQ(told, 2);
}

TEST(TraceQueue, TakesFromManyThreadsWithinItsLimit) {
  MetricRegistry registry;
  TraceMetrics metrics(registry);
  TraceQueue queue(50, 1000, metrics);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) queue.Take(Named("x"), nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(queue.size(), 50);
  EXPECT_EQ(metrics.queue_full.value(), 350);
}

}  // namespace
}  // namespace gw
