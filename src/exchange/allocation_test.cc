// Keeping the record of a request allocates nothing once the history's records have grown, nor does
// leaving out its line of the log. The whole test program's operator new is replaced by one that
// counts per thread.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "exchange/history.h"
#include "exchange/request_log.h"
#include "exchange/test_exchange.h"
#include "exchange/try_notes.h"

namespace {
thread_local size_t allocations = 0;
}  // namespace

// The pair below matches itself; inlined, it looks to the compiler as if it did not.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
// simdjson asks by this form: under the address sanitizer each form has a default of its own.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace gw {
namespace {

TEST(Allocation, ARecordThatTakesTheOldestsPlaceAllocatesNothing) {
  Endpoint endpoint;
  endpoint.name = "a name that is too long to be kept inside a string";
  endpoint.address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:8000";
  const Decision decision{.endpoint = &endpoint};
  RequestHistory history(4);
  auto record = std::make_unique<RequestRecord>();
  TryNotes notes;
  const auto keep = [&] {
    notes.Reset();
    for (int i = 0; i < 20; ++i) {
      notes.Dispatch(decision, &endpoint, TimePoint());
      notes.Fail("reset", TimePoint());
    }
    notes.Fill(TimePoint(), TimePoint(), record.get());
    record->request_id = "0123456789abcdef0123456789abcdef";
    history.Put(&record);
  };
  for (int i = 0; i < 10; ++i) keep();
  const size_t before = allocations;
  for (int i = 0; i < 100; ++i) keep();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(history.FindLast("")->try_count, RequestRecord::kTriesMax);
}

TEST(Allocation, ALineThatIsNotWrittenAllocatesNothing) {
  RequestRecord record;
  record.request_id = "an id that is too long to be kept inside a string";
  record.status = 200;
  const size_t before = allocations;
  for (const LogShare& share : {kLogErrors, kLogNone, LogShare{1e-30f, true}}) {
    EXPECT_FALSE(LineOf(record, Outcome::kComplete, nullptr, share));
  }
  EXPECT_EQ(allocations, before);
}

// The names of prompts cost nothing where they are not wanted, and where they are the memory of the
// requests before is used again.
TEST_F(ExchangeFixture, NamesOfPromptsAllocateNothing) {
  const std::shared_ptr<PoolEntry> pool = MakePool("default/qwen", {"127.0.0.11:8000"});
  pool->uses_prefix = true;
  const std::shared_ptr<const Snapshot> snapshot = SnapshotOf(pool, {kPort});
  const std::string body = R"({"model":"m","prompt":")" + std::string(10'000, 'a') + R"("})";
  const auto allocations_of_one = [&] {
    size_t last = 0;
    for (int i = 0; i < 2000; ++i) {
      const size_t before = allocations;
      SendHead(snapshot, "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
      SendBody(body);
      exchange_.End(Outcome::kClientLeft, 0, clock_.Now());
      last = allocations - before;
    }
    return last;
  };
  const size_t without = allocations_of_one();
  environment_.log_prompt_blocks = true;
  EXPECT_EQ(allocations_of_one(), without);
}

}  // namespace
}  // namespace gw
